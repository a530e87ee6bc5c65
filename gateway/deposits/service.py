"""Record what a block brought, and credit it at finality.

The watcher calls these inside the transaction that moves its cursor; nothing here commits.
Every function may be repeated: identities and journals are unique.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.deposits import attribution, repository, writing
from gateway.deposits.announcements import (
    announce,
    announce_balances,
    announce_unmatched,
)
from gateway.deposits.arrival import (
    Arrival,
    Desk,
    come_back,
    hand_over,
    is_forgotten,
    move,
    new_deposit,
)
from gateway.deposits.fees import charge
from gateway.domain import posting
from gateway.invoices import repository as invoices
from gateway.invoices.standing import Confirmations, emit_invoice, reconsider
from gateway.ledger.service import post_run
from gateway.models import Deposit, Invoice

BATCH = 500
"""So many deposits are credited at a time; where so many were, there may be more."""
INTERNAL = "internal"
"""Purpose of what moved from one address of the house to another: nobody is credited."""

__all__ = [
    "BATCH",
    "INTERNAL",
    "Arrival",
    "Desk",
    "confirm",
    "deepen",
    "judge",
    "record",
]


async def record(desk: Desk, arrivals: Sequence[Arrival], heads: Confirmations) -> None:
    """Write arrivals of one block or more; move their invoices.

    However many there are, rows are written with a few statements.
    """
    if not arrivals:
        return
    session, moment = desk.session, desk.moment
    known = await writing.by_identity(
        session, arrivals[0].network_id, {arrival.tx_hash for arrival in arrivals}
    )
    owners = await _owners(session, arrivals, known.values())
    accepted = await repository.accepted(session, owners) if owners else set()
    decided = await _decided(session, known.values())
    made, again = list[Deposit](), list[Deposit]()
    stood = {d.id: (d.invoice_id, d.units) for d in known.values() if d.status == "pending"}
    for arrival in arrivals:
        place = arrival.tx_hash, arrival.kind, arrival.ordinal
        deposit = known.get(place)
        if deposit is None:
            deposit = known[place] = new_deposit(desk, arrival, owners, accepted)
            made.append(deposit)
        elif (back := is_forgotten(deposit)) or deposit.status in ("pending", "reorged"):
            again += [deposit] * (deposit.status != "pending")
            if (deposit.address, deposit.currency_id) != (arrival.address, arrival.currency.id):
                hand_over(deposit, new_deposit(desk, arrival, owners, accepted))
                back = False
            move(deposit, arrival, owners)
            if back:
                other = new_deposit(desk, arrival, owners, accepted)
                come_back(deposit, other, decided=deposit.id in decided)
    await session.flush()
    refused = await writing.add(session, made)
    refused |= await writing.counted_elsewhere(session, [deposit.id for deposit in again])
    for deposit in (*made, *again):
        if deposit.id in refused:
            await session.refresh(deposit)
    news = [deposit for deposit in (*made, *again) if deposit.id not in refused]
    seen = [
        (known[a.tx_hash, a.kind, a.ordinal], a.block_hash, a.block_height) for a in arrivals
    ]
    await writing.add_sightings(session, seen, moment.at)
    await writing.use_addresses(session, {a.pool.id for a in arrivals if a.pool is not None})
    await writing.supersede_strays(session, arrivals, news)
    weighed = await attribution.weigh(session, arrivals[0].network_id, known.values(), moment)
    await announce(session, news, "deposit.detected", moment, heads)
    shown = {a.pool.address: a.pool.invoice_id for a in arrivals if a.pool is not None}
    unmatched = [
        (d, owners[shown[d.address] or ""]) for d in news if d.reason == attribution.WRONG_ASSET
    ]
    await announce_unmatched(session, unmatched, moment, heads)
    touched = weighed.invoices | {d.invoice_id for d in news if d.invoice_id is not None}
    await judge(
        desk,
        touched,
        "a payment was seen in a block",
        heads,
        tell_as="invoice.payment_detected",
    )
    await judge(desk, _turned(stood, known.values()) - touched, "a payment changed", heads)


async def confirm(
    desk: Desk,
    network: str,
    final_height: int,
    heads: Confirmations,
    *,
    held: Collection[str] = (),
) -> int:
    """Credit pending deposits in final blocks, but those `held` back; return how many."""
    session, moment = desk.session, desk.moment
    deposits = await repository.pending_up_to(session, network, final_height, BATCH, held)
    if not deposits:
        return 0
    # Invoices are locked before wallets: one lock order everywhere.
    paid = {deposit.invoice_id for deposit in deposits if deposit.invoice_id is not None}
    if paid:
        await invoices.locked_many(session, paid)
    await writing.mark_confirmed(session, deposits, moment.at)
    weighed = await attribution.weigh(session, network, deposits, moment)
    await charge(session, [each for each in deposits if each.id not in weighed.waiting])
    entries = [
        _journal(each, waits=each.id in weighed.waiting)
        for each in deposits
        if each.purpose != INTERNAL
    ]
    entries += await _fees(session, [each for each in deposits if each.purpose == INTERNAL])
    await post_run(session, entries, moment)
    await announce(session, deposits, "deposit.confirmed", moment, heads)
    credited = [each for each in deposits if each.id not in weighed.waiting]
    await announce_balances(session, [*credited, *weighed.credited], moment)
    paid |= weighed.invoices
    await judge(
        desk, paid, "a payment became final", heads, tell_as="invoice.payment_confirmed"
    )
    return len(deposits)


async def deepen(desk: Desk, network: str, heads: Confirmations) -> None:
    """Settle invoices whose merchant accepts a number of confirmations, as the head moves on."""
    waiting = await repository.waiting_for_depth(desk.session, network)
    await judge(desk, waiting, "enough confirmations for this merchant", heads)


async def judge(
    desk: Desk,
    invoice_ids: Iterable[str],
    reason: str,
    heads: Confirmations,
    *,
    tell_as: str | None = None,
) -> None:
    """Judge invoices anew, in one order everywhere; with `tell_as` say first what happened."""
    for invoice_id in sorted(set(invoice_ids)):
        invoice = await invoices.locked(desk.session, invoice_id)
        if tell_as is not None:
            await emit_invoice(
                desk.session, invoice, tell_as, desk.moment, public_url=desk.public_url
            )
        await reconsider(
            desk.session,
            invoice,
            desk.moment,
            reason=reason,
            public_url=desk.public_url,
            confirmations=heads,
        )


def _turned(
    stood: Mapping[str, tuple[str | None, int]], deposits: Iterable[Deposit]
) -> set[str]:
    """Return the invoices of pending deposits that are another's, or another amount, than before."""
    now = {d.id: (d.invoice_id, d.units) for d in deposits if d.id in stood}
    pairs = [(stood[each], now[each]) for each in now if now[each] != stood[each]]
    return {invoice for pair in pairs for invoice, _ in pair if invoice is not None}


async def _decided(session: AsyncSession, known: Collection[Deposit]) -> set[str]:
    """Return which of those that come back an operator had assigned."""
    forgotten = [each.id for each in known if is_forgotten(each)]
    return await repository.assigned(session, forgotten) if forgotten else set()


async def _owners(
    session: AsyncSession, arrivals: Sequence[Arrival], known: Collection[Deposit]
) -> dict[str, Invoice]:
    """Lock and return the invoices that these arrivals may concern, by id."""
    ids = {deposit.invoice_id for deposit in known if deposit.invoice_id is not None}
    for arrival in arrivals:
        if arrival.pool is not None and arrival.pool.invoice_id is not None:
            ids.add(arrival.pool.invoice_id)
    return await invoices.locked_many(session, ids) if ids else {}


async def _fees(session: AsyncSession, moved: Sequence[Deposit]) -> list[posting.JournalEntry]:
    """Return what the network took for bringing money back from cold storage: custody pays it."""
    entries = {}
    for deposit in moved:
        ref = f"{deposit.network_id}:{deposit.tx_hash}"
        fee = await repository.fee_of(session, deposit.network_id, deposit.tx_hash)
        if fee is not None:
            entries[ref] = posting.network_fee(ref, *fee)
    return list(entries.values())


def _journal(deposit: Deposit, *, waits: bool) -> posting.JournalEntry:
    """Return the posting of a final deposit; one that `waits` goes to suspense."""
    ref = attribution.ref_of(deposit)
    if deposit.purpose == "capital":
        return posting.capital(ref, deposit.currency_id, deposit.units)
    return posting.deposit(
        ref,
        None if waits else deposit.merchant_id,
        deposit.currency_id,
        deposit.units,
        fee_units=deposit.fee_units,
        customer_id=None if waits else deposit.customer_id,
    )
