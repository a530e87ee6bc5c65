"""Where a transaction stands on Tron."""

import re

import msgspec

from watchers.network import ChainReader, NodeUnavailable
from watchers.networks.tron.answers import Answer
from watchers.networks.tron.node import TronNode
from watchers.networks.tron.reader import TronReader

_HASH = re.compile(r"(?:0x)?[0-9a-fA-F]{64}", re.ASCII)


class _Info(Answer, frozen=True, gc=False):
    id: str = ""
    block_number: int = msgspec.field(default=0, name="blockNumber")


def spelled(tx: str) -> str:
    """Return a transaction id as blocks spell it; raise `ValueError` where it is none."""
    if _HASH.fullmatch(tx) is None:
        raise ValueError("a transaction id here is 64 hex digits")
    return tx.lower().removeprefix("0x")


async def locate(reader: ChainReader, tx: str) -> int | None:
    """Return the height of the block that holds `tx`, failed ones too; None where nobody knows."""
    if not isinstance(reader, TronReader):
        raise TypeError(f"not a reader of this family: {type(reader).__name__}")
    node = TronNode(reader.endpoints)
    info = await node.ask("/wallet/gettransactioninfobyid", {"value": tx}, _Info)
    if not info.id:
        return None
    if info.id.lower() != tx:
        raise NodeUnavailable("gettransactioninfobyid: an answer about another transaction")
    return info.block_number
