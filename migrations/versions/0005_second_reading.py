"""What a second reading found: rows that are forgotten, ends that stay, walls that were missing.

Revision ID: 0005
Revises: 0004

Each file has both ways in it, parted by a line `-- downgrade`.
"""

from migrations import scripts

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

PARTS = ("1_people", "2_money", "3_deposits")


def upgrade() -> None:
    scripts.upgrade(revision, PARTS)


def downgrade() -> None:
    scripts.downgrade(revision, PARTS)
