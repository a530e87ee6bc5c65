"""What the journal says about the time before a moment: the units and fees that rules let go."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from keystore import api, merged, networks
from keystore.entries import LetGo
from keystore.journal import Journal
from keystore.networks import solana
from keystore.rules import Policy

INTENT_MARK = b"gw/withdrawal/v1\n"
NONCE_MARK = b"gw/nonce/v1\n"


@dataclass(slots=True)
class Sums:
    """What one rule let go since a moment that moves on: running sums, one look at each row.

    Of the transactions in one slot the dearest counts.
    """

    epoch: int
    since: datetime
    units: int = 0
    fees: int = 0
    _rows: deque[tuple[datetime, str, int, int]] = field(default_factory=deque)
    """Time, slot, units and fee of every row within, oldest first."""
    _slots: dict[str, list[int]] = field(default_factory=dict)
    """The fees of each slot, oldest first."""
    _newest: tuple[datetime | None, int] = (None, 0)

    def move(
        self, journal: Journal, rule: str, since: datetime, merged: Sequence[LetGo] = ()
    ) -> None:
        """Take in what came, and leave out what is not after `since` any more."""
        at, after = self._newest
        rows = journal.let_go(rule, at or since, after)
        for row in sorted([*rows, *merged]) if merged else rows:
            self._take_in(row)
        self.since = since
        while self._rows and self._rows[0][0] <= since:
            self._leave_out(*self._rows.popleft()[1:])

    def highest(self, slot: str) -> int:
        """Return the dearest fee of a slot; 0 where nothing is in it."""
        return max(self._slots.get(slot, ()), default=0)

    def _take_in(self, row: LetGo) -> None:
        at = datetime.fromisoformat(row.at)
        units = int(row.units or 0) if row.kind == "signed" else 0
        fee, before = fee_most(row.intent), self.highest(row.slot)
        self._newest = at, row.seq
        self._rows.append((at, row.slot, units, fee))
        self._slots.setdefault(row.slot, []).append(fee)
        self.units += units
        self.fees += max(before, fee) - before

    def _leave_out(self, slot: str, units: int, fee: int) -> None:
        before = self.highest(slot)
        fees = self._slots[slot]
        fees.remove(fee)
        if not fees:
            del self._slots[slot]
        self.units -= units
        self.fees -= before - self.highest(slot)


class Spending:
    """The journal as the rules see it; rows that were counted once are remembered.

    What was merged counts under every rule that may have let it go: its bytes name none. It comes
    in while no keystore serves, so it is looked for once.
    """

    def __init__(self, journal: Journal, rulebook: Policy | None = None) -> None:
        self._journal = journal
        self._rules = {} if rulebook is None else {each.name: each for each in rulebook.rules}
        self._sums: dict[tuple[str, timedelta], Sums] = {}

    def until_now(self) -> "Spent":
        """Return it as it stands, from the journal's own time back."""
        return Spent(self, self._journal.now())

    def let_go(self, rule: str, time: timedelta, moment: datetime) -> Sums:
        """Return what a rule let go in the `time` before a moment."""
        since, epoch = moment - time, self._journal.epoch
        found = self._sums.get((rule, time))
        if found is None or found.epoch != epoch or since < found.since:
            found = self._sums[rule, time] = Sums(epoch, since)
            found.move(self._journal, rule, since, self._merged(rule, since))
        else:
            found.move(self._journal, rule, since)
        return found

    def _merged(self, name: str, since: datetime) -> list[LetGo]:
        """Return what was merged in the place of rows that a rule may have let go."""
        rule = self._rules.get(name)
        if rule is None:
            return []
        found = []
        for kind in merged.KINDS:
            rows = self._journal.let_go(merged.mark(kind), since, 0)
            first = {row.slot: row for row in reversed(rows)}
            counts = {
                slot: merged.may_be_of(rule, kind, read_intent(row.intent))
                for slot, row in first.items()
            }
            found += [row for row in rows if counts[row.slot]]
        return found


@dataclass(frozen=True, slots=True)
class Spent:
    """Everything that rules let go before a moment."""

    spending: Spending
    moment: datetime

    def units(self, rule: str, time: timedelta) -> int:
        """Return the base units that left under a rule."""
        return self.spending.let_go(rule, time, self.moment).units

    def fees(self, rule: str, time: timedelta, slot: str = "") -> tuple[int, int]:
        """Return the most that the network could take under a rule, and in one slot of it."""
        sums = self.spending.let_go(rule, time, self.moment)
        return sums.fees, sums.highest(slot)


def fee_most(asked: bytes) -> int:
    """Return the most that the network could take for what the journal keeps."""
    if asked.startswith(NONCE_MARK):
        body = asked.removeprefix(NONCE_MARK)
        return solana.setup_most(msgspec.json.decode(body, type=api.SignNonceSetupRequest))
    return networks.fee_most(read_intent(asked))


def read_intent(canonical: bytes) -> api.Intent:
    """Read an intent back from the bytes that the journal keeps."""
    intent: api.Intent = msgspec.json.decode(
        canonical.removeprefix(INTENT_MARK), type=api.Intent
    )
    return intent
