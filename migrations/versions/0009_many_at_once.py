"""What comes by the hundred is written by the hundred.

Revision ID: 0009
Revises: 0008

Each file has both ways in it, parted by a line `-- downgrade`.
"""

from migrations import scripts

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PARTS = ("1_unswept", "20_batches", "30_turns", "31_costs")


def upgrade() -> None:
    scripts.upgrade(revision, PARTS)


def downgrade() -> None:
    scripts.downgrade(revision, PARTS)
