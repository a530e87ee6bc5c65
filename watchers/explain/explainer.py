"""Finds out about one transaction: asks every provider, then our own rows."""

from dataclasses import dataclass

from gateway.db import CROSS_TENANT, Database
from watchers.chain import Chain
from watchers.explain.facts import Evidence, Explanation, foremost, seen_through
from watchers.explain.providers import testimonies, transfers_of
from watchers.explain.rows import evidence
from watchers.explain.verdict import explain
from watchers.families import Locator

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
        tx = self.locator.spelled(text)
        witnesses = self.chain.witnesses or {"node": self.chain.reader}
        found = await testimonies(witnesses, self.locator, tx, self.provider_seconds)
        heard = Evidence(self.network, tx, tuple(each.seen for each in found))
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            known = await evidence(session, self.public_key, heard, transfers_of(found, tx))
        if merchant_id is not None:
            known = seen_through(known, merchant_id)
        return explain(foremost(known))
