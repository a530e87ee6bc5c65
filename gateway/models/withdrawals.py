"""Money out: what was asked for, our transactions for it, the wallets that pay."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey, Units, UnitsColumn, UnitsOrNone


class Withdrawal(Table):
    """A request to pay `units` to `destination`; what was asked for never changes.

    Without a merchant it is a refund of an unattributed deposit, out of suspense. It may belong to
    a batch, refund an invoice, or be asked for by a payout rule. With a customer, that customer's
    balance pays it.
    """

    __tablename__ = "withdrawal"
    id: Mapped[TextKey]
    merchant_id: Mapped[str | None]
    customer_id: Mapped[str | None]
    livemode: Mapped[bool]
    currency_id: Mapped[str]
    network_id: Mapped[str]
    units: Mapped[UnitsColumn]
    fee_units: Mapped[UnitsColumn]
    destination: Mapped[str]
    reference: Mapped[str | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    status: Mapped[str]
    blocked_reason: Mapped[str | None]
    failure_reason: Mapped[str | None]
    created_by: Mapped[str]
    approved_by: Mapped[str | None]
    rejected_by: Mapped[str | None]
    approvals_have: Mapped[int | None]
    approvals_need: Mapped[int | None]
    tx_hash: Mapped[str | None]
    network_fee_units: Mapped[UnitsOrNone]
    batch_id: Mapped[str | None]
    batch_index: Mapped[int | None]
    invoice_id: Mapped[str | None]
    refund_kind: Mapped[str | None]
    rule_id: Mapped[str | None]
    created_at: Mapped[datetime]
    approved_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class Attempt(Table):
    """One transaction of ours: its intent, then its signed bytes, then its fate.

    `order_id` is what the keystore knows it by: the withdrawal's id, or that of a house's own
    order. Transactions of one order share one place on the chain; `place` counts them from 1.
    """

    __tablename__ = "attempt"
    id: Mapped[TextKey]
    network_id: Mapped[str]
    purpose: Mapped[str]
    withdrawal_id: Mapped[str | None]
    order_id: Mapped[str]
    place: Mapped[int] = mapped_column(default=1)
    sent_height: Mapped[int | None]
    passed_height: Mapped[int | None]
    """Up to where blocks were scanned before we knew it; None once they were read again."""
    intent: Mapped[dict[str, Any]]
    sender: Mapped[str]
    nonce: Mapped[int | None]
    nonce_account: Mapped[str | None]
    nonce_value: Mapped[str | None]
    raw: Mapped[bytes | None]
    tx_hash: Mapped[str | None]
    state: Mapped[str]
    block_height: Mapped[int | None]
    block_hash: Mapped[str | None]
    success: Mapped[bool | None]
    payer_spent_units: Mapped[UnitsOrNone]
    payer_gained_units: Mapped[UnitsColumn] = mapped_column(Units, default=0)
    fee_units: Mapped[UnitsOrNone]
    broadcasts: Mapped[int]
    last_broadcast_at: Mapped[datetime | None]
    last_answer: Mapped[str | None]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class ReopenedOrder(Table):
    """An order that had ended in a block which was given up: its chain judges it again."""

    __tablename__ = "reopened_order"
    order_id: Mapped[TextKey]
    network_id: Mapped[str]
    reopened_at: Mapped[datetime]


class Signature(Table):
    """A payment that the keystore signed, by its number among those of a network."""

    __tablename__ = "signature"
    network_id: Mapped[TextKey]
    number: Mapped[int] = mapped_column(primary_key=True)
    withdrawal_id: Mapped[str]
    tx_hash: Mapped[str]
    noted_at: Mapped[datetime]


class ApplicationWallet(Table):
    """Public half of a wallet of the house: `hot` pays, `gas` tops up, `nonce` is a Solana lane.

    `cold` is the operator's own address: it only takes, and no key of it is here.
    """

    __tablename__ = "application_wallet"
    id: Mapped[TextKey]
    network_id: Mapped[str]
    purpose: Mapped[str]
    address: Mapped[str]
    path: Mapped[str]
    next_nonce: Mapped[int | None]
    created_at: Mapped[datetime]


class ApplicationWalletBalance(Table):
    """What the chain says such a wallet holds."""

    __tablename__ = "application_wallet_balance"
    wallet_id: Mapped[TextKey]
    currency_id: Mapped[TextKey]
    units: Mapped[UnitsColumn]
    updated_at: Mapped[datetime]
