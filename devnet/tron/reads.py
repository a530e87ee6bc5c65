"""Calls that read blocks, transactions and parameters."""

from collections.abc import Awaitable, Callable
from typing import Any

from devnet.tron import forms
from devnet.tron.blocks import Block
from devnet.tron.forms import Json
from devnet.tron.parameters import BANDWIDTH_PRICE, CHAIN_PARAMETERS, ENERGY_PRICE
from devnet.tron.query import BadQuery, Query

Handler = Callable[[Query], Awaitable[Any]]

BLOCKS_MAX = 100
HASH_DIGITS = 64


async def get_node_info(query: Query) -> Json:
    """Name both heights with their ids, which tronpy takes its reference block from."""
    head, solid = query.node.head, query.node.solid
    return {
        "beginSyncNum": 0,
        "block": f"Num:{head.height},ID:{head.id.hex()}",
        "solidityBlock": f"Num:{solid.height},ID:{solid.id.hex()}",
        "currentConnectCount": 1,
        "activeConnectCount": 1,
        "configNodeInfo": {"codeVersion": "4.8.0", "p2pVersion": "11111"},
    }


async def get_now_block(query: Query) -> Json:
    """Show the top block of this tree."""
    return forms.block(query.view.top, visible=query.visible)


def _block_at(query: Query, height: int) -> Block | None:
    return query.node.blocks[height] if 0 <= height <= query.view.top.height else None


def _block_with_id(query: Query, block_id: bytes) -> Block | None:
    height = query.node.heights.get(block_id)
    return None if height is None else _block_at(query, height)


def _shown(query: Query, block: Block | None, *, detail: bool = True) -> Json:
    return forms.block(block, visible=query.visible, detail=detail) if block else {}


async def get_block_by_number(query: Query) -> Json:
    """Show a block, or nothing where this tree does not reach so far."""
    return _shown(query, _block_at(query, query.number("num")))


async def get_block_by_id(query: Query) -> Json:
    """Show a block by its 32-byte id."""
    return _shown(query, _block_with_id(query, query.hex("value")))


async def get_block(query: Query) -> Json:
    """Show a block by id or height, by default the top one and without transactions."""
    detail = query.flag("detail")
    if "id_or_num" not in query.fields:
        return _shown(query, query.view.top, detail=detail)
    wanted = str(query.fields["id_or_num"])
    if len(wanted) == HASH_DIGITS:
        return _shown(query, _block_with_id(query, query.hex("id_or_num")), detail=detail)
    return _shown(query, _block_at(query, query.number("id_or_num")), detail=detail)


async def get_blocks_by_range(query: Query) -> Json:
    """List blocks `startNum` up to, not including, `endNum`; at most 100."""
    start, end = query.number("startNum"), query.number("endNum")
    if start < 0 or not 0 < end - start <= BLOCKS_MAX:
        return {}
    found = query.node.blocks[start : min(end, query.view.top.height + 1)]
    return {"block": [_shown(query, block) for block in found]} if found else {}


async def get_latest_blocks(query: Query) -> Json:
    """Show the newest `num` blocks, newest first."""
    count = query.number("num")
    if not 0 < count < BLOCKS_MAX:
        return {}
    top = query.view.top.height
    found = query.node.blocks[max(0, top + 1 - count) : top + 1]
    return {"block": [_shown(query, block) for block in reversed(found)]}


async def get_transaction(query: Query) -> Json:
    """Show a transaction in a block of this tree."""
    found = query.node.receipt(query.text("value"), query.view.top)
    if found is None:
        return {}
    receipt = found[1]
    return forms.transaction(receipt.transaction, visible=query.visible, result=receipt.result)


async def get_transaction_info(query: Query) -> Json:
    """Show fee, resources, logs and internal transfers of a transaction."""
    found = query.node.receipt(query.text("value"), query.view.top)
    if found is None:
        return {}
    return forms.transaction_info(found[1], found[0], visible=query.visible)


async def get_block_infos(query: Query) -> Json | list[Json]:
    """List the infos of a block; `{}` for heights below 1, `[]` for unknown ones."""
    height = query.number("num")
    if height <= 0:
        return {}
    block = _block_at(query, height)
    if block is None:
        return []
    return [
        forms.transaction_info(receipt, block, visible=query.visible)
        for receipt in block.receipts
    ]


async def get_transaction_count(query: Query) -> Json:
    """Count the transactions of a block; -1 where there is no such block."""
    block = _block_at(query, query.number("num"))
    return {"count": len(block.receipts) if block else -1}


async def get_pending_size(query: Query) -> Json:
    """Count the accepted transactions that are in no block."""
    return {"pendingSize": len(query.node.pending_ids())}


async def get_pending_ids(query: Query) -> Json:
    """List their ids."""
    return {"txId": sorted(query.node.pending_ids())}


async def get_pending_transaction(query: Query) -> Json:
    """Show one of them."""
    node = query.node
    transactions = [receipt.transaction for receipt in node.pending]
    transactions += [transaction for _, transaction in node.waiting]
    for transaction in transactions:
        if transaction.id == query.text("value"):
            return forms.transaction(transaction, visible=query.visible)
    return {}


async def validate_address(query: Query) -> Json:
    """Tell whether an address is well-formed."""
    try:
        query.address("address")
    except BadQuery as trouble:
        return {"result": False, "message": str(trouble)}
    return {"result": True, "message": "Base58check format" if query.visible else "Hex string"}


async def get_chain_parameters(_query: Query) -> Json:
    """List prices and limits."""
    pairs = CHAIN_PARAMETERS.items()
    return {"chainParameter": [{"key": key, "value": value} for key, value in pairs]}


async def get_energy_prices(_query: Query) -> Json:
    """Show `since:price` pairs."""
    return {"prices": f"0:{ENERGY_PRICE}"}


async def get_bandwidth_prices(_query: Query) -> Json:
    """Show `since:price` pairs."""
    return {"prices": f"0:{BANDWIDTH_PRICE}"}


async def list_nodes(_query: Query) -> Json:
    """Answer that nobody else is there."""
    return {}


READS: dict[str, Handler] = {
    "getnodeinfo": get_node_info,
    "getnowblock": get_now_block,
    "getblock": get_block,
    "getblockbynum": get_block_by_number,
    "getblockbyid": get_block_by_id,
    "getblockbylimitnext": get_blocks_by_range,
    "getblockbylatestnum": get_latest_blocks,
    "gettransactionbyid": get_transaction,
    "gettransactioninfobyid": get_transaction_info,
    "gettransactioninfobyblocknum": get_block_infos,
    "gettransactioncountbyblocknum": get_transaction_count,
    "gettransactionlistfrompending": get_pending_ids,
    "gettransactionfrompending": get_pending_transaction,
    "getpendingsize": get_pending_size,
    "validateaddress": validate_address,
    "getchainparameters": get_chain_parameters,
    "getenergyprices": get_energy_prices,
    "getbandwidthprices": get_bandwidth_prices,
    "listnodes": list_nodes,
}
