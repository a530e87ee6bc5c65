"""Money out of one network: payouts and sweeps, while the chain is the one our money stood on."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from watchers.clock import now
from watchers.network import Refused
from watchers.pay.payouts import Payouts
from watchers.scan.scanner import Scanner
from watchers.sweep.rounds import Sweeping

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Outgoing:
    """The rounds of everything that is signed. `sweeps` says whether new sweeps are begun."""

    scanner: Scanner
    payouts: Payouts
    sweeping: Sweeping
    sweeps: bool
    history_read_at: datetime = field(init=False)
    """Up to when the keystore's history is known here: what arrives later may be our own."""

    def __post_init__(self) -> None:
        self.history_read_at = NEVER
        self.scanner.final_lane.history_read_at = lambda: self.history_read_at

    def history_known(self) -> bool:
        """Tell whether the keystore's history was read since this process began."""
        return self.history_read_at > NEVER

    async def pay(self) -> None:
        """Read the keystore's history, then sign and send what is due."""
        if self.scanner.may_pay:
            began = now().at
            await self.payouts.round()
            self.history_read_at = began

    async def sweep(self) -> bool:
        """Carry sweeps on; switched off, nothing new is begun and what was lent comes home.

        Raises `Refused` in the end where the gas wallet is not filled until a person has looked.
        """
        if not self.scanner.may_pay:
            return False
        if not self.sweeps:
            return await self.sweeping.sweeper.round()
        more = await self.sweeping.round()
        if self.sweeping.upkeep.differs is not None:
            raise Refused(self.sweeping.upkeep.differs)
        return more
