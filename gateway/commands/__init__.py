"""The commands of `gateway`, one module each, with the same two faces.

`add(subparsers)` declares its arguments, `run(args)` does the work and answers the exit code.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import logs
from gateway.settings import Settings, load

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name
else:
    Subparsers = object


def declare(
    subparsers: Subparsers,
    name: str,
    purpose: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    """Add a subcommand with the arguments that all of them share."""
    parser = subparsers.add_parser(name, help=purpose, description=purpose)
    parser.add_argument("--config", type=Path, required=True, metavar="FILE")
    parser.set_defaults(run=run)
    return parser


def configured(args: argparse.Namespace) -> Settings:
    """Read the configuration and set up logging as it says."""
    settings = load(args.config)
    logs.configure(settings.logs.level)
    return settings
