"""Who stands behind a key, what real money hangs on, and what is shared of a payment.

Revision ID: 0006
Revises: 0005

Each file has both ways in it, parted by a line `-- downgrade`.
"""

from migrations import scripts

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PARTS = ("1_people", "2_pay", "3_reconciliation", "5_referrals")


def upgrade() -> None:
    scripts.upgrade(revision, PARTS)


def downgrade() -> None:
    scripts.downgrade(revision, PARTS)
