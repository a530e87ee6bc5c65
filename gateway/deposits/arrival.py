"""A transfer that arrived, and the deposit row that it becomes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.deposits import attribution
from gateway.deposits.owners import owner_of
from gateway.domain.moment import Moment
from gateway.models import AddressPool, Currency, Deposit, Invoice

HANDED_OVER = (
    *("currency_id", "sender", "address", "purpose"),
    *("merchant_id", "invoice_id", "customer_id", "reason", "late"),
)
"""What of a deposit hangs on its recipient and its asset."""
NAMES = tuple(column.key for column in Deposit.__mapper__.column_attrs)
FORGOTTEN = "forgotten"
"""Reason of a deposit that was final in a block which its chain no longer has. A sighting brings it
back, and it is credited anew."""


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


def is_forgotten(deposit: Deposit) -> bool:
    """Tell whether its final block was given up."""
    return (deposit.status, deposit.reason) == ("rejected", FORGOTTEN)


def come_back(deposit: Deposit, other: Deposit, *, decided: bool) -> None:
    """Let a forgotten deposit that has moved be whose it was, and say of nobody's why it is that.

    What operators decided about it stays decided, also where it is dust: they cannot do so again.
    """
    if deposit.purpose in {"unattributed", "refund"}:
        # Its address may have become somebody's since.
        deposit.reason = other.reason or attribution.UNASSIGNED
    elif decided or deposit.purpose not in attribution.OWNED:
        deposit.reason = None


def hand_over(deposit: Deposit, other: Deposit) -> None:
    """Let a deposit be whose it is now: in its new block the transaction paid somebody else."""
    for name in HANDED_OVER:
        setattr(deposit, name, getattr(other, name))


def move(deposit: Deposit, arrival: Arrival, owners: dict[str, Invoice]) -> None:
    """Let a deposit that is not final stand where it was seen now."""
    deposit.status = "pending"
    deposit.units = arrival.units
    if deposit.purpose in attribution.OWNED:
        small = arrival.units < arrival.currency.minimum_deposit_units
        deposit.reason = attribution.SMALL if small else None
    deposit.block_height = arrival.block_height
    deposit.block_hash = arrival.block_hash
    deposit.block_time = arrival.block_time
    if deposit.invoice_id is not None:
        deposit.late = arrival.block_time > owners[deposit.invoice_id].expires_at


def new_deposit(
    desk: Desk,
    arrival: Arrival,
    owners: dict[str, Invoice],
    accepted: Collection[tuple[str, str]],
) -> Deposit:
    """Return the row of an arrival; `accepted` are (invoice, currency) pairs that may be paid."""
    owner = owner_of(arrival.pool, owners)
    # A permanent address takes whatever is listed on its network; an invoice what it offers.
    payable = owner is not None and (
        owner.customer_id is not None or (owner.invoice_id, arrival.currency.id) in accepted
    )
    purpose, reason = attribution.purpose(
        capital=arrival.capital,
        genuine=arrival.genuine,
        assigned=owner is not None,
        accepted=payable,
        small=arrival.units < arrival.currency.minimum_deposit_units,
        theirs="" if owner is None else owner.purpose,
    )
    whose = owner if owner is not None and purpose == owner.purpose else None
    invoice = None if whose is None else whose.invoice
    return _unwatched(
        id=desk.moment.id("dep"),
        network_id=arrival.network_id,
        tx_hash=arrival.tx_hash,
        kind=arrival.kind,
        ordinal=arrival.ordinal,
        currency_id=arrival.currency.id,
        units=arrival.units,
        fee_units=0,
        reversals=0,
        sender=arrival.sender,
        address=arrival.address,
        purpose=purpose,
        merchant_id=whose.merchant_id if whose else None,
        invoice_id=whose.invoice_id if whose else None,
        customer_id=whose.customer_id if whose else None,
        status="pending",
        reason=reason,
        late=invoice is not None and arrival.block_time > invoice.expires_at,
        block_height=arrival.block_height,
        block_hash=arrival.block_hash,
        block_time=arrival.block_time,
        detected_at=desk.moment.at,
        confirmed_at=None,
    )


def _unwatched(**values: Any) -> Deposit:
    """Return a row whose columns are as if they had been read: it is written as one value.

    To note each of them as a change takes longer than all else that makes a deposit.
    """
    deposit = Deposit()
    vars(deposit).update((name, values[name]) for name in NAMES)
    return deposit
