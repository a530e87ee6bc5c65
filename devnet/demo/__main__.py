"""`python -m devnet.demo [--stay]`: exit code 0 only if everything went as expected."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from devnet.chain import ChainFault
from devnet.demo.report import Report, show, write
from devnet.demo.scenario import play
from devnet.demo.screen import Screen
from devnet.demo.stay import stay
from devnet.system.client import Problem
from devnet.system.place import Occupied, Place, emptied
from devnet.system.processes import ROOT, Fallen
from devnet.system.start import running
from devnet.system.waiting import Overdue

HOME = ROOT / "var" / "demo"
API_PORT = 8080


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo or stay up; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m devnet.demo", description=__doc__)
    parser.add_argument("--stay", action="store_true", help="stay up until Ctrl-C")
    parser.add_argument("--home", type=Path, default=HOME, help="folder, emptied at the start")
    options = parser.parse_args(argv)
    # A pipe has no width of its own, and a narrow table says nothing.
    screen = Screen(Console(width=None if sys.stdout.isatty() else 120))
    try:
        with emptied(options.home, api_port=API_PORT) as place:
            if options.stay:
                return asyncio.run(_stay(place, screen))
            return asyncio.run(_demo(place, screen))
    except (Occupied, Fallen, Overdue, ChainFault, Problem) as fault:
        screen.tell(f"{type(fault).__name__}: {fault}", style="red")
        screen.tell(f"logs: {options.home / 'logs'}")
        return 1
    except KeyboardInterrupt:
        return 0 if options.stay else 130


async def _demo(place: Place, screen: Screen) -> int:
    report: Report | None = None
    try:
        async with running(place, screen.tell) as system:
            setup_seconds = screen.seconds
            report = await play(system, screen)
        screen.tell("every process has stopped")
    except Fallen:
        if report is not None:
            report.ok = False
        raise
    finally:
        if report is not None:
            path = place.home / "report.json"
            write(report, path)
            show(report, screen.console)
            screen.console.print(
                f"set-up {setup_seconds:.0f} s, scenario {report.seconds} s: {path}"
            )
    screen.console.print(
        "[bold green]all as expected[/]" if report.ok else "[bold red]NOT as expected[/]"
    )
    return 0 if report.ok else 1


async def _stay(place: Place, screen: Screen) -> int:
    async with running(place, screen.tell) as system:
        await stay(system, screen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
