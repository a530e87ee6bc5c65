"""Money out, whole: replacements, approvals, sweeps, requests.

Revision ID: 0002
Revises: 0001

Each file has both ways in it, parted by a line `-- downgrade`.
"""

from migrations import scripts

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PARTS = ("1_attempts", "2_approvals", "3_sweeps", "4_requests")


def upgrade() -> None:
    scripts.upgrade(revision, PARTS)


def downgrade() -> None:
    scripts.downgrade(revision, PARTS)
