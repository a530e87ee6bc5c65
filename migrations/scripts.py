"""How a revision runs its files: plain SQL, both ways in one file, parted by a line `-- downgrade`."""

from collections.abc import Sequence
from pathlib import Path

from alembic import op

SQL = Path(__file__).parent / "sql"
TURN = "\n-- downgrade\n"


def upgrade(revision: str, parts: Sequence[str]) -> None:
    """Run the way forth of each part in order."""
    for part in parts:
        run(_ways(revision, part)[0])


def downgrade(revision: str, parts: Sequence[str]) -> None:
    """Run the way back of each part, the last one first."""
    for part in reversed(parts):
        run(_ways(revision, part)[1])


def run(sql: str) -> None:
    """Run statements through the driver: without parameters its cursor takes several at once."""
    op.get_bind().connection.cursor().execute(sql)


def _ways(revision: str, part: str) -> list[str]:
    return (SQL / f"{revision}_{part}.sql").read_text().split(TURN, maxsplit=1)
