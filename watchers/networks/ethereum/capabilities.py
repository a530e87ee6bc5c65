"""What an EVM node offers, found out on its newest block."""

from typing import Any, cast

import msgspec

from watchers.network import Incomplete
from watchers.networks.ethereum.wire import RawHeader, RawTrace
from watchers.providers.capabilities import FINALIZED, LOGS, RECEIPTS, TRACES, Found, offered
from watchers.rpc import Endpoints, JsonRpc, RpcError

TRACER = {"tracer": "callTracer", "tracerConfig": {"onlyTopCall": True}}
"""Only the outermost frames: whether the method works shows in them too."""

_List = cast("type[list[msgspec.Raw] | None]", list[msgspec.Raw] | None)
_Raw = cast("type[msgspec.Raw | None]", msgspec.Raw | None)
_Traces = cast("type[list[RawTrace] | None]", list[RawTrace] | None)
_Header = cast("type[RawHeader | None]", RawHeader | None)


async def probe(endpoints: Endpoints) -> Found:
    """Ask one node for receipts, logs and call traces by hash, and for the final tag."""
    rpc = JsonRpc(endpoints)
    return {
        RECEIPTS: await offered(_lists(rpc, "eth_getBlockReceipts", []), RpcError),
        LOGS: await offered(_has_logs(rpc), RpcError),
        TRACES: await offered(_lists(rpc, "debug_traceBlockByHash", [TRACER]), RpcError),
        FINALIZED: await offered(_has_final(rpc), RpcError),
    }


async def reach(endpoints: Endpoints, height: int) -> bool | None:
    """Ask one node whether it can still trace the block at `height`."""
    return await offered(_traces(JsonRpc(endpoints), height), RpcError)


async def _traces(rpc: JsonRpc, height: int) -> bool:
    """Trace one block; most nodes keep the states of a hundred blocks, and refuse older ones."""
    block = await rpc.call("eth_getBlockByNumber", [hex(height), False], _Header)
    if block is None or block.hash is None:
        raise Incomplete(f"the node has no block {height}")
    traces = await rpc.call("debug_traceBlockByHash", [block.hash, TRACER], _Traces)
    return traces is not None and all(each.error is None for each in traces)


async def _has_logs(rpc: JsonRpc) -> bool:
    """Ask for the newest block's logs by its hash, and for two receipts in one exchange."""
    newest = await rpc.call("eth_getBlockByNumber", ["latest", False], _Header)
    if newest is None or newest.hash is None:
        raise Incomplete("the node has no newest block")
    if await rpc.call("eth_getLogs", [{"blockHash": newest.hash}], _List) is None:
        return False
    # Of no transaction; whether both are answered is what is asked.
    nobody = [["0x" + "00" * 32], ["0x" + "01" * 32]]
    await rpc.call_batch("eth_getTransactionReceipt", nobody, _Raw)
    return True


async def _lists(rpc: JsonRpc, method: str, more: list[Any]) -> bool:
    newest = await rpc.call("eth_getBlockByNumber", ["latest", False], _Header)
    if newest is None or newest.hash is None:
        raise Incomplete("the node has no newest block")
    return await rpc.call(method, [newest.hash, *more], _List) is not None


async def _has_final(rpc: JsonRpc) -> bool:
    return await rpc.call("eth_getBlockByNumber", ["finalized", False], _Header) is not None
