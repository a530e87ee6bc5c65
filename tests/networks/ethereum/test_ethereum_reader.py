"""The eyes against nodes that do not know, know something else, or lie."""

from typing import Any

import pytest

from tests.fakes.node import Answer, RpcFailure, table
from tests.networks.ethereum.blocks import (
    BLOCK_HASH,
    HEIGHT,
    PAYEE,
    TOKEN,
)
from tests.networks.ethereum.reading import BLOCK, RECEIPTS, node, reading
from watchers.network import NATIVE, Incomplete, NodeUnavailable, Tip, WrongChain
from watchers.networks.ethereum.address import SYSTEM, checksummed
from watchers.networks.ethereum.reader import EthereumReader
from watchers.rpc import Endpoints, JsonRpc

pytestmark = pytest.mark.anyio


def tagged(**numbers: int) -> Answer:
    """Answer with a header per tag; tags that are not named fail as geth fails."""

    def answer(method: str, params: list[Any]) -> Any:
        assert method == "eth_getBlockByNumber"
        if params[0] not in numbers:
            raise RpcFailure(-39001, f"{params[0]} block not found")
        return BLOCK | {"number": hex(numbers[params[0]])}

    return answer


async def test_block_and_receipts_make_a_block() -> None:
    """The receipts are asked for by the hash of the block that came."""
    asked = []

    def answer(method: str, params: list[Any]) -> Any:
        asked.append((method, params))
        return BLOCK if method == "eth_getBlockByNumber" else RECEIPTS

    async with reading(answer) as reader:
        block = await reader.read(HEIGHT)
    assert [each.units for each in block.transfers] == [5, 9]
    assert asked == [
        ("eth_getBlockByNumber", [hex(HEIGHT), True]),
        ("eth_getBlockReceipts", [BLOCK_HASH]),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        node(eth_getBlockByNumber=None),
        node(eth_getBlockByNumber=RpcFailure(-32000, "header not found")),
        node(eth_getBlockReceipts=None),
        node(eth_getBlockReceipts=[]),
        node(eth_getBlockReceipts=RECEIPTS[:1]),
        node(eth_getBlockReceipts=RpcFailure(-32000, "unknown block")),
        node(eth_getBlockReceipts=RpcFailure(-32005, "daily limit reached")),
        node(eth_getBlockByNumber=BLOCK | {"number": "0x8"}),
        node(eth_getBlockByNumber=BLOCK | {"hash": "0x" + "0f" * 32}),
    ],
    ids=[
        "no block",
        "block error",
        "no receipts",
        "empty receipts",
        "short receipts",
        "receipts error",
        "limit",
        "another block",
        "another fork",
    ],
)
async def test_empty_is_not_an_answer(answer: Answer) -> None:
    """What one node does not prove is incomplete; the next node is asked the next time."""
    async with reading(answer) as reader:
        with pytest.raises(Incomplete):
            await reader.read(HEIGHT)
    async with reading(answer, node()) as reader:
        with pytest.raises(Incomplete):
            await reader.read(HEIGHT)
        assert len((await reader.read(HEIGHT)).transfers) == 2


@pytest.mark.parametrize("nonsense", [{}, [], "0x", {"number": 7}, BLOCK | {"transactions": 3}])
async def test_another_shape_is_the_nodes_trouble(nonsense: Any) -> None:
    """A document that is no block is no answer at all."""
    async with reading(node(eth_getBlockByNumber=nonsense)) as reader:
        with pytest.raises(NodeUnavailable):
            await reader.read(HEIGHT)


async def test_the_tip_has_head_and_final() -> None:
    """Both come from the node's own tags."""
    async with reading(tagged(latest=40, finalized=36)) as reader:
        assert await reader.tip() == Tip(head=40, final=36)


async def test_without_a_final_block_there_is_no_tip() -> None:
    """The head never stands in for the final block."""
    async with reading(tagged(latest=40)) as reader:
        with pytest.raises(Incomplete, match="finalized"):
            await reader.tip()


async def test_a_lagging_head_bounds_the_final_block() -> None:
    """Two nodes behind one name may contradict each other: the lower height counts."""
    async with reading(tagged(latest=30, finalized=36)) as reader:
        assert await reader.tip() == Tip(head=30, final=30)


async def test_chains_without_the_tag_count_blocks() -> None:
    """A configured depth replaces the tag, and never reaches below genesis."""
    async with reading(tagged(latest=100), finality=64) as reader:
        assert await reader.tip() == Tip(head=100, final=36)
    async with reading(tagged(latest=10), finality=64) as reader:
        assert await reader.tip() == Tip(head=10, final=0)
    async with reading(tagged(latest=10, safe=8), finality="safe") as reader:
        assert await reader.tip() == Tip(head=10, final=8)


async def test_another_block_at_the_height_is_no_reference() -> None:
    """A node that answers with its own tip instead is not believed."""
    async with reading(node()) as reader:
        assert (await reader.ref_at(HEIGHT)).hash == BLOCK_HASH
        with pytest.raises(Incomplete, match="asked for block 8"):
            await reader.ref_at(HEIGHT + 1)


async def test_the_chain_id_is_compared() -> None:
    """Equal passes, another is another chain, nonsense is trouble."""
    async with reading(table(eth_chainId="0x1")) as reader:
        await reader.check_identity()
    async with reading(table(eth_chainId="0x5")) as reader:
        with pytest.raises(WrongChain, match="5"):
            await reader.check_identity()
    for answer in (table(eth_chainId="one"), table()):
        async with reading(answer) as reader:
            with pytest.raises(NodeUnavailable):
                await reader.check_identity()


async def test_balances_are_exact_or_trouble() -> None:
    """Half a word is not a balance, and a missing contract is not zero."""
    async with reading(table(eth_getBalance=hex(10**30), eth_call=f"0x{7:064x}")) as reader:
        assert await reader.balance(PAYEE, NATIVE) == 10**30
        assert await reader.balance(PAYEE, TOKEN) == 7
    for torn in ("0x", "0x07", f"0x{7:064x}00", "0x" + "zz" * 32):
        async with reading(table(eth_call=torn)) as reader:
            with pytest.raises(NodeUnavailable):
                await reader.balance(PAYEE, TOKEN)


@pytest.mark.parametrize("token", ["USDT", checksummed("0x" + "ab" * 20), SYSTEM])
async def test_a_token_list_in_another_spelling_is_a_mistake(token: str) -> None:
    """A contract that could never match, or would count value twice, stops the start."""
    with pytest.raises(ValueError, match=r"token|address"):
        EthereumReader(JsonRpc(Endpoints(["http://127.0.0.1:9"])), 1, frozenset({token}))
