"""The value on which a nonce lane is taken back: the one that its account holds now.

A node may have invented the value that an order was signed on; then nothing on that value ever
lands, a cancel neither. What is signed on the present value lands only where the account holds
it: then it does not hold the other, and never will, for a value cannot be foreseen. Whether the
order had landed before is what our own scan says, so it has to come as far as the nodes were
heard, and has to have known the order all the way: what it passed before is read again (`passed`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.db import CROSS_TENANT, Database
from gateway.models import Attempt, Cursor
from watchers.network import Incomplete, NonceLanes, Refused
from watchers.pay.keepers import CANCEL
from watchers.pay.passed import Passed

PRESENT = "present_value"


@dataclass(slots=True)
class Present:
    """Compares the orders of one network with the lanes that they stand on."""

    name: str
    database: Database
    lanes: NonceLanes | None
    passed: Passed | None = None
    """Reads again what the scan passed; without it such an order is taken back on its own value."""
    _seen: dict[tuple[str, str], int] = field(default_factory=dict)
    """The height at which a lane was first seen to hold a value that is not its order's."""

    def keep(self, orders: Collection[str]) -> None:
        """Forget all but these."""
        self._seen = {key: height for key, height in self._seen.items() if key[0] in orders}

    async def intent_of(self, order: Sequence[Attempt]) -> Mapping[str, Any]:
        """Return the newest intent of an order, naming the lane's value where it holds another.

        Raises `Incomplete` where our scan is not final up to where that was seen, `Refused` where
        a person has to say that it did not land before it was known.
        """
        intent, first = order[-1].intent, order[0]
        account = first.nonce_account
        if self.lanes is None or account is None:
            return intent
        value, height = await self.lanes.nonce_account_seen(account)
        if value is None or value == (intent.get(PRESENT) or first.nonce_value):
            return intent
        if value == first.nonce_value:
            return {name: each for name, each in intent.items() if name != PRESENT}
        if passed(order) and not await self._read(order):
            return intent
        height = self._seen.setdefault((first.order_id, value), height)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            cursor = await session.get_one(Cursor, self.name)
        if cursor.final_height < height:
            raise Incomplete(
                f"{account} holds another value than the order's at {height}, our scan is final "
                f"up to {cursor.final_height}"
            )
        return {**intent, PRESENT: value}

    async def _read(self, order: Sequence[Attempt]) -> bool:
        """Read on; tell whether it landed nowhere. First comes a cancel on its own value."""
        if self.passed is None:
            return False
        try:
            return await self.passed.stands_nowhere(order)
        except Refused:
            if order[-1].purpose == CANCEL:
                raise
            return False


def passed(order: Sequence[Attempt]) -> bool:
    """Tell whether our scan may have passed one of them before it was known."""
    return any(attempt.passed_height is not None for attempt in order)
