"""The first schema: catalogue, accounts, ledger, money in, money out, webhooks, roles.

Revision ID: 0001
Revises:
"""

from migrations import scripts

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PARTS = (
    "1_catalog_accounts",
    "2_ledger",
    "3_money_in",
    "4_money_out",
    "5_webhooks",
    "6_roles",
    "7_coverage",
    "8_misdirected",
    "9_reconciliation",
    "10_questions",
)
TABLES = (
    "asset_check",
    "asset_hold",
    "reconciliation_mark",
    "address_drift",
    "reconciliation",
    "question",
    "resolution",
    "stray_day",
    "stray",
    "webhook_delivery",
    "event",
    "webhook_endpoint",
    "signature",
    "attempt",
    "withdrawal",
    "application_wallet_balance",
    "application_wallet",
    "deposit_sighting",
    "deposit",
    "transaction",
    "cursor",
    "block",
    "invoice_timeline",
    "payment_option",
    "free_address",
    "address_pool",
    "invoice",
    "balance_history",
    "journal",
    "wallet",
    "idempotency_key",
    "audit_log",
    "api_key",
    "users",
    "merchant",
    "price_history",
    "network_health",
    "currency",
    "network",
)
FUNCTIONS = (
    "lock_deposits()",
    "count_once()",
    "coverage_gaps(text)",
    "check_refund()",
    "guard_resolution()",
    "is_operator()",
    "is_own_address(text, text)",
    "check_withdrawal_journal()",
    "guard_attempt()",
    "guard_withdrawal()",
    "invoice_merchant(text)",
    "free_addresses(text)",
    "claim_address(text, text, timestamptz)",
    "check_journal()",
    "guard_wallet()",
    "post_balance()",
    "authenticate_key(bytea, timestamptz)",
    "refuse_change()",
    "current_merchant()",
)


def upgrade() -> None:
    scripts.upgrade(revision, PARTS)


def downgrade() -> None:
    scripts.run(
        "".join(f"DROP TABLE {name} CASCADE;" for name in TABLES)
        + "".join(f"DROP FUNCTION {name};" for name in FUNCTIONS)
        + "DROP DOMAIN signed_units; DROP DOMAIN units;"
    )
