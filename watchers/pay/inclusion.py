"""Which of our transactions stand in a block, and which no longer do: our own scan alone says so."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import Database, send
from gateway.domain.moment import Moment
from gateway.models import Attempt, Transaction
from watchers import crash
from watchers.chain import asset_key
from watchers.network import Block
from watchers.pay.keepers import CANCEL, keeper_of
from watchers.pay.transactions import LIVE


async def own_hashes(session: AsyncSession, network: str) -> dict[str, str]:
    """Return the hashes of our transactions that may still land, each with its attempt's id.

    A set-up that was given up is among them: its blockhash is dead by our clock only. So is the
    cancel of an order of the house that had been carried out and waits for a block again
    (`watchers.pay.again`): it is not sent, but somebody may.
    """
    rows = await send(session, _OWN, {"network": network, "live": list(LIVE)})
    return {row[0]: row[1] for row in rows}


async def own_now(database: Database, network: str) -> frozenset[str]:
    """Return the hashes alone, read in a transaction of their own."""
    rows = await database.ask(_OWN, {"network": network, "live": list(LIVE)})
    return frozenset(row[0] for row in rows)


async def observe(
    session: AsyncSession, blocks: Sequence[Block], own: dict[str, str], moment: Moment
) -> None:
    """Note which of our transactions stand in these blocks and how each ended."""
    for block in blocks:
        for tx_hash in [each for each in own if each in block.outcomes]:
            await _include(session, block, own[tx_hash], moment)


async def _include(
    session: AsyncSession, block: Block, attempt_id: str, moment: Moment
) -> None:
    crash.around_commit(session, "payout.included")
    attempt = await session.get_one(
        Attempt, attempt_id, with_for_update=True, populate_existing=True
    )
    tx_hash = attempt.tx_hash or ""
    outcome = block.outcomes[tx_hash]
    attempt.state = "included"
    attempt.block_height, attempt.block_hash = block.ref.height, block.ref.hash
    attempt.payer_spent_units = outcome.payer_spent_units
    attempt.payer_gained_units = outcome.payer_gained_units
    attempt.fee_units = outcome.fee_units
    # A success that shows another transfer is not a failure: only a person may judge it.
    attempt.success = None if outcome.success and not paid(block, attempt) else outcome.success
    await session.flush()
    await write_transaction(session, attempt.network_id, block, tx_hash, moment)
    await (await keeper_of(session, attempt)).included(session, attempt, moment)


def paid(block: Block, attempt: Attempt, tx_hash: str | None = None) -> bool:
    """Tell whether the block shows the very transfer that the intent asked for.

    `tx_hash` is another transaction that may have made it.
    """
    if attempt.purpose != "payout":
        return True
    intent = attempt.intent
    asset = asset_key(intent["asset"])
    return any(
        transfer.tx_hash == (tx_hash or attempt.tx_hash)
        and transfer.asset == asset
        and transfer.recipient == asset_key(intent["to"])
        and transfer.units == int(intent["units"])
        for transfer in block.transfers
    )


async def write_transaction(
    session: AsyncSession, network: str, block: Block, tx_hash: str, moment: Moment
) -> None:
    """Keep one outgoing transaction with its block and what it cost, as the block now says."""
    where = {
        "block_height": block.ref.height,
        "block_hash": block.ref.hash,
        "block_time": block.ref.time,
        "payer_spent_units": block.outcomes[tx_hash].payer_spent_units,
        "status": "pending",
    }
    statement = insert(Transaction).values(
        id=moment.id("trx"),
        network_id=network,
        tx_hash=tx_hash,
        direction="outgoing",
        seen_at=moment.at,
        **where,
    )
    await session.execute(
        statement.on_conflict_do_update(index_elements=["network_id", "tx_hash"], set_=where)
    )


async def orphan(session: AsyncSession, network: str, above: int, moment: Moment) -> None:
    """Bring our transactions in orphaned blocks back to `signed`: they are sent again."""
    query = (
        select(Attempt)
        .where(
            Attempt.network_id == network,
            Attempt.state == "included",
            Attempt.block_height > above,
        )
        .order_by(Attempt.id)
        .with_for_update()
    )
    for attempt in await session.scalars(query):
        # A cancel that is only looked for had ended before; were it signed, it would be sent.
        looked_for = attempt.purpose == CANCEL and attempt.ended_at is not None
        attempt.state = "replaced" if looked_for else "signed"
        attempt.block_height, attempt.block_hash = None, None
        attempt.success, attempt.payer_spent_units = None, None
        attempt.payer_gained_units, attempt.fee_units = 0, None
        await session.flush()
        await (await keeper_of(session, attempt)).orphaned(session, attempt, moment)
    await session.execute(
        update(Transaction)
        .where(Transaction.network_id == network, Transaction.block_height > above)
        .values(status="orphaned")
    )


_OWN = """
SELECT tx_hash, id FROM attempt
WHERE network_id = %(network)s AND tx_hash IS NOT NULL
    AND (state = ANY(%(live)s) OR purpose = 'setup' AND block_hash IS NULL)
UNION
SELECT c.tx_hash, c.id FROM reopened_order r
    JOIN attempt c ON c.order_id = r.order_id AND c.purpose = 'cancel' AND c.state = 'replaced'
WHERE r.network_id = %(network)s AND c.tx_hash IS NOT NULL
    AND EXISTS (SELECT 1 FROM attempt o WHERE o.order_id = r.order_id AND o.state = ANY(%(live)s))
"""
