"""`gateway admin export-pool`: every signed pool row, for `keystore drill` to find again."""

import argparse
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.repository import signed_rows
from gateway.commands import Subparsers, configured, declare
from gateway.commands.owner import as_owner


def add(actions: Subparsers) -> None:
    """Declare the command."""
    parser = declare(
        actions, "export-pool", "print every signed pool row, one JSON answer a line", run
    )
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help="default: all")


def run(args: argparse.Namespace) -> int:
    """Print when, then rows in the shape of `keystore pool`; nothing in them is secret."""
    settings = configured(args)
    # A file's own time is that of its last copy.
    _print({"exported_at": datetime.now(UTC)})
    as_owner(settings, lambda session: _printed(session, args.networks))
    return 0


async def _printed(session: AsyncSession, networks: list[str]) -> None:
    async for rows in signed_rows(session, networks):
        told = [
            {
                "network": row.network,
                "index": row.index,
                "path": row.path,
                "address": row.address,
                "signature": row.signature.hex(),
            }
            for row in rows
        ]
        _print({"rows": told})


def _print(line: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
