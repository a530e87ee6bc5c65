"""`watchers run NETWORK` is one network's process; the other commands ask about it, or help it on."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.heard import heard
from gateway.loading import loaded

INTERRUPTED = 130
"""What a shell expects of a command that somebody ended with Ctrl-C."""
DECODE = "decode"
"""Needs neither configuration nor database."""
COMMANDS = {
    "run": ("watchers.commands.run", "watch one network"),
    "status": ("watchers.commands.status", "print how far every network has come"),
    DECODE: ("watchers.decode", "decode a recorded block"),
    "coverage": ("watchers.scan.coverage", "print which heights were read, and gaps"),
    "rescan": ("watchers.commands.rescan", "read heights again and record what was missed"),
    "explain": ("watchers.explain.command", "say why a transaction was or was not credited"),
    "reconcile": ("watchers.commands.reconcile", "compare the chain with the books"),
    "cancel": ("watchers.commands.cancel", "take back a payout that waits to be mined"),
    "settle": ("watchers.commands.settle", "end a payout that only a person can judge"),
    "adopt-nonce": (
        "watchers.commands.adopt_nonce",
        "let our nonces follow the chain's count",
    ),
    "check-asset": ("watchers.commands.check_asset", "say whether a token may be listed"),
    "sweeps": ("watchers.commands.sweeps", "list sweeps with their cost, and what waits"),
    "export": ("watchers.commands.export", "print what was signed, for keystore merge"),
    "reopen": ("watchers.commands.reopen", "go on where what was final was rewritten"),
}
"""Where each is, and what it is for. Every module has `add_arguments` and `command`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    args = _parser(words).parse_args(words)
    try:
        return heard("watchers", lambda: _done(args))
    except KeyboardInterrupt:
        return INTERRUPTED


def _done(args: argparse.Namespace) -> int:
    module = loaded(COMMANDS[args.command][0])
    if args.command == DECODE:
        return int(module.run(args))
    return int(loaded("watchers.commands.carried").carried_out(module.command, args))


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Load only the command that was asked for: the others' libraries cost time and memory."""
    parser = argparse.ArgumentParser(prog="watchers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, purpose) in COMMANDS.items():
        command = commands.add_parser(name, help=purpose)
        if words[:1] == [name]:
            loaded(module).add_arguments(command)
            if name != DECODE:
                command.add_argument("--config", type=Path, required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main())
