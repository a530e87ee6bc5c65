"""What a network can say of a destination before anybody's money is held for it.

The socket of a family's `destination.py`. It answers for the merchant's good and decides
nothing: what it lets pass is simulated again before it is signed.
"""

from dataclasses import dataclass
from typing import Final, Literal, Protocol

WALLET: Final = "wallet"
CONTRACT: Final = "contract"
NEW: Final = "new"
"""Nothing stands at the address yet."""

Kind = Literal["wallet", "contract", "new"]
Creates = Literal["activation", "token_account"]


@dataclass(frozen=True, slots=True)
class Prospect:
    """A payment that somebody may ask for; `source` is the wallet of ours that would pay."""

    asset: str
    decimals: int
    destination: str
    units: int
    source: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What stands at a destination; `refusal` is a stable code, `detail` says it to a person.

    `field` is what would have to change: `destination` or `amount`. `creates` is what the first
    payment brings into being there, `create_units` its price in the network's own coin.
    """

    kind: Kind
    refusal: str | None = None
    detail: str = ""
    field: str = "destination"
    creates: Creates | None = None
    create_units: int = 0


class DestinationInspector(Protocol):
    """Looks at destinations of one network."""

    async def inspect(self, prospect: Prospect) -> Finding:
        """Return what is known; a node's trouble is `NodeUnavailable` or `Incomplete`."""
        ...
