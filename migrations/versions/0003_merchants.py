"""The merchant's API: webhooks that rotate and replay.

Revision ID: 0003
Revises: 0002

Each file has both ways in it, parted by a line `-- downgrade`.
"""

from migrations import scripts

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PARTS = ("1_webhooks", "2_prices", "3_audit", "4_limits")


def upgrade() -> None:
    scripts.upgrade(revision, PARTS)


def downgrade() -> None:
    scripts.downgrade(revision, PARTS)
