"""Which nonces of an address are taken in final blocks, and by which transaction."""

import msgspec

from watchers.network import NodeUnavailable, Placed
from watchers.networks.ethereum.node import Node
from watchers.networks.ethereum.wire import quantity
from watchers.rpc import Endpoints, JsonRpc


class _Sent(msgspec.Struct, rename="camel", gc=False):
    hash: str
    from_: str = msgspec.field(name="from")
    nonce: str
    block_hash: str | None = None
    block_number: str | None = None


async def counted(endpoints: Endpoints, address: str, final_depth: int | None = None) -> int:
    """Return the count that these endpoints tell; what may still be undone is not in it.

    `final_depth` is how many blocks below the head a block is final, where the chain does not say.
    """
    node = Node(JsonRpc(endpoints))
    block = "finalized"
    if final_depth is not None:
        block = hex(max(0, await node.number("eth_blockNumber", []) - final_depth))
    return await node.number("eth_getTransactionCount", [address, block])


async def placed(endpoints: Endpoints, tx_hash: str) -> Placed | None:
    """Return who sent a transaction on which nonce, and its block; None where it stands in none."""
    method = "eth_getTransactionByHash"
    node = Node(JsonRpc(endpoints))
    sent = await node.ask(method, [tx_hash], _Sent | None)  # type: ignore[arg-type]
    if sent is None or sent.block_hash is None or sent.block_number is None:
        return None
    if sent.hash.lower() != tx_hash:
        raise NodeUnavailable(f"{method}: another transaction")
    try:
        nonce, height = quantity(sent.nonce), quantity(sent.block_number)
    except ValueError as trouble:
        raise NodeUnavailable(f"{method}: {trouble}") from trouble
    return Placed(sent.from_.lower(), nonce, height, sent.block_hash.lower())
