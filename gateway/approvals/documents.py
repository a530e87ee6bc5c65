"""What a person sees of an order before saying yes or no."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from gateway.approvals.proofs import Order, order_of
from gateway.domain.addresses import display
from gateway.domain.money import to_text
from gateway.domain.policy import Standing
from gateway.models import (
    AddressBookEntry,
    Approval,
    ApprovalOrder,
    Currency,
    OrderRefusal,
    Withdrawal,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HaveNeed(msgspec.Struct, kw_only=True):
    """How many of the rule's approvers have proved their yes, and how many it takes."""

    have: int
    need: int


class HistoryDocument(msgspec.Struct, kw_only=True):
    """What this merchant has paid to this destination before, in this currency and completed."""

    completed: int
    amount: str
    first_at: datetime | None
    last_at: datetime | None


class BookDocument(msgspec.Struct, kw_only=True):
    """The merchant's own name for the destination."""

    label: str
    usable_at: datetime


class RefusedDocument(msgspec.Struct, kw_only=True):
    """Who said no, why, and when."""

    approver: str
    reason: str
    at: datetime


class OrderDocument(msgspec.Struct, kw_only=True):
    """`order` is what is signed, in base units; all else is said about it by the gateway.

    `status` is `waiting`, `approved` (as many as the policy wants), `refused`, `expired` or
    `ended` (the withdrawal needs nobody any more). `rule` is the policy's rule that decides.
    `own_request` tells the caller that the request is its own. `merchant_name`, `address_book`
    and `history` are the merchant's who pays; without one it is a refund of the house.
    """

    id: str
    object: str
    revision: int
    status: str
    order: Order
    payment_method: str
    currency: str
    decimals: int
    amount: str
    destination: str
    fee_ceiling: str
    fee_currency: str
    merchant_name: str | None
    withdrawal_status: str
    blocked_reason: str | None
    rule: str | None
    approvals: HaveNeed
    approved_by: list[str]
    refused: RefusedDocument | None
    own_request: bool
    address_book: BookDocument | None
    history: HistoryDocument
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Paid:
    """What was paid to a destination before."""

    completed: int
    units: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Told:
    """Everything about one order that its document is made of."""

    row: ApprovalOrder
    withdrawal: Withdrawal
    currency: Currency
    native: Currency
    merchant_name: str | None
    approvals: list[Approval]
    refusal: OrderRefusal | None
    standing: Standing | None
    entry: AddressBookEntry | None
    paid: Paid
    status: str
    own: bool


def order_document(told: Told) -> OrderDocument:
    """Shape one order."""
    row, currency, native = told.row, told.currency, told.native
    standing = told.standing
    return OrderDocument(
        id=row.id,
        object="approval_order",
        revision=row.revision,
        status=told.status,
        order=order_of(row),
        payment_method=currency.id,
        currency=currency.code,
        decimals=currency.decimals,
        amount=to_text(row.units, currency.decimals),
        destination=display(row.destination),
        fee_ceiling=to_text(row.fee_ceiling_units, native.decimals),
        fee_currency=native.code,
        merchant_name=told.merchant_name,
        withdrawal_status=told.withdrawal.status,
        blocked_reason=told.withdrawal.blocked_reason,
        rule=None if standing is None else standing.rule,
        approvals=HaveNeed(
            have=0 if standing is None else standing.have,
            need=0 if standing is None else standing.need,
        ),
        approved_by=[each.approver for each in told.approvals],
        refused=_refused(told.refusal),
        own_request=told.own,
        address_book=_entry(told.entry),
        history=_history(told.paid, currency),
        created_at=row.created_at,
        expires_at=_EPOCH + timedelta(milliseconds=row.expires_ms),
    )


def _refused(refusal: OrderRefusal | None) -> RefusedDocument | None:
    if refusal is None:
        return None
    return RefusedDocument(approver=refusal.approver, reason=refusal.reason, at=refusal.at)


def _entry(entry: AddressBookEntry | None) -> BookDocument | None:
    return None if entry is None else BookDocument(label=entry.label, usable_at=entry.usable_at)


def _history(paid: Paid, currency: Currency) -> HistoryDocument:
    return HistoryDocument(
        completed=paid.completed,
        amount=to_text(paid.units, currency.decimals),
        first_at=paid.first_at,
        last_at=paid.last_at,
    )
