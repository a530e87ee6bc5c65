"""The merchant's API, whole: people, settings, customers, subscriptions, referrals.

Revision ID: 0004
Revises: 0003

Each file has both ways in it, parted by a line `-- downgrade`.
"""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
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
TURN = "\n-- downgrade\n"


def upgrade() -> None:
    for part in PARTS:
        _script(_both_ways(part)[0])


def downgrade() -> None:
    for part in reversed(PARTS):
        _script(_both_ways(part)[1])


def _both_ways(part: str) -> list[str]:
    return (SQL / f"0004_{part}.sql").read_text().split(TURN, maxsplit=1)


def _script(sql: str) -> None:
    # The driver's own cursor takes several statements at once when it is given no parameters.
    op.get_bind().connection.cursor().execute(sql)
