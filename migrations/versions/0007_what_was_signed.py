"""What the keystore signed against what our rows say.

Revision ID: 0007
Revises: 0006

Each file has both ways in it, parted by a line `-- downgrade`.
"""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
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
TURN = "\n-- downgrade\n"


def upgrade() -> None:
    for part in PARTS:
        _script(_both_ways(part)[0])


def downgrade() -> None:
    for part in reversed(PARTS):
        _script(_both_ways(part)[1])


def _both_ways(part: str) -> list[str]:
    return (SQL / f"0007_{part}.sql").read_text().split(TURN, maxsplit=1)


def _script(sql: str) -> None:
    # The driver's own cursor takes several statements at once when it is given no parameters.
    op.get_bind().connection.cursor().execute(sql)
