"""`docs/seeds.md` names tests that exist, or a reason."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ROWS = re.findall(
    r"^\| (.+?) \| (.+?) \| (.+?) \|$", (ROOT / "docs" / "seeds.md").read_text(), re.MULTILINE
)


def test_every_entity_has_a_test_that_exists_or_a_reason_for_being_left_out() -> None:
    """A test that was renamed shows here."""
    rows = [row for row in ROWS if row[0] != "Seed" and not row[0].startswith("---")]
    assert len(rows) > 60
    for seed, here, test in rows:
        if here.startswith("**excluded**: "):
            assert (len(here) > 25, test) == (True, "—"), seed
            continue
        names = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", test)
        assert names, seed
        for path, name in names:
            assert f"def {name}(" in (ROOT / path).read_text() or not name, (seed, name)
