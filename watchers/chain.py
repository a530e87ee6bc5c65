"""One network's eyes and hands together, and how its assets are named in blocks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.models import Currency
from watchers.network import NATIVE, ChainReader, ChainWriter, NonceLanes
from watchers.rpc import Endpoints
from watchers.seals import SealReader


@dataclass(frozen=True, slots=True)
class Chain:
    """One network's eyes and hands.

    `numbered` networks give each payout a nonce from our own book; `lanes` is set where a payout
    stands on a durable-nonce account instead. `dense` networks have a block at every height.
    `witnesses` are readers that ask one endpoint each, by the endpoint's name; `reader` asks
    whichever serves best. `seals` is set where a block's id is seen to commit to its transactions.
    """

    reader: ChainReader
    writer: ChainWriter
    endpoints: Endpoints
    numbered: bool = False
    dense: bool = True
    lanes: NonceLanes | None = None
    seals: SealReader | None = None
    witnesses: Mapping[str, ChainReader] = field(default_factory=dict)


def asset_key(contract: str) -> str:
    """Return a contract or mint as blocks name it: hex in lower case, base58 as it stands."""
    return contract.lower() if contract.startswith("0x") else contract


def asset_of(currency: Currency) -> str:
    """Return a currency's asset as blocks name it."""
    return asset_key(currency.contract or NATIVE)
