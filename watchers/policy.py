"""The keystore's policy, published for people: what a payout waits for, and who may say yes."""

from dataclasses import dataclass

import msgspec
from sqlalchemy.dialects.postgresql import insert

from gateway.db import CROSS_TENANT, Database
from gateway.models import PolicySnapshot
from keystore.api import Rules
from keystore.client import KeystoreClient
from watchers.clock import now


@dataclass(slots=True)
class Policies:
    """Publishes one network's rules as its keystore tells them."""

    network: str
    database: Database
    keystore: KeystoreClient

    async def round(self) -> None:
        """Ask, and write what was said: rules in order, and the people whom they name."""
        told = await self.keystore.rules(self.network)
        values = {
            "fingerprint": told.policy,
            "rules": msgspec.to_builtins(told.rules),
            "approvers": approvers(told),
            "published_at": now().at,
        }
        statement = insert(PolicySnapshot).values(network_id=self.network, **values)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                statement.on_conflict_do_update(index_elements=["network_id"], set_=values)
            )


def approvers(told: Rules) -> list[object]:
    """Return everybody whom the rules name, once, by name."""
    named = {each.name: each for rule in told.rules for each in rule.approvers}
    return [msgspec.to_builtins(named[name]) for name in sorted(named)]
