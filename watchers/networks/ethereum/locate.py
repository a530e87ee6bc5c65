"""Where a transaction stands on an EVM chain."""

import re

import msgspec

from watchers.network import ChainReader, NodeUnavailable
from watchers.networks.ethereum.reader import EthereumReader
from watchers.networks.ethereum.wire import quantity
from watchers.rpc import RpcError

_HASH = re.compile(r"(?:0x)?[0-9a-fA-F]{64}", re.ASCII)


class _Receipt(msgspec.Struct, rename="camel", gc=False):
    transaction_hash: str
    block_number: str | None = None


def spelled(tx: str) -> str:
    """Return a transaction hash as blocks spell it; raise `ValueError` where it is none."""
    if _HASH.fullmatch(tx) is None:
        raise ValueError("a transaction hash here is 64 hex digits")
    return "0x" + tx.lower().removeprefix("0x")


async def locate(reader: ChainReader, tx: str) -> int | None:
    """Return the height of the block that holds `tx`, failed ones too; None where nobody knows."""
    if not isinstance(reader, EthereumReader):
        raise TypeError(f"not a reader of this family: {type(reader).__name__}")
    try:
        receipt = await reader.rpc.call("eth_getTransactionReceipt", [tx], _Receipt | None)  # type: ignore[arg-type]
    except RpcError as refusal:
        raise NodeUnavailable(f"eth_getTransactionReceipt: {refusal}") from refusal
    if receipt is None or receipt.block_number is None:
        return None
    if receipt.transaction_hash.lower() != tx:
        raise NodeUnavailable("eth_getTransactionReceipt: a receipt of another transaction")
    try:
        return quantity(receipt.block_number)
    except ValueError as trouble:
        raise NodeUnavailable(f"eth_getTransactionReceipt: {trouble}") from trouble
