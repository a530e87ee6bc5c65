"""What a Tron node offers: whether it keeps what contracts paid (`vm.saveInternalTx`).

No call tells. A transaction of which the operator knows that it paid from inside a contract
shows it; without one it is unknown until such a payment is seen in the node's own blocks.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from watchers.network import NodeUnavailable
from watchers.providers.capabilities import INTERNAL, Found, offered
from watchers.rpc import Endpoints


class _Info(msgspec.Struct, frozen=True, gc=False):
    id: str = ""
    internal_transactions: tuple[Mapping[str, Any], ...] = ()


async def probe(endpoints: Endpoints, known_tx: str | None) -> Found:
    """Look whether the node still has the inner payments of `known_tx`."""
    if known_tx is None:
        return {}
    return {INTERNAL: await offered(_keeps(endpoints, known_tx))}


async def _keeps(endpoints: Endpoints, tx_id: str) -> bool:
    body = msgspec.json.encode({"value": tx_id, "visible": False})
    answer = await endpoints.post("/wallet/gettransactioninfobyid", body)
    try:
        info = msgspec.json.decode(answer, type=_Info)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as trouble:
        raise NodeUnavailable(f"gettransactioninfobyid: {trouble}") from trouble
    if info.id != tx_id:
        raise NodeUnavailable(f"gettransactioninfobyid: the node does not know {tx_id}")
    return bool(info.internal_transactions)
