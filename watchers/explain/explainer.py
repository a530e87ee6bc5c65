"""Finds out about one transaction: asks every provider, then our own rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.db import CROSS_TENANT, Database
from watchers.chain import Chain
from watchers.explain.facts import Evidence, Explanation, foremost, seen_through
from watchers.explain.named import is_our_name
from watchers.explain.providers import is_blind, testimonies, transfers_of
from watchers.explain.rows import evidence
from watchers.explain.verdict import explain
from watchers.families import Locator
from watchers.network import Transfer

PROVIDER_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Explainer:
    """Explains transactions of one network; `public_key` is the one that signed the pool."""

    network: str
    chain: Chain
    locator: Locator
    database: Database
    public_key: str
    provider_seconds: float = PROVIDER_SECONDS

    async def explain(self, text: str, merchant_id: str | None = None) -> Explanation:
        """Explain a transaction, to a merchant no more than concerns it.

        Raises `ValueError` where the text names no transaction of this family.
        """
        if is_our_name(text):
            return await self._judged(
                Evidence(self.network, text, (), named=True), (), merchant_id
            )
        tx = self.locator.spelled(text)
        witnesses = self.chain.witnesses or {"node": self.chain.reader}
        found = await testimonies(witnesses, self.locator, tx, self.provider_seconds)
        seen = tuple(each.seen for each in found)
        heard = Evidence(self.network, tx, seen, blind=is_blind(found))
        return await self._judged(heard, transfers_of(found, tx), merchant_id)

    async def _judged(
        self, heard: Evidence, transfers: Sequence[Transfer], merchant_id: str | None
    ) -> Explanation:
        """Judge what was heard, by our rows, for the one who asks."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            known = await evidence(session, self.public_key, heard, transfers)
        if merchant_id is not None:
            known = seen_through(known, merchant_id)
        return explain(foremost(known))
