"""What the world sees of balances, their entries, and the house's wallets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from gateway.domain.money import to_text
from gateway.models import (
    ApplicationWallet,
    ApplicationWalletBalance,
    BalanceHistory,
    Currency,
    Journal,
)


@dataclass(frozen=True, slots=True)
class Balance:
    """Base units of one merchant in one currency; `pending` is seen on chain and not final."""

    currency: Currency
    confirmed: int
    locked: int
    pending: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One posting with the journal it belongs to."""

    row: BalanceHistory
    journal: Journal
    currency: Currency

    @property
    def id(self) -> str:
        """Return a name that counts per merchant and currency and tells nothing of others."""
        return f"bal_{self.row.currency_id}_{self.row.version}"


class BalanceDocument(msgspec.Struct, kw_only=True):
    """One balance: decimal strings in whole coins, `*_atomic` in base units.

    `confirmed` is what can be withdrawn now (`available` is its other name), `locked` is held
    for withdrawals on their way, `pending` has been seen and is not final.
    """

    object: str
    payment_method: str
    currency: str
    network: str
    available: str
    available_atomic: str
    confirmed: str
    confirmed_atomic: str
    locked: str
    locked_atomic: str
    pending: str
    pending_atomic: str


class MovementDocument(msgspec.Struct, kw_only=True):
    """How one part of a balance moved."""

    change: str
    change_atomic: str
    before: str
    after: str


class JournalDocument(msgspec.Struct, kw_only=True):
    """The event that moved it: `deposit`, `hold`, `release`, `settle`; `ref` names its object."""

    kind: str
    ref: str


class EntryDocument(msgspec.Struct, kw_only=True):
    """One balance entry; a reversal is a new entry, none is ever changed."""

    id: str
    object: str
    type: str
    payment_method: str
    currency: str
    network: str
    confirmed: MovementDocument
    locked: MovementDocument
    journal: JournalDocument
    created_at: datetime


class HoldingDocument(msgspec.Struct, kw_only=True):
    """What the chain says a wallet holds of one currency."""

    payment_method: str
    currency: str
    amount: str
    amount_atomic: str
    updated_at: datetime


class ApplicationWalletDocument(msgspec.Struct, kw_only=True):
    """A wallet of the house: `hot` pays, `gas` tops up, `nonce` is a lane for payouts."""

    id: str
    object: str
    network: str
    purpose: str
    address: str
    balances: list[HoldingDocument]
    created_at: datetime


def balance_document(balance: Balance) -> BalanceDocument:
    """Shape one balance."""
    decimals = balance.currency.decimals
    return BalanceDocument(
        object="balance",
        payment_method=balance.currency.id,
        currency=balance.currency.code,
        network=balance.currency.network_id,
        available=to_text(balance.confirmed, decimals),
        available_atomic=str(balance.confirmed),
        confirmed=to_text(balance.confirmed, decimals),
        confirmed_atomic=str(balance.confirmed),
        locked=to_text(balance.locked, decimals),
        locked_atomic=str(balance.locked),
        pending=to_text(balance.pending, decimals),
        pending_atomic=str(balance.pending),
    )


def entry_document(entry: Entry) -> EntryDocument:
    """Shape one entry."""
    row, decimals = entry.row, entry.currency.decimals
    return EntryDocument(
        id=entry.id,
        object="balance_entry",
        type=row.change_type.lower(),
        payment_method=entry.currency.id,
        currency=entry.currency.code,
        network=entry.currency.network_id,
        confirmed=_movement(row.delta_confirmed, row.confirmed_before, decimals),
        locked=_movement(row.delta_locked, row.locked_before, decimals),
        journal=JournalDocument(kind=entry.journal.kind, ref=entry.journal.ref),
        created_at=row.at,
    )


def wallet_document(
    wallet: ApplicationWallet,
    holdings: Sequence[tuple[ApplicationWalletBalance, Currency]],
) -> ApplicationWalletDocument:
    """Shape one wallet of the house with what it holds."""
    return ApplicationWalletDocument(
        id=wallet.id,
        object="application_wallet",
        network=wallet.network_id,
        purpose=wallet.purpose,
        address=wallet.address,
        balances=[
            HoldingDocument(
                payment_method=currency.id,
                currency=currency.code,
                amount=to_text(holding.units, currency.decimals),
                amount_atomic=str(holding.units),
                updated_at=holding.updated_at,
            )
            for holding, currency in holdings
        ],
        created_at=wallet.created_at,
    )


def _movement(delta: int, before: int, decimals: int) -> MovementDocument:
    return MovementDocument(
        change=to_text(delta, decimals),
        change_atomic=str(delta),
        before=to_text(before, decimals),
        after=to_text(before + delta, decimals),
    )
