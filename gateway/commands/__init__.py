"""The commands of `gateway`, one module each, with the same two faces.

`add(parser)` declares its arguments, `run(args)` does the work and answers the exit code.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import logs
from gateway.heard import heard
from gateway.settings import Settings, load

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name
else:
    Subparsers = object


def takes(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> None:
    """Add to a command what all of them take, and say what runs it."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.set_defaults(run=run)


def declare(
    subparsers: Subparsers,
    name: str,
    purpose: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    """Add an action to a command that has several; such actions print what they have done."""
    parser = subparsers.add_parser(name, help=purpose, description=purpose)
    takes(parser, lambda args: heard("gateway", lambda: run(args)))
    return parser


def configured(args: argparse.Namespace) -> Settings:
    """Read the configuration and set up logging as it says."""
    settings = load(args.config)
    logs.configure(settings.logs.level)
    return settings
