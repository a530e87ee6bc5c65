"""Record what a block brought, credit it at finality, take it back when its block is orphaned.

The watcher calls these inside the transaction that moves its cursor; nothing here commits.
Every function may be repeated: identities and journals are unique.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.deposits import repository
from gateway.deposits.documents import deposit_document
from gateway.domain import posting
from gateway.domain.moment import Moment
from gateway.invoices import repository as invoices
from gateway.invoices.standing import Confirmations, emit_invoice, reconsider
from gateway.ledger.service import post
from gateway.models import AddressPool, Currency, Deposit, DepositSighting, Invoice
from gateway.webhooks.outbox import emit


@dataclass(frozen=True, slots=True)
class Arrival:
    """A transfer to an address of ours, in the block that carries it.

    `address` is our stored text of it. `pool` is its row, `genuine` whether the keystore signed
    that row; `capital` means that it is an application wallet.
    """

    network_id: str
    tx_hash: str
    kind: str
    ordinal: int
    currency: Currency
    sender: str
    address: str
    units: int
    pool: AddressPool | None
    genuine: bool
    capital: bool
    block_height: int
    block_hash: str
    block_time: datetime


@dataclass(frozen=True, slots=True)
class Desk:
    """What every deposit use case needs: the transaction, the moment, where links point."""

    session: AsyncSession
    moment: Moment
    public_url: str


async def record(desk: Desk, arrivals: Sequence[Arrival], heads: Confirmations) -> None:
    """Write arrivals of one block or more; move their invoices."""
    touched: dict[str, None] = {}
    for arrival in arrivals:
        deposit, is_news = await _sighted(desk, arrival)
        if deposit.invoice_id is None or not is_news:
            continue
        touched[deposit.invoice_id] = None
        await _emit_deposit(desk, deposit, arrival.currency, "deposit.detected")
    for invoice_id in sorted(touched):
        invoice = await invoices.locked(desk.session, invoice_id)
        await emit_invoice(
            desk.session,
            invoice,
            "invoice.payment_detected",
            desk.moment,
            public_url=desk.public_url,
        )
        await _reconsider(desk, invoice, "a payment was seen in a block", heads)


async def confirm(
    desk: Desk, network: str, final_height: int, heads: Confirmations, *, limit: int = 500
) -> int:
    """Credit pending deposits in final blocks; return how many were credited."""
    deposits = await repository.pending_up_to(desk.session, network, final_height, limit)
    touched: dict[str, None] = {}
    for deposit in deposits:
        currency = await desk.session.get_one(Currency, deposit.currency_id)
        if deposit.invoice_id is not None:
            # The invoice is locked before the wallets: one lock order everywhere.
            await invoices.locked(desk.session, deposit.invoice_id)
            touched[deposit.invoice_id] = None
        deposit.status = "confirmed"
        deposit.confirmed_at = desk.moment.at
        await desk.session.flush()
        await post(desk.session, _journal(deposit), desk.moment)
        if deposit.invoice_id is not None:
            await _emit_deposit(desk, deposit, currency, "deposit.confirmed")
    for invoice_id in sorted(touched):
        invoice = await invoices.locked(desk.session, invoice_id)
        await emit_invoice(
            desk.session,
            invoice,
            "invoice.payment_confirmed",
            desk.moment,
            public_url=desk.public_url,
        )
        await _reconsider(desk, invoice, "a payment became final", heads)
    return len(deposits)


async def orphan(desk: Desk, network: str, above_height: int, heads: Confirmations) -> int:
    """Take pending deposits above a common ancestor off the books; return how many.

    They keep their rows: a new sighting in another block brings one back to `pending`.
    """
    deposits = await repository.pending_above(desk.session, network, above_height)
    await repository.orphan_sightings(desk.session, [deposit.id for deposit in deposits])
    touched: dict[str, None] = {}
    for deposit in deposits:
        deposit.status = "reorged"
        await desk.session.flush()
        if deposit.invoice_id is not None:
            touched[deposit.invoice_id] = None
            currency = await desk.session.get_one(Currency, deposit.currency_id)
            await _emit_deposit(desk, deposit, currency, "deposit.reorged")
    for invoice_id in sorted(touched):
        invoice = await invoices.locked(desk.session, invoice_id)
        await _reconsider(desk, invoice, "the block of a payment was orphaned", heads)
    return len(deposits)


async def deepen(desk: Desk, network: str, heads: Confirmations) -> None:
    """Settle invoices whose merchant accepts a number of confirmations, as the head moves on."""
    for invoice_id in await repository.waiting_for_depth(desk.session, network):
        invoice = await invoices.locked(desk.session, invoice_id)
        await _reconsider(desk, invoice, "enough confirmations for this merchant", heads)


async def _reconsider(desk: Desk, invoice: Invoice, reason: str, heads: Confirmations) -> None:
    await reconsider(
        desk.session,
        invoice,
        desk.moment,
        reason=reason,
        public_url=desk.public_url,
        confirmations=heads,
    )


async def _sighted(desk: Desk, arrival: Arrival) -> tuple[Deposit, bool]:
    """Return the deposit of an arrival and whether the outside has not heard of it."""
    deposit = await repository.by_identity(
        desk.session, arrival.network_id, arrival.tx_hash, arrival.kind, arrival.ordinal
    )
    is_news = deposit is None or deposit.status == "reorged"
    if deposit is None:
        deposit = await _new_deposit(desk, arrival)
    elif deposit.status in ("pending", "reorged"):
        deposit.status = "pending"
        deposit.units = arrival.units
        deposit.block_height = arrival.block_height
        deposit.block_hash = arrival.block_hash
        deposit.block_time = arrival.block_time
        if deposit.invoice_id is not None:
            invoice = await invoices.locked(desk.session, deposit.invoice_id)
            deposit.late = arrival.block_time > invoice.expires_at
    await desk.session.flush()
    sighting = insert(DepositSighting).values(
        deposit_id=deposit.id,
        block_hash=arrival.block_hash,
        block_height=arrival.block_height,
        units=arrival.units,
        orphaned=False,
        seen_at=desk.moment.at,
    )
    await desk.session.execute(
        sighting.on_conflict_do_update(
            index_elements=["deposit_id", "block_hash"], set_={"orphaned": False}
        )
    )
    return deposit, is_news


async def _new_deposit(desk: Desk, arrival: Arrival) -> Deposit:
    pool, invoice = arrival.pool, None
    small = arrival.units < arrival.currency.minimum_deposit_units
    shown = pool is not None and arrival.genuine and not small
    if shown and pool is not None and pool.invoice_id is not None:
        invoice = await invoices.locked(desk.session, pool.invoice_id)
        await desk.session.execute(
            update(AddressPool).where(AddressPool.id == pool.id).values(status="USED")
        )
    purpose, reason = _purpose(arrival, invoice, small=small)
    deposit = Deposit(
        id=desk.moment.id("dep"),
        network_id=arrival.network_id,
        tx_hash=arrival.tx_hash,
        kind=arrival.kind,
        ordinal=arrival.ordinal,
        currency_id=arrival.currency.id,
        units=arrival.units,
        sender=arrival.sender,
        address=arrival.address,
        purpose=purpose,
        merchant_id=invoice.merchant_id if invoice else None,
        invoice_id=invoice.id if invoice else None,
        status="pending",
        reason=reason,
        late=invoice is not None and arrival.block_time > invoice.expires_at,
        block_height=arrival.block_height,
        block_hash=arrival.block_hash,
        block_time=arrival.block_time,
        detected_at=desk.moment.at,
        confirmed_at=None,
    )
    desk.session.add(deposit)
    return deposit


def _purpose(
    arrival: Arrival, invoice: Invoice | None, *, small: bool
) -> tuple[str, str | None]:
    if arrival.capital:
        return "capital", None
    if invoice is not None:
        return "invoice", None
    if not arrival.genuine:
        return "unattributed", "address_unverified"
    return "unattributed", "below_minimum" if small else "address_not_assigned"


def _journal(deposit: Deposit) -> posting.JournalEntry:
    ref = posting.deposit_ref(
        deposit.network_id, deposit.tx_hash, deposit.kind, deposit.ordinal
    )
    if deposit.purpose == "capital":
        return posting.capital(ref, deposit.currency_id, deposit.units)
    return posting.deposit(ref, deposit.merchant_id, deposit.currency_id, deposit.units)


async def _emit_deposit(desk: Desk, deposit: Deposit, currency: Currency, name: str) -> None:
    invoice = await desk.session.get_one(Invoice, deposit.invoice_id)
    await emit(
        desk.session,
        desk.moment,
        type_=name,
        merchant_id=invoice.merchant_id,
        livemode=invoice.livemode,
        subject=deposit.id,
        data={"object": msgspec.to_builtins(deposit_document(deposit, currency))},
    )
