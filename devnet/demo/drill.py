"""The operator's drill on the demo's own pool: paper words and an export, nothing else of ours."""

import asyncio
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

from devnet.system.processes import ROOT, Fallen
from devnet.system.start import System

SECONDS_MAX = 120
PURPOSES = ("pool", "hot", "gas")
_WORD = re.compile(r"(\d+) ([a-z]+)")
_ASKED = re.compile(r"Word (\d+) of the")


async def drilled(system: System) -> str:
    """Export the pool, copy the words as a person would, and find every address from them.

    Returns what `keystore drill` says of it; raises `Fallen` where an address is not found. What
    the terminal showed is never quoted.
    """
    place = system.place
    command = ("gateway", "admin", "export-pool", "--config", str(place.config))
    exported, words = await asyncio.gather(
        system.supervisor.run(*command),
        asyncio.to_thread(_copied_words, place.keystore_config),
    )
    export = place.home / "pool.jsonl"
    export.write_text(exported)
    try:
        return await asyncio.to_thread(_found_again, export, words)
    except subprocess.TimeoutExpired as late:
        raise Fallen(f"keystore drill did not end in {SECONDS_MAX} s") from late


def _found_again(export: Path, words: str) -> str:
    command = [sys.executable, "-m", "keystore", "drill", "--words", "-", "--pool", str(export)]
    done = subprocess.run(
        command, cwd=ROOT, input=words, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )  # fmt: skip
    if done.returncode != 0:
        raise Fallen(done.stderr.strip())
    return done.stdout.strip().splitlines()[-1]


def _copied_words(config: Path) -> str:
    """Sit before `keystore words`, write the pool's words down and answer its questions."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "keystore", "words", "--config", str(config)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as shown:
        os.close(theirs)
        try:
            written = [_written(ours) for _ in PURPOSES]
            _until(ours, "written down")
            if shown.wait(SECONDS_MAX) != 0:
                raise Fallen("keystore words: the answers were not taken")
        finally:
            shown.kill()
            os.close(ours)
    return " ".join(written[0])


def _written(terminal: int) -> list[str]:
    """Copy one seed's words and repeat the three that are asked for."""
    page = _until(terminal, "Press Enter").split("funds.")[-1]
    numbered = {int(number): word for number, word in _WORD.findall(page)}
    os.write(terminal, b"\n")
    for _ in range(3):
        place = int(_ASKED.findall(_until(terminal, " seed: "))[-1])
        os.write(terminal, numbered[place].encode() + b"\n")
    return [numbered[place] for place in sorted(numbered)]


def _until(terminal: int, text: str) -> str:
    shown = ""
    while text not in shown:
        if not select.select([terminal], [], [], SECONDS_MAX)[0]:
            raise Fallen("keystore words waits for something else")
        try:
            shown += os.read(terminal, 4096).decode()
        except OSError as ended:
            raise Fallen("keystore words ended early") from ended
    return shown
