"""Says of destinations that merchants ask about whether they can receive, within the asker's patience.

What the node does not say in time is None: the request is then refused for now (503), unless the
operator takes withdrawals unchecked; the payer's own simulation stands in front of every signature.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from gateway.db import Database
from gateway.models import Currency
from watchers.chain import asset_of
from watchers.destination import DestinationInspector, Finding, Prospect
from watchers.network import Incomplete, NodeUnavailable
from watchers.payer import hot_address

PATIENCE_SECONDS = 1.5
"""Less than the two seconds of whoever asks; each destination of a question adds to both."""
MORE_SECONDS = 0.1
MOST_SECONDS = 12.0
AT_ONCE = 8
"""Of one question."""
PAYMENTS_MAX = 100


class Asked(msgspec.Struct):
    """One payment of a question: the payment method, a stored address, base units."""

    method: str
    to: str
    units: str


@dataclass(slots=True)
class Destinations:
    """Answers questions of the kind `destination` about one network."""

    network: str
    database: Database
    inspector: DestinationInspector
    currencies: Sequence[Currency]
    patience_seconds: float = PATIENCE_SECONDS

    async def answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return `{"findings": [...]}` in the order asked; `fault` where the question is none."""
        try:
            asked = msgspec.convert(body.get("payments"), list[Asked])[:PAYMENTS_MAX]
            source = await self._source()
            prospects = [self._prospect(each, source) for each in asked]
        except (msgspec.ValidationError, ValueError) as fault:
            return {"fault": str(fault)}
        turns = asyncio.Semaphore(AT_ONCE)
        tasks = [asyncio.create_task(self._look(each, turns)) for each in prospects]
        if tasks:
            _, late = await asyncio.wait(
                tasks, timeout=patience(len(tasks), self.patience_seconds)
            )
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        return {"findings": [_told(task) for task in tasks]}

    async def _look(self, prospect: Prospect, turns: asyncio.Semaphore) -> Finding | None:
        async with turns:
            try:
                return await self.inspector.inspect(prospect)
            except (NodeUnavailable, Incomplete, ValueError):
                return None

    async def _source(self) -> str:
        source = await hot_address(self.database, self.network)
        if source is None:
            raise ValueError(f"{self.network} has no hot wallet yet")
        return source

    def _prospect(self, asked: Asked, source: str) -> Prospect:
        currency = next((each for each in self.currencies if each.id == asked.method), None)
        if currency is None:
            raise ValueError(f"{asked.method}: no payment method of {self.network}")
        asset = asset_of(currency)
        units = int(asked.units)
        return Prospect(asset, currency.decimals, asked.to, units, source)


def patience(count: int, seconds: float = PATIENCE_SECONDS) -> float:
    """Return how long a question about so many destinations may take."""
    return min(seconds + MORE_SECONDS * count, MOST_SECONDS)


def _told(task: asyncio.Task[Finding | None]) -> dict[str, Any] | None:
    """Return a finding as JSON types, None where there was no answer in time."""
    if task.cancelled():
        return None
    found = task.result()
    return None if found is None else {**asdict(found), "create_units": str(found.create_units)}
