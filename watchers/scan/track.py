"""What the lanes of one network share: where it stands, and what they see it with."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.db import Database
from gateway.invoices.standing import Confirmations
from gateway.models import Currency
from watchers.addresses import AddressBook
from watchers.network import ChainReader, Tip
from watchers.pay.own_bytes import Verify
from watchers.seals import SealReader
from watchers.store import Position

NOTHING_SEEN = Tip(0, 0)


Gain = Callable[[str, int], Awaitable[int]]
"""Tells by how many native units an address rose in a block, as one node's states say."""


def _never() -> int:
    return 0


@dataclass(slots=True)
class Track:
    """One network as its lanes see it. `position` changes only after its transaction committed.

    `witnesses` read from one provider each. `quorum` is how many must call a block final;
    deposits of a currency from `quorum_above` units on must be shown by a second provider.
    """

    reader: ChainReader
    database: Database
    currencies: Sequence[Currency]
    book: AddressBook
    position: Position
    public_url: str
    dense: bool = True
    """Every height has a block; where slots may be skipped it is false."""
    switches: Callable[[], int] = _never
    """How often another endpoint began to answer."""
    witnesses: Mapping[str, ChainReader] = field(default_factory=dict)
    quorum: int = 1
    quorum_above: Mapping[str, int] = field(default_factory=dict)
    """Base units by currency id."""
    gains: Mapping[str, Gain] = field(default_factory=dict)
    """By endpoint, where it keeps states of the past: for what it cannot trace."""
    locate: Callable[[ChainReader, str], Awaitable[int | None]] | None = None
    """Asks one node in which block a transaction stands."""
    seals: SealReader | None = None
    """Reads blocks by their own ids, where a family has such."""
    verify: Verify | None = None
    """Reads back the bytes of our own transactions."""
    lone_word: bool = True
    """Whether one node, where there is no other, is believed that money goes back."""
    tip: Tip = NOTHING_SEEN
    known_switches: int = 0

    @property
    def network(self) -> str:
        """Name of the network."""
        return self.position.network

    @property
    def heads(self) -> Confirmations:
        """How far this network was scanned, for the depth of its deposits."""
        return heads_at(self.position)

    async def know_the_node(self) -> None:
        """Check the chain again whenever another endpoint has begun to answer."""
        switches = self.switches()
        if switches != self.known_switches:
            await self.reader.check_identity()
            self.known_switches = switches


def heads_at(position: Position) -> Confirmations:
    """Return the heads once `position` is reached."""
    return Confirmations({position.network: position.height})
