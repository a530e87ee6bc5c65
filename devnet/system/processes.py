"""Named processes of one system: started, watched, killed, started again, stopped.

Every child is tied to us by a parent-death signal, so a killed supervisor takes the system
along. What a child writes goes to `NAME.log`.
"""

import asyncio
import signal
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from devnet.system.waiting import until
from devnet.tied import tied

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS_MAX = 15.0
RESTART_SECONDS = 0.3
LAST_WORDS = 12
BYTES_PER_MIB = 1024 * 1024


class Fallen(Exception):
    """A process ended although nobody had asked it to; the message holds its last lines."""


@dataclass(slots=True)
class Child:
    """One process under a name that outlives its restarts."""

    name: str
    command: tuple[str, ...]
    log: Path
    process: asyncio.subprocess.Process
    log_start: int
    starts: int = 1
    wanted: bool = True
    deliberate: bool = False
    """The end that comes next was ordered by `restart`."""

    def words(self) -> str:
        """Return what this run of the process has written."""
        with self.log.open("rb") as file:
            file.seek(self.log_start)
            return file.read().decode(errors="replace")


@dataclass(slots=True)
class Supervisor:
    """Holds the children. With `keep_alive` a fallen one is started again, as systemd would."""

    logs: Path
    keep_alive: bool = False
    children: dict[str, Child] = field(default_factory=dict)
    _guards: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _fallen: asyncio.Queue[Child] = field(default_factory=asyncio.Queue)

    async def start(self, name: str, *command: str) -> None:
        """Start a Python module of ours: `command` follows `python -m`."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / f"{name}.log"
        full = (sys.executable, "-u", "-m", *command)
        process = await _spawned(full, log)
        self.children[name] = Child(name, full, log, process, log_start=0)
        self._guards[name] = asyncio.create_task(self._guard(self.children[name]))

    async def run(self, *command: str, may_fail: bool = False) -> str:
        """Run a module to its end and return its standard output; raise `Fallen` if it fails."""
        process = await asyncio.create_subprocess_exec(
            *tied((sys.executable, "-m", *command)),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        if process.returncode != 0 and not (may_fail and output):
            words = _last_lines(errors.decode(errors="replace"))
            raise Fallen(f"{' '.join(command[:2])} ended with {process.returncode}\n{words}")
        return output.decode()

    async def said(self, name: str, text: str, *, seconds_max: float = 60.0) -> str:
        """Wait until this run of a process has written a line with `text`; return the line."""
        child = self.children[name]

        async def line() -> str | None:
            return next((line for line in child.words().splitlines() if text in line), None)

        return await until(line, f"{name} to say {text!r}", seconds_max=seconds_max)

    async def restart(self, name: str) -> None:
        """Kill a process and everything below it with SIGKILL; return once it runs again."""
        child = self.children[name]
        starts = child.starts
        child.deliberate = True
        _kill_tree(child.process.pid)

        async def again() -> bool | None:
            return child.starts > starts or None

        await until(again, f"{name} to start again")

    async def watch(self) -> None:
        """Wait for as long as everything runs; raise `Fallen` for the first that does not."""
        child = await self._fallen.get()
        status = child.process.returncode
        raise Fallen(f"{child.name} ended with {status}\n{_last_lines(child.words())}")

    async def stop(self, *groups: Sequence[str]) -> list[str]:
        """End the named groups one after another, then the rest; name what had to be killed."""
        named = {name for group in groups for name in group}
        rest = [name for name in self.children if name not in named]
        stubborn: list[str] = []
        for group in (*groups, rest):
            present = [self.children[name] for name in group if name in self.children]
            ended = await asyncio.gather(*(self._end(child) for child in present))
            stubborn += [
                child.name for child, well in zip(present, ended, strict=True) if not well
            ]
        return stubborn

    def memory_mib(self) -> dict[str, int]:
        """Return the resident memory of each child with everything below it."""
        return {name: _resident(child.process.pid) for name, child in self.children.items()}

    def everyone(self) -> list[psutil.Process]:
        """Return every process of the system, children of children included."""
        return [
            process for child in self.children.values() for process in _tree(child.process.pid)
        ]

    async def _guard(self, child: Child) -> None:
        """See a process end, again and again; start it anew where that is right."""
        while True:
            await child.process.wait()
            if not child.wanted:
                return
            if not child.deliberate and not self.keep_alive:
                await self._fallen.put(child)
                return
            if not child.deliberate:
                await asyncio.sleep(RESTART_SECONDS)
            child.deliberate = False
            child.log_start = child.log.stat().st_size
            child.process = await _spawned(child.command, child.log)
            child.starts += 1

    async def _end(self, child: Child) -> bool:
        child.wanted = False
        if child.process.returncode is None:
            with suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await child.process.wait()
        except TimeoutError:
            _kill_tree(child.process.pid)
            await child.process.wait()
            return False
        finally:
            self._guards[child.name].cancel()
        return True


async def _spawned(command: Sequence[str], log: Path) -> asyncio.subprocess.Process:
    with log.open("ab") as file:
        return await asyncio.create_subprocess_exec(
            *tied(command),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,  # Ctrl-C is for us, and we stop things in order
        )


def _tree(pid: int) -> list[psutil.Process]:
    """Return a process and all below it, the lowest first; nothing if it is gone."""
    try:
        top = psutil.Process(pid)
        return [*reversed(top.children(recursive=True)), top]
    except psutil.NoSuchProcess:
        return []


def _kill_tree(pid: int) -> None:
    for process in _tree(pid):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _resident(pid: int) -> int:
    """Return MiB of a process and all below it, what they share counted once."""
    own, shared = 0, 0
    for process in _tree(pid):
        with suppress(psutil.NoSuchProcess):
            memory = process.memory_info()
            own += memory.rss - memory.shared
            shared = max(shared, memory.shared)
    return round((own + shared) / BYTES_PER_MIB)


def _last_lines(text: str) -> str:
    return "\n".join(deque(text.splitlines(), maxlen=LAST_WORDS))
