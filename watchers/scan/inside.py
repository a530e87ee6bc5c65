"""Money that the house moves between its own addresses is no deposit.

Our transactions are known by their hashes, never by who sent them: a merchant may pay another
merchant's invoice out of our hot wallet. A database put back to an older copy has forgotten some
hashes; what looks like ours then waits until the keystore's history is read or a person decides.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import send
from gateway.deposits.service import INTERNAL
from gateway.domain.moment import Moment
from gateway.models import Deposit
from gateway.models.columns import joined
from watchers.network import Block, Transfer
from watchers.pay.inclusion import write_transaction
from watchers.pay.transactions import HOUSE

Hit = tuple[Block, Transfer]


async def arriving(session: AsyncSession, network: str, hits: Iterable[Hit]) -> list[Hit]:
    """Return the transfers to us that our own sweeps, top-ups and refills did not make.

    Tokens that one of them brought to where a sweep reaches count from then on: before they were
    in no book.
    """
    pairs = list(hits)
    if not pairs:
        return pairs
    hashes = {transfer.tx_hash for _, transfer in pairs}
    values = {"network": network, "house": list(HOUSE), "hashes": joined(hashes)}
    moved = {tx_hash for (tx_hash,) in await send(session, _MOVED, values)}
    return [(block, hit) for block, hit in pairs if hit.tx_hash not in moved]


async def from_cold(
    session: AsyncSession, network: str, hits: Iterable[Hit], moment: Moment
) -> None:
    """Mark what the operator brought back from cold storage: it was ours before, and is no capital.

    Its transaction is kept with what it cost where cold storage paid the network out of custody;
    for a contract that keeps coins, and for whoever may spend for it, somebody else pays.
    """
    cold = {address for (address,) in await send(session, _COLD, {"network": network})}
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
    values = {"network": network, "final": final_height, "read_at": read_at, "own": INTERNAL}
    rows = await send(session, _DOUBTFUL, values)
    return frozenset(deposit_id for (deposit_id,) in rows)


_MOVED = """
SELECT tx_hash FROM attempt WHERE network_id = %(network)s AND purpose = ANY(%(house)s)
    AND tx_hash = ANY(string_to_array(%(hashes)s, ','))
    AND NOT coalesce(intent->'sources'->0 ? 'account', false)
"""
_COLD = """
SELECT address FROM application_wallet WHERE network_id = %(network)s AND purpose = 'cold'
"""
_DOUBTFUL = """
SELECT d.id FROM deposit d
WHERE d.network_id = %(network)s AND d.status = 'pending' AND d.block_height <= %(final)s
    AND d.purpose <> %(own)s
    AND (d.sender IN (SELECT address FROM application_wallet WHERE network_id = %(network)s)
        OR d.purpose = 'capital'
            AND (d.sender IN (SELECT address FROM address_pool WHERE network_id = %(network)s)
                OR d.detected_at > CAST(%(read_at)s AS timestamptz)))
    AND NOT EXISTS (SELECT 1 FROM attempt a
        WHERE a.network_id = %(network)s AND a.tx_hash = d.tx_hash)
"""
