"""Which nonces of an address are taken in final blocks."""

from watchers.networks.ethereum.node import Node
from watchers.rpc import Endpoints, JsonRpc


async def counted(endpoints: Endpoints, address: str, final_depth: int | None = None) -> int:
    """Return the count that these endpoints tell; what may still be undone is not in it.

    `final_depth` is how many blocks below the head a block is final, where the chain does not say.
    """
    node = Node(JsonRpc(endpoints))
    block = "finalized"
    if final_depth is not None:
        block = hex(max(0, await node.number("eth_blockNumber", []) - final_depth))
    return await node.number("eth_getTransactionCount", [address, block])
