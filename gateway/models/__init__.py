"""Tables only: one module per aggregate, no rule and no query. The schema itself is SQL in `migrations/`."""

from gateway.models.accounts import (
    ApiKey,
    AuditLink,
    AuditLog,
    AuditPending,
    IdempotencyKey,
    Invitation,
    Merchant,
    OneTimeToken,
    RateWindow,
    RefusedSignIn,
    SignInAttempt,
    User,
    UserSession,
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
from gateway.models.catalog import (
    Currency,
    Network,
    NetworkCondition,
    NetworkHealth,
    PriceHistory,
)
from gateway.models.chain import Block, Cursor, Transaction
from gateway.models.columns import Table
from gateway.models.customers import Customer, CustomerTransfer
from gateway.models.deposits import Deposit, DepositSighting
from gateway.models.factors import Passkey, PasskeyChallenge, RecoveryCode, Totp
from gateway.models.invoices import (
    Invoice,
    InvoiceTimeline,
    InvoiceWord,
    PaymentOption,
    PaymentOptionRate,
    ReceiptRate,
    Simulation,
)
from gateway.models.ledger import BalanceHistory, Journal, Wallet
from gateway.models.merchants import MerchantSettings, RequestNonce
from gateway.models.misdirected import Resolution, Stray, StrayDay
from gateway.models.notifications import (
    Notification,
    NotificationCursor,
    NotificationTarget,
)
from gateway.models.questions import Question
from gateway.models.reconciliation import (
    AddressDrift,
    AssetCheck,
    AssetHold,
    Reconciliation,
    ReconciliationMark,
    SignatureDrift,
    SignatureMark,
)
from gateway.models.referrals import (
    Commission,
    CommissionPot,
    CustomerPaid,
    Referral,
    ReferralCode,
    ReferralSchedule,
)
from gateway.models.requests import (
    AddressBookEntry,
    FeeQuote,
    PayoutRule,
    WithdrawalBatch,
    WithdrawalSettings,
)
from gateway.models.subscriptions import Package, Subscription, SubscriptionPeriod
from gateway.models.sweeps import Sweep, Unswept
from gateway.models.usage import UsageDay, UsageHour
from gateway.models.webhooks import Event, WebhookDelivery, WebhookEndpoint
from gateway.models.withdrawals import (
    ApplicationWallet,
    ApplicationWalletBalance,
    Attempt,
    ReopenedOrder,
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
    "Commission",
    "CommissionPot",
    "Currency",
    "Cursor",
    "Customer",
    "CustomerPaid",
    "CustomerTransfer",
    "Deposit",
    "DepositSighting",
    "Event",
    "FeeQuote",
    "FreeAddress",
    "IdempotencyKey",
    "Invitation",
    "Invoice",
    "InvoiceTimeline",
    "InvoiceWord",
    "Journal",
    "Merchant",
    "MerchantSettings",
    "Network",
    "NetworkCondition",
    "NetworkHealth",
    "Notification",
    "NotificationCursor",
    "NotificationTarget",
    "OneTimeToken",
    "OrderRefusal",
    "Package",
    "Passkey",
    "PasskeyChallenge",
    "Pause",
    "PaymentOption",
    "PaymentOptionRate",
    "PayoutRule",
    "PolicySnapshot",
    "PriceHistory",
    "Question",
    "RateWindow",
    "ReceiptRate",
    "Reconciliation",
    "ReconciliationMark",
    "RecoveryCode",
    "Referral",
    "ReferralCode",
    "ReferralSchedule",
    "RefusedSignIn",
    "ReopenedOrder",
    "RequestNonce",
    "Resolution",
    "SignInAttempt",
    "Signature",
    "SignatureDrift",
    "SignatureMark",
    "Simulation",
    "Stray",
    "StrayDay",
    "Subscription",
    "SubscriptionPeriod",
    "Sweep",
    "Table",
    "Totp",
    "Transaction",
    "Unswept",
    "UsageDay",
    "UsageHour",
    "User",
    "UserSession",
    "Wallet",
    "WebhookDelivery",
    "WebhookEndpoint",
    "Withdrawal",
    "WithdrawalBatch",
    "WithdrawalSettings",
]
