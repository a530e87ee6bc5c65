"""Money out, safe to kill anywhere: claim, prepare, sign, persist, broadcast, replace.

One round goes over everything that leaves one network, withdrawals and the house's own. Only
`settler` decides what became of it, from our own scan.
"""

from dataclasses import dataclass, field

from gateway.db import CROSS_TENANT, Database
from gateway.settings import NetworkSettings
from keystore.client import KeystoreClient, KeystoreRefused, KeystoreUnavailable
from watchers.chain import Chain
from watchers.network import Incomplete, NodeUnavailable
from watchers.pay import withdrawing
from watchers.pay.adoption import Adoption
from watchers.pay.cancels import Cancels
from watchers.pay.claims import Claims
from watchers.pay.hands import Hands
from watchers.pay.outbids import Outbids
from watchers.pay.overlooked import Locate
from watchers.store import Position

CLAIMS_PER_ROUND = 20
TROUBLE = (KeystoreUnavailable, KeystoreRefused, Incomplete, NodeUnavailable)
"""What may keep the past from being read."""


@dataclass(slots=True)
class Payouts:
    """Pays one network's approved withdrawals, and carries every transaction of ours to its end."""

    name: str
    settings: NetworkSettings
    chain: Chain
    database: Database
    keystore: KeystoreClient
    position: Position
    locate: Locate | None = None
    claims: Claims = field(init=False)
    adoption: Adoption = field(init=False)
    hands: Hands = field(init=False)
    cancels: Cancels = field(init=False)
    outbids: Outbids = field(init=False)

    def __post_init__(self) -> None:
        self.claims = Claims(self.name, self.settings, self.chain, self.database, self.position)
        self.adoption = Adoption(
            self.name, self.chain, self.database, self.keystore, self.position, self.locate
        )
        self.hands = Hands(self.name, self.chain, self.database, self.keystore, self.position)
        self.cancels = Cancels(self.name, self.database, self.hands)
        self.outbids = Outbids(
            self.name,
            self.settings,
            self.chain,
            self.database,
            self.position,
            self.adoption.passed,
        )

    async def round(self) -> None:
        """Take over what was forgotten, finish what was begun, begin what is approved, send.

        A sender's next transaction is begun when the one before it is signed: one that is
        refused is then always the newest, and gives its nonce back without leaving a gap.
        """
        try:
            await self.adoption.round()
        except TROUBLE as trouble:
            if isinstance(trouble, KeystoreUnavailable):
                await self._say_silent()
            # What is signed needs neither the keystore nor a look at the past, and may expire.
            await self.hands.send()
            raise
        await self.cancels.round()
        await self.hands.sign()
        for _ in range(CLAIMS_PER_ROUND):
            if not await self.claims.claim():
                break
            await self.hands.sign()
        await self.hands.send()
        await self.outbids.round()
        await self.hands.sign()
        await self.hands.send()
        await self.adoption.look_again()

    async def _say_silent(self) -> None:
        """Say on every payout that waits for the keystore what it waits for."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            await withdrawing.say_silent(session, self.name)
