"""Which addresses are ours: every pool address from its derivation on, and the house's wallets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.signature import SignedAddress, is_genuine
from gateway.deposits.service import Arrival
from gateway.models import AddressPool, ApplicationWallet, Currency
from watchers.chain import asset_key
from watchers.network import NATIVE, Block, Transfer

LOAD_ROWS = 20_000


@dataclass(slots=True)
class AddressBook:
    """The addresses of one network, in memory: a hit is confirmed by its row and its signature.

    An address is here before it can be shown to anybody: the pool adds new ones before the
    transaction that offers them commits.
    """

    public_key: str
    """The keystore's, which signed every pool row (64 hex digits)."""
    pool: set[str] = field(default_factory=set)
    wallets: set[str] = field(default_factory=set)

    async def load(self, session: AsyncSession, network: str) -> None:
        """Read every address of the network, in slices by id."""
        last = 0
        while True:
            query = (
                select(AddressPool.id, AddressPool.address)
                .where(AddressPool.network_id == network, AddressPool.id > last)
                .order_by(AddressPool.id)
                .limit(LOAD_ROWS)
            )
            rows = (await session.execute(query)).all()
            self.pool.update(row.address for row in rows)
            if len(rows) < LOAD_ROWS:
                break
            last = rows[-1].id
        wallets = select(ApplicationWallet.address).where(
            ApplicationWallet.network_id == network
        )
        self.wallets.update(await session.scalars(wallets))

    def hits(self, block: Block, own_hashes: frozenset[str]) -> list[Transfer]:
        """Return the transfers of a block that arrived at an address of ours.

        What our own transactions move into our own wallets is no arrival; what they pay to a
        pool address is one (a merchant may pay another merchant's invoice).
        """
        return [
            transfer
            for transfer in block.transfers
            if transfer.recipient in self.pool
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
    by_asset = {NATIVE if c.contract is None else asset_key(c.contract): c for c in currencies}
    rows = {}
    if pairs:
        query = select(AddressPool).where(
            AddressPool.network_id == network,
            AddressPool.address.in_({transfer.recipient for _, transfer in pairs}),
        )
        fresh = query.execution_options(populate_existing=True)
        rows = {row.address: row for row in await session.scalars(fresh)}
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


def _is_genuine(row: AddressPool | None, public_key: str) -> bool:
    """Tell whether the keystore made this row; a row edited by hand credits nobody."""
    if row is None:
        return True
    signed = SignedAddress(row.network_id, row.index, row.path, row.address, row.signature)
    return is_genuine(signed, public_key)
