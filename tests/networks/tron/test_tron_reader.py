"""Eyes on Tron against a node that errs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.networks.tron.documents import (
    HEIGHT,
    HEX,
    POOL,
    TOKEN,
    amount_word,
    block,
    block_id,
    call_info,
    contract_call,
    info,
    internal,
    trx_transfer,
)
from tests.networks.tron.scripted_node import ByQuestion, ScriptedNode, scripted
from watchers.network import NATIVE, Incomplete, NodeUnavailable, Tip, WrongChain
from watchers.networks.tron.reader import TronReader
from watchers.rpc import Endpoints

pytestmark = pytest.mark.anyio
GENESIS = "00" * 8 + "ab" * 24


def header_alone(root: str) -> dict[str, Any]:
    """Return a block that lists nothing, with this root over its transactions."""
    listed = block()
    listed["block_header"]["raw_data"]["txTrieRoot"] = root
    return listed


@asynccontextmanager
async def reading(*nodes: ScriptedNode) -> AsyncIterator[TronReader]:
    """Open a reader over these nodes."""
    reader = TronReader(Endpoints([node.url for node in nodes]), GENESIS, frozenset({TOKEN}))
    try:
        yield reader
    finally:
        await reader.aclose()


async def test_a_block_takes_two_calls_without_foreign_text() -> None:
    """Both calls ask for hex, so that no account's name can break the answer."""
    answers = {
        "getblockbynum": block(trx_transfer("a", 7)),
        "gettransactioninfobyblocknum": [info("a")],
    }
    async with scripted(**answers) as node, reading(node) as reader:
        seen = await reader.read(HEIGHT)
    assert [each.units for each in seen.transfers] == [7]
    assert node.asked == [
        ("/wallet/getblockbynum", {"num": HEIGHT, "visible": False}),
        ("/wallet/gettransactioninfobyblocknum", {"num": HEIGHT, "visible": False}),
    ]


@pytest.mark.parametrize(
    ("listed", "infos", "fault"),
    [
        ({}, [], Incomplete),
        (block(trx_transfer("a", 7)), [], Incomplete),
        (header_alone("ab" * 32), [], Incomplete),
        (header_alone("ab" * 32), {}, Incomplete),
        ({"Error": "class java.lang.NullPointerException : null"}, [], NodeUnavailable),
        (block(trx_transfer("a", 7)), {"Error": "busy"}, NodeUnavailable),
        (b"<html>rate limit</html>", [], NodeUnavailable),
    ],
)
async def test_after_a_useless_answer_another_node_is_asked(
    listed: Any, infos: Any, fault: type[Exception]
) -> None:
    """The block is never skipped: it comes whole from the next provider."""
    good = {
        "getblockbynum": block(trx_transfer("a", 7)),
        "gettransactioninfobyblocknum": [info("a")],
    }
    bad = {"getblockbynum": listed, "gettransactioninfobyblocknum": infos}
    async with (
        scripted(**bad) as first,
        scripted(**good) as second,
        reading(first, second) as reader,
    ):
        with pytest.raises(fault):
            await reader.read(HEIGHT)
        seen = await reader.read(HEIGHT)
    assert [each.units for each in seen.transfers] == [7]


@pytest.mark.parametrize("infos", [[], {}])
async def test_a_block_whose_root_is_that_of_nothing_is_empty(infos: Any) -> None:
    """32 zero octets are the root over no transactions, and need no other node."""
    answers = {
        "getblockbynum": header_alone("00" * 32),
        "gettransactioninfobyblocknum": infos,
    }
    async with scripted(**answers) as node, reading(node) as reader:
        seen = await reader.read(HEIGHT)
    assert (seen.transfers, len(seen.outcomes)) == ((), 0)


@pytest.mark.parametrize("known", [True, False])
async def test_case_49_a_block_says_whether_the_node_keeps_inner_payments(
    *, known: bool
) -> None:
    """Known of the node, or seen in the block itself; otherwise balances must be compared."""
    answers = {
        "getblockbynum": block(trx_transfer("a", 7)),
        "gettransactioninfobyblocknum": [info("a")],
    }
    async with scripted(**answers) as node:
        reader = TronReader(Endpoints([node.url]), GENESIS, internal=lambda: known)
        assert (await reader.read(HEIGHT)).internal is known
        inner = internal({"callValue": 9}, rejected=True)
        called = call_info("a", internal_transactions=[inner])
        node.answers["/wallet/getblockbynum"] = block(contract_call("a"))
        node.answers["/wallet/gettransactioninfobyblocknum"] = [called]
        assert (await reader.read(HEIGHT)).internal
        await reader.aclose()


async def test_the_head_is_never_below_the_final_block() -> None:
    """Two providers may answer the two calls; the newer height wins."""
    async with scripted(getblock=block(height=90)) as node, reading(node) as reader:
        node.answers["/walletsolidity/getblock"] = block(height=95)
        assert await reader.tip() == Tip(head=95, final=95)
        node.answers["/wallet/getblock"] = block(height=114)
        assert await reader.tip() == Tip(head=114, final=95)


async def test_a_node_without_a_solid_block_has_no_tip() -> None:
    """No final height is not height 0."""
    async with scripted(getblock=block()) as node, reading(node) as reader:
        node.answers["/walletsolidity/getblock"] = {}
        with pytest.raises(Incomplete):
            await reader.tip()


async def test_another_genesis_is_another_chain() -> None:
    """The id of block 0 pins the network."""
    other = {"blockID": "00" * 8 + "cd" * 24, "block_header": {"raw_data": {}}}
    async with scripted(getblock=other) as node, reading(node) as reader:
        with pytest.raises(WrongChain, match="cdcd"):
            await reader.check_identity()
        node.answers["/wallet/getblock"] = other | {"blockID": GENESIS}
        await reader.check_identity()


async def test_the_identity_of_another_height_is_incomplete() -> None:
    """A node that answers for another block than asked does not know this one."""
    async with scripted(getblock=block(height=HEIGHT + 1)) as node, reading(node) as reader:
        with pytest.raises(Incomplete, match="asked for"):
            await reader.ref_at(HEIGHT)
        node.answers["/wallet/getblock"] = block()
        assert (await reader.ref_at(HEIGHT)).hash == block_id(HEIGHT)


async def test_balances_are_read_in_base_units() -> None:
    """An account that does not exist holds 0; a token's balance is the whole word."""
    result = {"result": {"result": True}, "constant_result": [amount_word(2**200)]}
    accounts = ByQuestion(
        "address", {HEX.account(POOL): {"balance": 12}, HEX.account(TOKEN): {}}
    )
    answers = {"getaccount": accounts, "triggerconstantcontract": result}
    async with scripted(**answers) as node, reading(node) as reader:
        assert await reader.balance(POOL, NATIVE) == 12
        assert await reader.balance(TOKEN, NATIVE) == 0
        assert await reader.balance(POOL, TOKEN) == 2**200


@pytest.mark.parametrize(
    "answer",
    [
        {"result": {"code": "CONTRACT_VALIDATE_ERROR", "message": "6e6f"}},
        {"result": {"result": True, "message": "52"}, "constant_result": [""]},
        {"result": {"result": True}, "constant_result": [""]},
        {"result": {"result": True}},
        {
            "result": {"result": True},
            "constant_result": [amount_word(1)],
            "transaction": {"ret": [{"ret": "FAILED"}]},
        },
        {},
    ],
)
async def test_a_token_that_does_not_answer_has_no_balance(answer: dict[str, Any]) -> None:
    """Never taken for 0."""
    async with scripted(triggerconstantcontract=answer) as node, reading(node) as reader:
        with pytest.raises(Incomplete, match="balanceOf"):
            await reader.balance(POOL, TOKEN)
