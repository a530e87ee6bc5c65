"""What one node's word did, and what undoes it.

Revision ID: 0008
Revises: 0007

Each file has both ways in it, parted by a line `-- downgrade`.
"""

from migrations import scripts

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

PARTS = ("1_reopen", "2_sequence", "3_room", "4_turning")


def upgrade() -> None:
    scripts.upgrade(revision, PARTS)


def downgrade() -> None:
    scripts.downgrade(revision, PARTS)
