"""Where a transaction stands on Solana."""

import msgspec

from gateway.domain import base58
from watchers.network import ChainReader, NodeUnavailable
from watchers.networks.solana.reader import SolanaReader
from watchers.networks.solana.wire import Valued, ask

_SIGNATURE_BYTES = 64


class _Status(msgspec.Struct, gc=False):
    slot: int


def spelled(tx: str) -> str:
    """Return a signature as blocks spell it; raise `ValueError` where it is none."""
    try:
        signature = base58.decode(tx)
    except ValueError:
        signature = b""
    if len(signature) != _SIGNATURE_BYTES:
        raise ValueError("a transaction here is named by its signature, 64 bytes in base58")
    return tx


async def locate(reader: ChainReader, tx: str) -> int | None:
    """Return the slot of the block that holds `tx`, failed ones too; None where nobody knows."""
    if not isinstance(reader, SolanaReader):
        raise TypeError(f"not a reader of this family: {type(reader).__name__}")
    params = [[tx], {"searchTransactionHistory": True}]
    answer = await ask(reader.rpc, "getSignatureStatuses", params, Valued[list[_Status | None]])
    if len(answer.value) != 1:
        raise NodeUnavailable("getSignatureStatuses: not one answer to one signature")
    [status] = answer.value
    return None if status is None else status.slot
