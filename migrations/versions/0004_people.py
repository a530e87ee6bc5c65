"""The merchant's API, whole: people, settings, customers, subscriptions, referrals.

Revision ID: 0004
Revises: 0003

Each file has both ways in it, parted by a line `-- downgrade`.
"""

from migrations import scripts

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PARTS = (
    "1_ledger",
    "2_people",
    "3_merchants",
    "4_notifications",
    "5_usage",
    "6_invoices",
    "7_customers",
    "8_subscriptions",
    "9_referrals",
    "10_factors",
)


def upgrade() -> None:
    scripts.upgrade(revision, PARTS)


def downgrade() -> None:
    scripts.downgrade(revision, PARTS)
