"""One network's eyes and hands together, and how its assets are named in blocks."""

from dataclasses import dataclass

from watchers.network import ChainReader, ChainWriter, NonceLanes
from watchers.rpc import Endpoints


@dataclass(frozen=True, slots=True)
class Chain:
    """One network's eyes and hands.

    `numbered` networks give each payout a nonce from our own book; `lanes` is set where a payout
    stands on a durable-nonce account instead. `dense` networks have a block at every height.
    """

    reader: ChainReader
    writer: ChainWriter
    endpoints: Endpoints
    numbered: bool = False
    dense: bool = True
    lanes: NonceLanes | None = None


def asset_key(contract: str) -> str:
    """Return a contract or mint as blocks name it: hex in lower case, base58 as it stands."""
    return contract.lower() if contract.startswith("0x") else contract
