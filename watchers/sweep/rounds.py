"""Sweeping as the watcher runs it: wallets first, then what is under way, then what is new."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql import insert

from gateway.db import CROSS_TENANT, Database
from gateway.models import ApplicationWallet, Currency
from gateway.settings import NetworkSettings
from watchers.chain import Chain, asset_key
from watchers.clock import now
from watchers.store import Position
from watchers.sweep.choice import Choice
from watchers.sweep.hands import Hands
from watchers.sweep.payments import Payments
from watchers.sweep.stranded import Stranded
from watchers.sweep.sweeper import Sweeper
from watchers.sweep.upkeep import Upkeep


@dataclass(frozen=True, slots=True)
class Sweeping:
    """The parts of one network's sweeping."""

    upkeep: Upkeep
    stranded: Stranded
    sweeper: Sweeper
    choice: Choice

    async def round(self) -> bool:
        """Do what there is to do now; tell whether there is more right away."""
        await self.upkeep.round()
        await self.stranded.round()
        begun = await self.choice.round()
        return await self.sweeper.round() or begun > 0


def compose(
    name: str,
    settings: NetworkSettings,
    chain: Chain,
    currencies: Sequence[Currency],
    hands: Hands,
    *,
    database: Database,
    position: Position,
    public_key: str,
    fee_is_alone: bool,
) -> Sweeping:
    """Put the parts together; `keeper.register` is the composition root's."""
    native = next(each for each in currencies if each.contract is None)
    return Sweeping(
        Upkeep(name, settings, chain, currencies, hands, database, position, fee_is_alone),
        Stranded(Payments(name, settings, chain, native, database, position)),
        Sweeper(name, settings, chain, currencies, hands, database, position, fee_is_alone),
        Choice(name, settings, currencies, hands, database, position, public_key, fee_is_alone),
    )


async def register_cold(name: str, settings: NetworkSettings, database: Database) -> None:
    """Write the operator's cold address among the house's wallets: what it holds is ours."""
    if settings.cold_address is None:
        return
    moment = now()
    statement = insert(ApplicationWallet).values(
        id=moment.id("awl"),
        network_id=name,
        purpose="cold",
        address=asset_key(settings.cold_address),
        path="",
        next_nonce=None,
        created_at=moment.at,
    )
    async with database.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            statement.on_conflict_do_nothing(index_elements=["network_id", "address"])
        )
