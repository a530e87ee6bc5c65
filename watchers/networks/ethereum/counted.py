"""How many transactions of an address stand in final blocks."""

from watchers.networks.ethereum.node import Node
from watchers.rpc import Endpoints, JsonRpc


async def counted(endpoints: Endpoints, address: str) -> int:
    """Return the count that these endpoints tell; what may still be undone is not in it."""
    params = [address, "finalized"]
    return await Node(JsonRpc(endpoints)).number("eth_getTransactionCount", params)
