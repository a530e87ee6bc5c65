"""The supervisor sees every end, restarts what it is told to, and leaves nothing behind."""

import asyncio
import signal
import sys
from pathlib import Path

import psutil
import pytest

from devnet.system.place import Occupied, emptied
from devnet.system.processes import Fallen, Supervisor
from devnet.system.waiting import Overdue, until
from devnet.tied import survivors

pytestmark = pytest.mark.anyio

SERVER = ("http.server", "0", "--bind", "127.0.0.1")
STARTED = "Serving HTTP"
OUTLIVED = """
import asyncio, sys
from pathlib import Path
from devnet.system.processes import Supervisor

async def main():
    supervisor = Supervisor(Path(sys.argv[1]))
    await supervisor.start("server", "http.server", "0", "--bind", "127.0.0.1")
    print(supervisor.children["server"].process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_an_end_that_nobody_asked_for_is_told_with_its_last_words(tmp_path: Path) -> None:
    """The message is what one needs to begin looking."""
    supervisor = Supervisor(tmp_path)
    await supervisor.start("poem", "this")
    with pytest.raises(Fallen, match=r"(?s)poem ended with 0.*Namespaces"):
        await supervisor.watch()
    await supervisor.stop()


async def test_a_failing_command_is_refused_with_its_last_words(tmp_path: Path) -> None:
    """A one-shot command that fails never goes unnoticed."""
    with pytest.raises(Fallen, match="no_such_module"):
        await Supervisor(tmp_path).run("no_such_module")


async def test_restart_kills_and_starts_again(tmp_path: Path) -> None:
    """The new process has another id, and its words are told apart from the old one's."""
    supervisor = Supervisor(tmp_path)
    await supervisor.start("server", *SERVER)
    await supervisor.said("server", STARTED)
    before = supervisor.children["server"].process
    await supervisor.restart("server")
    await supervisor.said("server", STARTED)
    assert before.returncode == -signal.SIGKILL
    assert supervisor.children["server"].starts == 2
    everyone = supervisor.everyone()
    assert await supervisor.stop() == []
    assert not any(process.is_running() for process in everyone)


async def test_keep_alive_starts_a_fallen_process_again(tmp_path: Path) -> None:
    """As systemd does."""
    supervisor = Supervisor(tmp_path, keep_alive=True)
    await supervisor.start("poem", "this")

    async def again() -> bool | None:
        return supervisor.children["poem"].starts > 2 or None

    await until(again, "two restarts")
    await supervisor.stop()


async def test_a_killed_supervisor_takes_its_children_along(tmp_path: Path) -> None:
    """Even SIGKILL leaves nothing running, however early it comes."""
    supervisor = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", OUTLIVED, str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert supervisor.stdout is not None
    child = psutil.Process(int(await supervisor.stdout.readline()))
    supervisor.kill()
    await supervisor.communicate()

    assert survivors([child]) == []


async def test_waiting_names_what_did_not_come() -> None:
    """An overdue thing is a sentence."""

    async def never() -> bool | None:
        return None

    with pytest.raises(Overdue, match=r"waited 0\.1 s for a miracle"):
        await until(never, "a miracle", seconds_max=0.1)


def test_one_folder_holds_one_system(tmp_path: Path) -> None:
    """A second one is refused, and does not empty the first one's folder."""
    with emptied(tmp_path / "home") as place:
        (place.home / "precious").touch()
        with pytest.raises(Occupied), emptied(place.home):
            pass
        assert (place.home / "precious").exists()


def test_a_deep_folder_keeps_its_sockets_elsewhere(tmp_path: Path) -> None:
    """The path of a Unix socket has 107 bytes."""
    deep = tmp_path / ("deep" * 20) / "home"
    with emptied(deep) as place:
        assert len(bytes(place.state)) < 60
        assert place.state.stat().st_mode & 0o077 == 0
    assert not place.state.exists()
