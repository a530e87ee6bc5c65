"""`gateway audit verify`: compute the audit log's chain again, as gw_owner.

Exit code 1 where it does not fit. Compare the head with one that was noted elsewhere: the worker
writes each to its log.
"""

import argparse
import sys

from gateway.audit.chain import verify
from gateway.commands import configured, declare
from gateway.commands.owner import as_owner


def add(parser: argparse.ArgumentParser) -> None:
    """Declare what it can do."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    checking = declare(actions, "verify", "compute the chain of hashes again", run)
    checking.add_argument(
        "--head",
        metavar="PLACE:HASH",
        help="a head seen earlier that must still be in the chain",
    )


def run(args: argparse.Namespace) -> int:
    """Check and print one line."""
    settings = configured(args)
    found = as_owner(settings, lambda session: verify(session, known=args.head))
    head = f"{found.head.place}:{found.head.hash}"
    if found.fault is not None:
        sys.stdout.write(f"audit log broken behind {head}: {found.fault}\n")
        return 1
    sys.stdout.write(
        f"audit log whole: head {head}, {found.waiting} rows wait for their link\n"
    )
    return 0
