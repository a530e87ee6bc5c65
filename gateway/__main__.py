"""`gateway COMMAND --config FILE`: the one place where a refusal becomes a line and an exit code."""

import argparse
import sys
from collections.abc import Sequence

from gateway.loading import loaded
from gateway.settings import SettingsError

COMMANDS = {
    "admin": "keys and catalogue, from the machine itself",
    "api": "serve the HTTP API",
    "audit": "check the audit log",
    "database": "run the embedded PostgreSQL server",
    "init": "create missing secrets in the data directory",
    "migrate": "bring the database to this version",
    "worker": "send webhooks and messages, expire and bill, record prices",
}
"""What each is for; how it is used is said by `gateway.commands.NAME`."""


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
    """Load only the command that was asked for: the others' libraries cost time and memory."""
    parser = argparse.ArgumentParser(prog="gateway", description="Crypto payment gateway.")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        command = subparsers.add_parser(name, help=purpose, description=purpose)
        if words[:1] == [name]:
            loaded(f"gateway.commands.{name}").add(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
