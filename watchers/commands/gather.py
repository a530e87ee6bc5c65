"""`watchers sweeps NETWORK --gather DEPOSIT --reason TEXT`: bring a stray to where a sweep reaches it.

A token account that an address has beside its canonical one (Solana) is in no book. The running
watcher moves what it holds into the canonical one; our scan sees it arrive there, and from then on
it is a deposit like any other: its invoice's, or nobody's, which the desk assigns or refunds.
"""

import getpass
import sys

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.signature import SignedAddress, is_genuine
from gateway.audit import service as audit
from gateway.audit.reason import stated
from gateway.db import CROSS_TENANT, Database
from gateway.desk.beside import STAYS
from gateway.domain.actor import Actor
from gateway.models import AddressPool, Currency, Stray, Sweep
from gateway.settings import Settings, SettingsError
from watchers.chain import asset_of
from watchers.clock import now
from watchers.scan.strays import REASONS
from watchers.store import currencies_of
from watchers.sweep import rows

BESIDE = REASONS["account"]


async def command(
    settings: Settings, database: Database, network: str, deposit_id: str, reason: str | None
) -> int:
    """Begin it; the network's watcher does the rest."""
    reason = stated(reason or "")
    moment = now()
    actor = Actor(f"operator:{getpass.getuser()}", None, frozenset(), livemode=False)
    async with database.unit_of_work(CROSS_TENANT) as session:
        stray = await _stray(session, network, deposit_id)
        index = await _index(session, stray, settings.keystore.pool_public_key)
        currency = await _currency(session, stray)
        if stray.address in await rows.busy(session, network):
            raise SettingsError(f"--gather: a sweep of {stray.address} is under way")
        sweep = Sweep(
            id=moment.id("swp"),
            network_id=network,
            currency_id=currency.id,
            address=stray.address,
            pool_index=index,
            destination=stray.address,
            units=stray.units,
            since=stray.block_time,
            reason="brought to where a sweep reaches it",
            state="planned",
            steps=0,
            cost_units=0,
            returned_units=0,
            created_at=moment.at,
            updated_at=moment.at,
        )
        session.add(sweep)
        await session.flush()
        await audit.record(
            session,
            actor,
            moment,
            action="stray.gather",
            subject=stray.id,
            before={"address": stray.address, "asset": stray.asset, "units": str(stray.units)},
            after={"sweep": sweep.id, "reason": reason},
        )
        begun = sweep.id
    sys.stdout.write(f"{begun}: `watchers sweeps {network}` says how far it is\n")
    return 0


async def _stray(session: AsyncSession, network: str, deposit_id: str) -> Stray:
    """Return what is to be gathered, locked; raise `SettingsError` for anything else."""
    stray = await session.get(Stray, deposit_id, with_for_update=True)
    if stray is None or stray.network_id != network or stray.reason != BESIDE:
        raise SettingsError(
            f"--gather: {deposit_id} is no deposit of {network} that is {BESIDE}"
        )
    if stray.status != "confirmed":
        raise SettingsError(f"--gather: {deposit_id} is {stray.status}")
    return stray


async def _index(session: AsyncSession, stray: Stray, public_key: str) -> int:
    """Return the pool index of its address, of a row that the keystore signed."""
    query = select(AddressPool).where(
        AddressPool.network_id == stray.network_id, AddressPool.address == stray.address
    )
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise SettingsError(f"--gather: {stray.address} is no pool address: {STAYS}")
    signed = SignedAddress(row.network_id, row.index, row.path, row.address, row.signature)
    if not is_genuine(signed, public_key):
        raise SettingsError(f"--gather: the keystore did not sign the row of {stray.address}")
    return row.index


async def _currency(session: AsyncSession, stray: Stray) -> Currency:
    for currency in await currencies_of(session, stray.network_id):
        if asset_of(currency) == stray.asset:
            if currency.fee_on_transfer:
                raise SettingsError("--gather: the token keeps a part of every transfer")
            return currency
    raise SettingsError(f"--gather: {stray.asset} is not listed")
