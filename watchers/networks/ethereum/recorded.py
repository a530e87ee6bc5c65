"""A recorded Ethereum block: `eth_getBlockByNumber`, its receipts and, where given, its traces.

Receipts are a list, or a JSON-RPC batch with one in each answer, in any order.
Traces are `callTracer` frames in transaction order, bare or as `{txHash, result}`, or the flat
list of `trace_block`.
"""

from typing import TypeVar

import msgspec

from watchers.network import Block, Incomplete
from watchers.networks.ethereum.address import HEX_ADDRESS
from watchers.networks.ethereum.decode import decode_block, decode_header
from watchers.networks.ethereum.flat_traces import flat_executions
from watchers.networks.ethereum.traces import Execution, executions
from watchers.networks.ethereum.wire import RawBlock, RawFlatTrace, RawReceipt, RawTrace
from watchers.recorded import Recorded, result_of, results_of

T = TypeVar("T")


class _Form(msgspec.Struct):
    """What tells the two forms of traces apart: only `trace_block` has paths."""

    trace_address: msgspec.Raw | msgspec.UnsetType = msgspec.field(
        default=msgspec.UNSET, name="traceAddress"
    )


def decode_recorded(files: Recorded) -> Block:
    """Return the recorded block; `Incomplete` with the reason where it is not proved whole.

    Raises `ValueError` for infos, which are another family's, and for an asset that is no
    address.
    """
    if files.infos is not None:
        raise ValueError("infos: a block of this family has receipts")
    for asset in files.assets:
        if not is_address(asset):
            raise ValueError(f"asset: not an Ethereum address: {asset!r}")
    block = _typed(result_of(files.block, "block"), RawBlock, "block")
    receipts = _receipts(block, files.receipts)
    traced = None if files.traces is None else _executions(block, files.traces)
    height = decode_header(block).height if files.height is None else files.height
    return decode_block(
        height,
        block,
        receipts,
        files.assets,
        traced,
        logged_from=files.logged_from,
        recorded=True,
    )


def is_address(text: str) -> bool:
    """Tell whether text is an address."""
    return HEX_ADDRESS.fullmatch(text) is not None


def _receipts(block: RawBlock, document: bytes | None) -> list[RawReceipt]:
    if document is not None:
        batch = results_of(document, "receipts")
        if batch is None:
            return _typed(result_of(document, "receipts"), list[RawReceipt], "receipts")
        return _in_place(block, [_typed(each, RawReceipt, "receipts") for each in batch])
    if block.transactions:
        raise Incomplete("receipts: none given, and only they say what succeeded")
    return []


def _in_place(block: RawBlock, receipts: list[RawReceipt]) -> list[RawReceipt]:
    """Order receipts that were asked for one by one: a batch is answered in any order."""
    places = {sent.hash.lower(): place for place, sent in enumerate(block.transactions)}
    beyond = len(places)
    return sorted(receipts, key=lambda each: places.get(each.transaction_hash.lower(), beyond))


def _executions(block: RawBlock, document: bytes) -> list[Execution]:
    found = result_of(document, "traces")
    first = _typed(found, list[_Form], "traces")[:1]
    flat = any(each.trace_address is not msgspec.UNSET for each in first)
    try:
        if flat:
            entries = _typed(found, list[RawFlatTrace], "traces")
            return flat_executions((block.hash or "").lower(), entries)
        return executions(_typed(found, list[RawTrace], "traces"))
    except ValueError as trouble:
        raise Incomplete(f"traces: {trouble}") from trouble


def _typed(document: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(document, type=kind)
    except (msgspec.DecodeError, RecursionError) as trouble:
        raise Incomplete(f"{what}: {trouble}") from trouble
