"""Tables only: one module per aggregate, no rule and no query. The schema itself is SQL in `migrations/`."""

from gateway.models.accounts import ApiKey, AuditLog, IdempotencyKey, Merchant, User
from gateway.models.addresses import AddressPool, FreeAddress
from gateway.models.catalog import Currency, Network, NetworkHealth, PriceHistory
from gateway.models.chain import Block, Cursor, Transaction
from gateway.models.columns import Table
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
from gateway.models.webhooks import Event, WebhookDelivery, WebhookEndpoint
from gateway.models.withdrawals import (
    ApplicationWallet,
    ApplicationWalletBalance,
    Attempt,
    Signature,
    Withdrawal,
)

__all__ = [
    "AddressDrift",
    "AddressPool",
    "ApiKey",
    "ApplicationWallet",
    "ApplicationWalletBalance",
    "AssetCheck",
    "AssetHold",
    "Attempt",
    "AuditLog",
    "BalanceHistory",
    "Block",
    "Currency",
    "Cursor",
    "Deposit",
    "DepositSighting",
    "Event",
    "FreeAddress",
    "IdempotencyKey",
    "Invoice",
    "InvoiceTimeline",
    "Journal",
    "Merchant",
    "Network",
    "NetworkHealth",
    "PaymentOption",
    "PriceHistory",
    "Question",
    "Reconciliation",
    "ReconciliationMark",
    "Resolution",
    "Signature",
    "Stray",
    "StrayDay",
    "Table",
    "Transaction",
    "User",
    "Wallet",
    "WebhookDelivery",
    "WebhookEndpoint",
    "Withdrawal",
]
