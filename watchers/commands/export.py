"""`watchers export NETWORK`: what our rows know as signed, for `keystore merge` to prove and take in."""

import argparse
import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.models import AddressPool, Attempt, Signature
from gateway.settings import Settings, SettingsError
from watchers.clock import now

SETUP = "setup"
"""The purpose of transactions that the keystore gives no number and no place."""
AT_ONCE = 500
ROWS_APART = 500
"""Half of what a merge takes for granted between two pool rows."""
LOST = "watchers: number {number}: {order} was signed as {tx_hash}, and no row has the bytes\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's words."""
    parser.add_argument("network")


async def command(settings: Settings, database: Database, args: argparse.Namespace) -> int:
    """Print a line for each transaction, by number; 1 where the bytes of one are not there."""
    name = args.network
    if name not in settings.networks:
        raise SettingsError(f"networks.{name}: there is no such network")
    _print({"exported_at": now().at, "network": name})
    async with database.unit_of_work(CROSS_TENANT) as session:
        async for line in _signed(session, name):
            _print(line)
        async for row in _rows(session, name):
            _print({"rows": [row]})
        lost = await _without_bytes(session, name)
    sys.stderr.writelines(lost)
    return 1 if lost else 0


async def _signed(session: AsyncSession, network: str) -> AsyncIterator[dict[str, Any]]:
    """Yield intents with their bytes, each once; a number that is not known is 0.

    Where a journal gave one another number after a merge, the later one is the journal's.
    """
    numbers = (
        select(Signature.tx_hash, func.max(Signature.number).label("number"))
        .where(Signature.network_id == network)
        .group_by(Signature.tx_hash)
        .subquery()
    )
    query = (
        select(Attempt.intent, Attempt.raw, Attempt.tx_hash, Attempt.sender, numbers.c.number)
        .outerjoin(numbers, numbers.c.tx_hash == Attempt.tx_hash)
        .where(
            Attempt.network_id == network,
            Attempt.raw.is_not(None),
            Attempt.purpose != SETUP,
        )
        .order_by(numbers.c.number, Attempt.id)
    )
    found = await session.stream(query.execution_options(yield_per=AT_ONCE))
    async for row in found:
        signed = {
            "raw": row.raw.hex(),
            "tx_hash": row.tx_hash,
            "sender": row.sender,
            "number": row.number or 0,
        }
        yield {"intent": row.intent, "signed": signed}


async def _rows(session: AsyncSession, network: str) -> AsyncIterator[dict[str, Any]]:
    """Yield pool rows close enough to say that those between have been issued, and the newest."""
    newest = (
        select(func.max(AddressPool.index))
        .where(AddressPool.network_id == network)
        .group_by(AddressPool.index // ROWS_APART)
    )
    query = (
        select(AddressPool)
        .where(AddressPool.network_id == network, AddressPool.index.in_(newest))
        .order_by(AddressPool.index)
    )
    async for row in await session.stream_scalars(query.execution_options(yield_per=AT_ONCE)):
        yield {
            "network": network,
            "index": row.index,
            "path": row.path,
            "address": row.address,
            "signature": row.signature.hex(),
        }


async def _without_bytes(session: AsyncSession, network: str) -> list[str]:
    """Name the numbers of which we know the hash alone."""
    same = and_(
        Signature.network_id == Attempt.network_id, Signature.tx_hash == Attempt.tx_hash
    )
    kept = select(Attempt.id).where(same, Attempt.raw.is_not(None))
    query = select(Signature).where(Signature.network_id == network, ~kept.exists())
    found = await session.scalars(query.order_by(Signature.number))
    return [
        LOST.format(number=each.number, order=each.withdrawal_id, tx_hash=each.tx_hash)
        for each in found
    ]


def _print(line: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
