"""Every invoice is looked at for the last time when its monitoring ends.

Revision ID: 0010
Revises: 0009

The file has both ways in it, parted by a line `-- downgrade`.
"""

from migrations import scripts

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

PARTS = ("1_monitoring",)


def upgrade() -> None:
    scripts.upgrade(revision, PARTS)


def downgrade() -> None:
    scripts.downgrade(revision, PARTS)
