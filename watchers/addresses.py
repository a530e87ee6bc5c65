"""Which addresses are ours: every pool address from its derivation on, and the house's wallets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Text, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.signature import SignedAddress, is_genuine
from gateway.db import send
from gateway.deposits.service import Arrival
from gateway.models import AddressPool, ApplicationWallet, Currency
from gateway.models.columns import joined
from gateway.rows import Plain
from watchers.book import AddressKeys
from watchers.chain import asset_of
from watchers.interest import Interest
from watchers.network import Block, Incomplete, Transfer

LOAD_ROWS = 20_000


@dataclass(slots=True)
class AddressBook:
    """The addresses of one network, in memory: a hit is confirmed by its row and its signature.

    `pool` holds keys, not addresses, and may say "perhaps" of a stranger; `arrivals` asks for
    the row. An address is here before it can be shown to anybody: the pool adds new ones before
    the transaction that offers them commits.
    """

    public_key: str
    """The keystore's, which signed every pool row (64 hex digits)."""
    pool: AddressKeys = field(default_factory=AddressKeys)
    wallets: set[str] = field(default_factory=set)
    count: int = 0
    """How many pool rows were read."""
    watermark: int = -1
    """Highest derivation index read. Rows are written under the network's lease, each batch above
    the last: none with a lower index commits later."""

    async def load(self, session: AsyncSession, network: str) -> None:
        """Read the addresses above the watermark, in slices; memory stays bounded.

        Called before the lease is taken, which may be long in coming, and once more after it.
        """
        if not self.count:
            rows = select(func.count()).select_from(AddressPool)
            here = rows.where(AddressPool.network_id == network)
            self.pool.reserve(await session.scalar(here) or 0)
        read = LOAD_ROWS
        while read == LOAD_ROWS:
            read = await self._slice(session, network)
        wallets = select(ApplicationWallet.address).where(
            ApplicationWallet.network_id == network
        )
        self.wallets.update(await session.scalars(wallets))

    async def _slice(self, session: AsyncSession, network: str) -> int:
        """Add one slice of rows as a single text: a row apiece would take four times as long."""
        rows = (
            select(AddressPool.index, AddressPool.address)
            .where(AddressPool.network_id == network, AddressPool.index > self.watermark)
            .order_by(AddressPool.index)
            .limit(LOAD_ROWS)
            .subquery()
        )
        joined = func.string_agg(rows.c.address, " ", type_=Text)
        query = select(func.count(), func.max(rows.c.index), joined).select_from(rows)
        count, last, addresses = (await session.execute(query)).one()
        if count:
            self.pool.update(addresses.split(" "))
            self.watermark = last
            self.count += count
        return int(count)

    def interest(self, own_hashes: frozenset[str]) -> Interest:
        """Return for whom blocks are read: every address here, and these transactions."""
        return Interest(self.perhaps, lambda: self.pool.version + len(self.wallets), own_hashes)

    def perhaps(self, addresses: Iterable[str]) -> set[str]:
        """Return those that may be ours: whoever is missing here is certainly not."""
        asked = frozenset(addresses)
        return self.pool.perhaps(asked).union(self.wallets & asked)

    def hits(self, block: Block, own_hashes: frozenset[str]) -> list[Transfer]:
        """Return the transfers of a block that arrived at an address of ours.

        What our own transactions move into our own wallets is no arrival; what they pay to a
        pool address is one (a merchant may pay another merchant's invoice). Raises `Incomplete`
        where the block was read before an address was added that it may pay.
        """
        if block.overtaken():
            raise Incomplete(f"block {block.ref.height}: read before an address it may pay")
        pool = self.pool.perhaps({transfer.recipient for transfer in block.transfers})
        return [
            transfer
            for transfer in block.transfers
            if transfer.recipient in pool
            or (transfer.recipient in self.wallets and transfer.tx_hash not in own_hashes)
        ]


async def arrivals(
    session: AsyncSession,
    network: str,
    currencies: Sequence[Currency],
    book: AddressBook,
    hits: Iterable[tuple[Block, Transfer]],
) -> list[Arrival]:
    """Turn hits into arrivals: one query for the pool rows of all of them."""
    pairs = list(hits)
    by_asset = {asset_of(c): c for c in currencies}
    rows = {}
    if pairs:
        recipients = {transfer.recipient for _, transfer in pairs}
        values = {"network": network, "addresses": joined(recipients)}
        found = map(_POOL.row, await send(session, _OURS, values))
        rows = {row.address: row for row in found}
    # The book says "perhaps": only a row or a wallet makes an arrival.
    pairs = [(b, t) for b, t in pairs if t.recipient in rows or t.recipient in book.wallets]
    return [
        Arrival(
            network_id=network,
            tx_hash=transfer.tx_hash,
            kind=transfer.kind,
            ordinal=transfer.ordinal,
            currency=by_asset[transfer.asset],
            sender=transfer.sender,
            address=transfer.recipient,
            units=transfer.units,
            pool=rows.get(transfer.recipient),
            genuine=_is_genuine(rows.get(transfer.recipient), book.public_key),
            capital=transfer.recipient in book.wallets,
            block_height=block.ref.height,
            block_hash=block.ref.hash,
            block_time=block.ref.time,
        )
        for block, transfer in pairs
    ]


_POOL = Plain(AddressPool, "p")
_OURS = f"""
SELECT {_POOL.select} FROM address_pool p
WHERE p.network_id = %(network)s AND p.address = ANY(string_to_array(%(addresses)s, ','))
"""  # noqa: S608 names of columns only


def _is_genuine(row: AddressPool | None, public_key: str) -> bool:
    """Tell whether the keystore made this row; a row edited by hand credits nobody."""
    if row is None:
        return True
    signed = SignedAddress(row.network_id, row.index, row.path, row.address, row.signature)
    return is_genuine(signed, public_key)
