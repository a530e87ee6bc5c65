"""Keep enough addresses ahead of the invoices, and know the house's own wallets."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.models import (
    AddressPool,
    ApplicationWallet,
    ApplicationWalletBalance,
    Currency,
    FreeAddress,
)
from gateway.settings import NetworkSettings
from keystore.api import POOL_COUNT_MAX, PoolRow
from keystore.client import KeystoreClient
from watchers import store
from watchers.addresses import AddressBook
from watchers.chain import Chain
from watchers.clock import now
from watchers.network import NATIVE
from watchers.store import Position

log = structlog.get_logger()


@dataclass(slots=True)
class Pool:
    """Refills one network's address pool from the keystore."""

    name: str
    settings: NetworkSettings
    database: Database
    keystore: KeystoreClient
    book: AddressBook
    position: Position

    async def round(self) -> int:
        """Derive one batch where the pool is below its low-water mark; return the rows added."""
        free, first = await self._level()
        if free >= self.settings.pool_low_water:
            return 0
        rows = await self.keystore.derive_pool(
            self.name, first, self.settings.pool_batch, issue=True
        )
        await self._add(rows, free=True)
        return len(rows)

    async def recover(self) -> None:
        """Watch what was issued and is not here: a database put back to an older copy forgot it.

        Some payer may know these addresses, so they are watched and never given to another
        invoice.
        """
        status = await self.keystore.status()
        issued = {each.network: each.issued for each in status.networks}.get(self.name, 0)
        _, first = await self._level()
        for start in range(first, issued, POOL_COUNT_MAX):
            count = min(POOL_COUNT_MAX, issued - start)
            await self._add(
                await self.keystore.derive_pool(self.name, start, count), free=False
            )
        if first < issued:
            log.warning(
                "addresses recovered", network=self.name, first=first, count=issued - first
            )

    async def _add(self, rows: Sequence[PoolRow], *, free: bool) -> None:
        # Watched before it can be shown: a payer may be quicker than our next block.
        self.book.pool.update(row.address for row in rows)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await store.hold_lease(session, self.position)
            await _insert(session, rows, free=free)

    async def _level(self) -> tuple[int, int]:
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            free = await session.scalar(
                select(func.count()).select_from(
                    select(FreeAddress.address_id)
                    .where(FreeAddress.network_id == self.name)
                    .limit(self.settings.pool_low_water)
                    .subquery()
                )
            )
            last = await session.scalar(
                select(func.max(AddressPool.index)).where(AddressPool.network_id == self.name)
            )
        return free or 0, 0 if last is None else last + 1


_INSERT = text("""
WITH made AS (
    INSERT INTO address_pool (network_id, index, path, address, signature, status, created_at)
    SELECT :network, r.index, r.path, r.address, decode(r.signature, 'hex'), 'AVAILABLE', :at
    FROM unnest(CAST(:indexes AS bigint[]), CAST(:paths AS text[]), CAST(:addresses AS text[]),
                CAST(:signatures AS text[])) AS r (index, path, address, signature)
    RETURNING id
)
INSERT INTO free_address (network_id, address_id) SELECT :network, id FROM made WHERE :free
""")

# The keystore made the same addresses for the other networks of the family: what is somebody's
# there is theirs here.
_FOLLOW = text("""
SELECT follow_siblings(ARRAY(
    SELECT id FROM address_pool WHERE network_id = :network AND index >= :first))
""")


async def _insert(session: AsyncSession, rows: Sequence[PoolRow], *, free: bool) -> None:
    """Write a batch in two statements: with a statement a row it cost more than deriving them."""
    await session.execute(
        _INSERT,
        {
            "network": rows[0].network,
            "at": now().at,
            "indexes": [row.index for row in rows],
            "paths": [row.path for row in rows],
            "addresses": [row.address for row in rows],
            "signatures": [row.signature for row in rows],
            "free": free,
        },
    )
    first = min(row.index for row in rows)
    await session.execute(_FOLLOW, {"network": rows[0].network, "first": first})


async def register_wallets(
    name: str, chain: Chain, database: Database, keystore: KeystoreClient, *, lanes: int = 1
) -> None:
    """Write the application wallets that the keystore serves, before the first block is read.

    A wallet that is not known here when it is funded would leave the ledger behind the chain.
    """
    wallets = await keystore.wallets(name, lanes=lanes)
    moment = now()
    nonces = {
        wallet.address: await chain.writer.next_nonce(wallet.address)
        for wallet in wallets
        if wallet.purpose in {"hot", "gas"}
    }
    async with database.unit_of_work(CROSS_TENANT) as session:
        for wallet in wallets:
            await session.execute(
                insert(ApplicationWallet)
                .values(
                    id=moment.id("awl"),
                    network_id=name,
                    purpose=wallet.purpose,
                    address=wallet.address,
                    path=wallet.path,
                    next_nonce=nonces.get(wallet.address),
                    created_at=moment.at,
                )
                .on_conflict_do_nothing(index_elements=["network_id", "address"])
            )


async def publish_balances(
    name: str, chain: Chain, database: Database, currencies: Sequence[Currency]
) -> None:
    """Write what the chain says the application wallets hold, for operators to read."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        query = select(ApplicationWallet).where(ApplicationWallet.network_id == name)
        wallets = (await session.scalars(query)).all()
    rows = []
    for wallet in wallets:
        for currency in currencies:
            asset = currency.contract or NATIVE
            if wallet.purpose == "nonce" and asset != NATIVE:
                continue
            units = await chain.reader.balance(wallet.address, asset)
            rows.append((wallet.id, currency.id, units))
    async with database.unit_of_work(CROSS_TENANT) as session:
        for wallet_id, currency_id, units in rows:
            values = {"units": units, "updated_at": now().at}
            await session.execute(
                insert(ApplicationWalletBalance)
                .values(wallet_id=wallet_id, currency_id=currency_id, **values)
                .on_conflict_do_update(index_elements=["wallet_id", "currency_id"], set_=values)
            )
