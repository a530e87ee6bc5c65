"""`watchers reconcile NETWORK --address ADDRESS`: one address compared at once, whoever waits for it.

The running watcher looks at addresses of open invoices, of customers, and at those that ever
received anything; at the others until their invoice is no longer monitored. Money that reached one
of them later, and that no block shows, is found here: traced to its block and credited as the
reconciler does it.
"""

import asyncio
import sys
from contextlib import aclosing
from typing import Any

import msgspec
from sqlalchemy import select

from gateway.db import CROSS_TENANT, Database
from gateway.models import AddressDrift, AddressPool, Deposit
from gateway.settings import Settings, SettingsError
from keystore.client import KeystoreClient
from watchers import store
from watchers.addresses import AddressBook
from watchers.chain import asset_key
from watchers.commands.history import Unread, require_history
from watchers.families import connect
from watchers.network import Incomplete, NodeUnavailable
from watchers.parts import Parts
from watchers.reconcile.comparison import Comparison
from watchers.scan.evidence import BALANCE

SCAN_SECONDS = 60
"""How long our scan has to come up to the state that a node read."""


class NotCompared(Exception):
    """Why the address could not be compared, in one line."""


async def command(
    settings: Settings, database: Database, network: str, address: str, *, as_json: bool
) -> int:
    """Compare the address, print what it brought; 1 where something is left that nothing explains."""
    address = asset_key(address)
    await _require_ours(database, network, address)
    before = await _balances(database, network, address)
    try:
        await require_history(settings, database, network)
        await _compare(settings, database, network, address)
    except (NotCompared, Unread, Incomplete, NodeUnavailable) as refusal:
        sys.stderr.write(f"watchers: {refusal}\n")
        return 1
    after = await _balances(database, network, address)
    found = [
        each for each in after if each["deposit"] not in {old["deposit"] for old in before}
    ]
    drifts = await _drifts(database, network, address)
    if as_json:
        document = {"network": network, "address": address, "found": found, "drifts": drifts}
        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    else:
        sys.stdout.write(_table(address, found, drifts))
    return int(bool(drifts))


async def _compare(settings: Settings, database: Database, name: str, address: str) -> None:
    network = settings.networks[name]
    async with database.unit_of_work(CROSS_TENANT) as session:
        currencies = await store.currencies_of(session, name)
        position = await store.position_of(session, name)
    if position is None:
        raise NotCompared(f"{name}: never scanned")
    book = AddressBook(settings.keystore.pool_public_key)
    chain = connect(name, network, currencies)
    async with (
        aclosing(chain.endpoints),
        KeystoreClient(settings.keystore.socket) as keystore,
    ):
        await chain.reader.check_identity()
        parts = Parts(name, settings, network, chain, currencies, database, keystore, book)
        await _settle(Comparison(parts.credits(position)), name, address)


async def _settle(comparison: Comparison, name: str, address: str) -> None:
    """Read and compare, until our scan has come up to what was read."""
    for _ in range(SCAN_SECONDS):
        final = await comparison.final()
        if final is None:
            raise NotCompared(f"{name}: stands still, `watchers status` says why")
        if not comparison.waits:
            await comparison.read([address], final[0])
        if await comparison.compare(final[0]):
            return
        await asyncio.sleep(1)
    raise NotCompared(f"{name}: our scan does not come up to what the node shows")


async def _require_ours(database: Database, network: str, address: str) -> None:
    query = select(AddressPool.id).where(
        AddressPool.network_id == network, AddressPool.address == address
    )
    async with database.unit_of_work(CROSS_TENANT) as session:
        if await session.scalar(query) is None:
            raise SettingsError(f"--address: {address} is no pool address of {network}")


async def _balances(database: Database, network: str, address: str) -> list[dict[str, Any]]:
    """Return what comparing balances has brought to the address so far."""
    query = select(Deposit).where(
        Deposit.network_id == network, Deposit.address == address, Deposit.kind == BALANCE
    )
    async with database.unit_of_work(CROSS_TENANT) as session:
        return [
            {
                "deposit": row.id,
                "payment_method": row.currency_id,
                "units": str(row.units),
                "block_height": row.block_height,
                "invoice_id": row.invoice_id,
                "reason": row.reason,
            }
            for row in await session.scalars(query.order_by(Deposit.id))
        ]


async def _drifts(database: Database, network: str, address: str) -> list[dict[str, Any]]:
    query = select(AddressDrift).where(
        AddressDrift.network_id == network, AddressDrift.address == address
    )
    async with database.unit_of_work(CROSS_TENANT) as session:
        return [
            {"payment_method": row.currency_id, "units": str(row.units), "reason": row.reason}
            for row in await session.scalars(query.order_by(AddressDrift.currency_id))
        ]


def _table(address: str, found: list[dict[str, Any]], drifts: list[dict[str, Any]]) -> str:
    lines = [
        "{payment_method}: {units} found in block {block_height}, {deposit}".format(**each)
        for each in found
    ]
    lines += ["{payment_method}: {units} differ: {reason}".format(**each) for each in drifts]
    if found:
        lines.append("the network's watcher credits what is final")
    return "\n".join(lines or [f"{address} holds what our rows say"]) + "\n"
