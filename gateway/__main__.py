"""`gateway COMMAND --config FILE`: the one place where a refusal becomes a line and an exit code."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from gateway.settings import SettingsError

COMMANDS = ("admin", "api", "audit", "database", "init", "migrate", "worker")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; answer its exit code (1: refused, 130: interrupted)."""
    words = list(sys.argv[1:] if argv is None else argv)
    args = _parser(words).parse_args(words)
    try:
        return int(args.run(args))
    except SettingsError as refusal:
        print(f"gateway: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Import only the command that was asked for: the others' libraries cost memory."""
    parser = argparse.ArgumentParser(prog="gateway", description="Crypto payment gateway.")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    chosen = [name for name in COMMANDS if words[:1] == [name]] or COMMANDS
    for name in chosen:
        importlib.import_module(f"gateway.commands.{name}").add(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
