"""What the hostile world tried and what came of it, as one table (`pytest -s`)."""

import sys
from dataclasses import dataclass, field


@dataclass
class Report:
    """Rows of (case, what happened, units moved to somebody unapproved)."""

    title: str
    rows: list[tuple[str, str, int]] = field(default_factory=list)

    def add(self, case: str, happened: str, units: int) -> None:
        """Add a case; whatever moved to the wrong ones is a failure at once."""
        self.rows.append((case, " ".join(happened.split())[:100], units))
        assert units == 0, f"{case}: {units} units went to somebody unapproved"

    def show(self) -> None:
        """Print everything, with the total below."""
        width = max((len(case) for case, _, _ in self.rows), default=0)
        lines = [f"{case:<{width}}  {units:>5}  {said}" for case, said, units in self.rows]
        total = sum(units for _, _, units in self.rows)
        head = f"{self.title}: {len(self.rows)} cases, {total} units to anyone unapproved"
        sys.stdout.write("\n" + "\n".join([head, *lines]) + "\n")
