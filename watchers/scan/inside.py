"""Money that the house moves between its own addresses is no deposit.

Our transactions are known by their hashes, never by who sent them: a merchant may pay another
merchant's invoice out of our hot wallet. A database put back to an older copy has forgotten some
hashes; what looks like ours then waits until the keystore's history is read or a person decides.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Text, and_, any_, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.deposits.service import INTERNAL
from gateway.domain.moment import Moment
from gateway.models import AddressPool, ApplicationWallet, Attempt, Deposit
from watchers.network import Block, Transfer
from watchers.pay.inclusion import write_transaction
from watchers.pay.transactions import HOUSE

Hit = tuple[Block, Transfer]


async def arriving(session: AsyncSession, network: str, hits: Iterable[Hit]) -> list[Hit]:
    """Return the transfers to us that our own sweeps, top-ups and refills did not make."""
    pairs = list(hits)
    if not pairs:
        return pairs
    query = select(Attempt.tx_hash).where(
        Attempt.network_id == network,
        Attempt.purpose.in_(HOUSE),
        Attempt.tx_hash == any_(bindparam("hashes", type_=ARRAY(Text))),
    )
    hashes = {transfer.tx_hash for _, transfer in pairs}
    moved = set(await session.scalars(query, {"hashes": list(hashes)}))
    return [(block, hit) for block, hit in pairs if hit.tx_hash not in moved]


async def from_cold(
    session: AsyncSession, network: str, hits: Iterable[Hit], moment: Moment
) -> None:
    """Mark what the operator brought back from cold storage: it was ours before, and is no capital.

    Its transaction is kept with what it cost where cold storage paid the network out of custody;
    for a contract that keeps coins, and for whoever may spend for it, somebody else pays.
    """
    query = select(ApplicationWallet.address).where(
        ApplicationWallet.network_id == network, ApplicationWallet.purpose == "cold"
    )
    cold = set(await session.scalars(query))
    back = [(block, hit) for block, hit in hits if hit.sender in cold]
    if not back:
        return
    await session.execute(
        update(Deposit)
        .where(
            Deposit.network_id == network,
            Deposit.tx_hash.in_({hit.tx_hash for _, hit in back}),
            Deposit.sender.in_(cold),
            Deposit.purpose == "capital",
            Deposit.status == "pending",
        )
        .values(purpose=INTERNAL)
    )
    for block, hit in back:
        outcome = block.outcomes.get(hit.tx_hash)
        if outcome is None:
            continue  # a block read for its transfers alone: the fee shows as a drift
        if outcome.payer != hit.sender:
            continue
        await write_transaction(session, network, block, hit.tx_hash, moment)


async def doubtful(
    session: AsyncSession, network: str, final_height: int, read_at: datetime | None
) -> frozenset[str]:
    """Return final deposits that may be our own forgotten transactions: they are not credited.

    Those whose sender is a wallet of ours, or a pool address that pays a wallet, in a
    transaction that no row knows; and whatever reached a wallet since the keystore's history
    was last read (`read_at`), for on some chains a transfer does not say who sent it.
    """
    wallets = select(ApplicationWallet.address).where(ApplicationWallet.network_id == network)
    pool = select(AddressPool.address).where(AddressPool.network_id == network)
    capital = Deposit.purpose == "capital"
    ours = or_(Deposit.sender.in_(wallets), and_(capital, Deposit.sender.in_(pool)))
    if read_at is not None:
        ours = or_(ours, and_(capital, Deposit.detected_at > read_at))
    known = select(Attempt.id).where(
        Attempt.network_id == network, Attempt.tx_hash == Deposit.tx_hash
    )
    query = select(Deposit.id).where(
        Deposit.network_id == network,
        Deposit.status == "pending",
        Deposit.block_height <= final_height,
        Deposit.purpose != INTERNAL,
        ours,
        ~known.exists(),
    )
    return frozenset(await session.scalars(query))
