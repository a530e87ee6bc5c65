"""What a second reading found: rows that are forgotten, ends that stay, walls that were missing.

Revision ID: 0005
Revises: 0004

Each file has both ways in it, parted by a line `-- downgrade`.
"""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SQL = Path(__file__).parent.parent / "sql"
PARTS = ("1_people", "2_money", "3_deposits")
TURN = "\n-- downgrade\n"


def upgrade() -> None:
    for part in PARTS:
        _script(_both_ways(part)[0])


def downgrade() -> None:
    for part in reversed(PARTS):
        _script(_both_ways(part)[1])


def _both_ways(part: str) -> list[str]:
    return (SQL / f"0005_{part}.sql").read_text().split(TURN, maxsplit=1)


def _script(sql: str) -> None:
    # The driver's own cursor takes several statements at once when it is given no parameters.
    op.get_bind().connection.cursor().execute(sql)
