"""Bytes from a node into typed answers; `NodeUnavailable` where they are no answer at all."""

from typing import Any

import msgspec

from watchers.network import Incomplete, NodeUnavailable
from watchers.networks.tron.wire import (
    BlockAnswer,
    Contract,
    Info,
    InfosAnswer,
    Parameter,
    RawData,
    Sent,
    Transaction,
)

_BLOCK = msgspec.json.Decoder(BlockAnswer[Parameter])
_ODD = msgspec.json.Decoder(BlockAnswer[Any])
_INFOS: msgspec.json.Decoder[InfosAnswer] = msgspec.json.Decoder(InfosAnswer)
_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def parsed_block(body: bytes) -> BlockAnswer[Parameter]:
    """Read a block; `Incomplete` where a transaction has not exactly one contract."""
    try:
        answer = _BLOCK.decode(body)
    except msgspec.ValidationError:
        answer = _odd_block(body)
    except _NOT_JSON as trouble:
        raise NodeUnavailable(f"block: {trouble}") from trouble
    if answer.error is not None:
        raise NodeUnavailable(f"block: {answer.error}")
    return answer


def parsed_infos(body: bytes) -> tuple[Info, ...]:
    """Read infos; none where the answer is an empty object."""
    try:
        answer = _INFOS.decode(body)
    except _NOT_JSON as trouble:
        raise NodeUnavailable(f"transaction infos: {trouble}") from trouble
    if isinstance(answer, tuple):
        return answer
    if answer.error is not None:
        raise NodeUnavailable(f"transaction infos: {answer.error}")
    return ()


def _odd_block(body: bytes) -> BlockAnswer[Parameter]:
    """Read a block in which a contract has another shape than those that we know."""
    try:
        answer = _ODD.decode(body)
        sent = tuple(_readable(each) for each in answer.transactions)
    except msgspec.ValidationError as trouble:
        if "contract" in str(trouble):
            raise Incomplete(f"not exactly one contract in a transaction: {trouble}") from None
        raise NodeUnavailable(f"block: {trouble}") from trouble
    except _NOT_JSON as trouble:
        raise NodeUnavailable(f"block: {trouble}") from trouble
    return BlockAnswer(
        error=answer.error,
        block_id=answer.block_id,
        block_header=answer.block_header,
        transactions=sent,
    )


def _readable(odd: Transaction[Any]) -> Sent:
    """Return it without a parameter that cannot be read."""
    (contract,) = odd.raw_data.contract
    try:
        parameter = msgspec.convert(contract.parameter, Parameter | None)
    except msgspec.ValidationError:
        parameter = None
    read = Contract(parameter, contract.type)
    return Transaction(ret=odd.ret, tx_id=odd.tx_id, raw_data=RawData((read,)))
