"""Tables only: one module per aggregate, no rule and no query. The schema itself is SQL in `migrations/`."""

from gateway.models.accounts import (
    ApiKey,
    AuditLink,
    AuditLog,
    AuditPending,
    IdempotencyKey,
    Merchant,
    RateWindow,
    User,
)
from gateway.models.addresses import AddressPool, FreeAddress
from gateway.models.approvals import (
    Approval,
    ApprovalOrder,
    OrderRefusal,
    Pause,
    PolicySnapshot,
)
from gateway.models.cancels import CancelRequest
from gateway.models.catalog import Currency, Network, NetworkHealth, PriceHistory
from gateway.models.chain import Block, Cursor, Transaction
from gateway.models.columns import Table
from gateway.models.customers import Customer
from gateway.models.deposits import Deposit, DepositSighting
from gateway.models.invoices import Invoice, InvoiceTimeline, PaymentOption
from gateway.models.ledger import BalanceHistory, Journal, Wallet
from gateway.models.misdirected import Resolution, Stray, StrayDay
from gateway.models.questions import Question
from gateway.models.reconciliation import (
    AddressDrift,
    AssetCheck,
    AssetHold,
    Reconciliation,
    ReconciliationMark,
)
from gateway.models.requests import (
    AddressBookEntry,
    FeeQuote,
    PayoutRule,
    WithdrawalBatch,
    WithdrawalSettings,
)
from gateway.models.sweeps import Sweep, Unswept
from gateway.models.webhooks import Event, WebhookDelivery, WebhookEndpoint
from gateway.models.withdrawals import (
    ApplicationWallet,
    ApplicationWalletBalance,
    Attempt,
    Signature,
    Withdrawal,
)

__all__ = [
    "AddressBookEntry",
    "AddressDrift",
    "AddressPool",
    "ApiKey",
    "ApplicationWallet",
    "ApplicationWalletBalance",
    "Approval",
    "ApprovalOrder",
    "AssetCheck",
    "AssetHold",
    "Attempt",
    "AuditLink",
    "AuditLog",
    "AuditPending",
    "BalanceHistory",
    "Block",
    "CancelRequest",
    "Currency",
    "Cursor",
    "Customer",
    "Deposit",
    "DepositSighting",
    "Event",
    "FeeQuote",
    "FreeAddress",
    "IdempotencyKey",
    "Invoice",
    "InvoiceTimeline",
    "Journal",
    "Merchant",
    "Network",
    "NetworkHealth",
    "OrderRefusal",
    "Pause",
    "PaymentOption",
    "PayoutRule",
    "PolicySnapshot",
    "PriceHistory",
    "Question",
    "RateWindow",
    "Reconciliation",
    "ReconciliationMark",
    "Resolution",
    "Signature",
    "Stray",
    "StrayDay",
    "Sweep",
    "Table",
    "Transaction",
    "Unswept",
    "User",
    "Wallet",
    "WebhookDelivery",
    "WebhookEndpoint",
    "Withdrawal",
    "WithdrawalBatch",
    "WithdrawalSettings",
]
