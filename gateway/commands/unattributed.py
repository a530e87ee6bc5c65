"""`gateway admin unattributed`: what is nobody's, from the machine itself, as gw_owner."""

import argparse
import sys
from collections.abc import Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.catalog.repository import currencies
from gateway.commands import Subparsers, configured, declare
from gateway.commands.owner import as_owner
from gateway.desk import repository
from gateway.desk.documents import UnattributedDocument, unattributed_document
from gateway.paging import PageRequest

LINES_MAX = 1000


def add(actions: Subparsers) -> None:
    """Declare the command."""
    parser = declare(
        actions, "unattributed", "list deposits that are nobody's, newest first", run
    )
    parser.add_argument("--reason", help="only those with this reason")
    parser.add_argument("--limit", type=int, default=50, help=f"at most {LINES_MAX}")
    parser.add_argument("--live", action="store_true", help="of real networks")
    parser.add_argument("--json", action="store_true", help="one JSON document per line")


def run(args: argparse.Namespace) -> int:
    """Print the list."""
    settings = configured(args)
    page = PageRequest(max(1, min(args.limit, LINES_MAX)))
    wanted = {} if args.reason is None else {"reason": args.reason}
    found = as_owner(settings, lambda session: _listed(session, page, wanted, live=args.live))
    for document in found:
        shown = msgspec.json.encode(document).decode() if args.json else _line(document)
        sys.stdout.write(f"{shown}\n")
    return 0


async def _listed(
    session: AsyncSession, page: PageRequest, wanted: dict[str, str], *, live: bool
) -> Sequence[UnattributedDocument]:
    found = await repository.unattributed_page(session, page, wanted, livemode=live)
    known = await currencies(session)
    latest = await repository.latest(session, [row.id for row in found.rows])
    return [unattributed_document(row, known, latest.get(row.id)) for row in found.rows]


def _line(document: UnattributedDocument) -> str:
    amount = document.amount or f"{document.amount_atomic} units"
    asset = document.payment_method or document.asset
    asked = "" if document.resolution is None else f"  {document.resolution.status}"
    return (
        f"{document.id}  {document.status:<9}  {document.reason:<21}  {amount} {asset}"
        f"  {document.tx_hash}{asked}"
    )
