"""What the keystore signed against what our rows say.

Revision ID: 0007
Revises: 0006

Each file has both ways in it, parted by a line `-- downgrade`.
"""

from migrations import scripts

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

PARTS = (
    "1_reconciliation",
    "2_people",
    "4_audit",
    "5_paying",
    "6_referrals",
    "7_strays",
    "8_credits",
    "9_coverage",
    "9_webhooks",
    "10_finality",
    "11_rules",
    "12_behind",
    "13_siblings",
)


def upgrade() -> None:
    scripts.upgrade(revision, PARTS)


def downgrade() -> None:
    scripts.downgrade(revision, PARTS)
