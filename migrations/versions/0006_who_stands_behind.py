"""Who stands behind a key, what real money hangs on, and what is shared of a payment.

Revision ID: 0006
Revises: 0005

Each file has both ways in it, parted by a line `-- downgrade`.
"""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
PARTS = ("1_people", "2_pay", "3_reconciliation", "5_referrals")
TURN = "\n-- downgrade\n"


def upgrade() -> None:
    for part in PARTS:
        _script(_both_ways(part)[0])


def downgrade() -> None:
    for part in reversed(PARTS):
        _script(_both_ways(part)[1])


def _both_ways(part: str) -> list[str]:
    return (SQL / f"0006_{part}.sql").read_text().split(TURN, maxsplit=1)


def _script(sql: str) -> None:
    # The driver's own cursor takes several statements at once when it is given no parameters.
    op.get_bind().connection.cursor().execute(sql)
