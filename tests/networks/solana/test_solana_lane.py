"""The value that a payment is signed on: final, and never one node's word against another's."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from tests.networks.solana import states
from tests.networks.solana.documents import TOKENS, block_hash
from tests.networks.solana.node import Node, account, serving
from tests.networks.solana.test_solana_writer import (
    HOT,
    LANE,
    NONCE_VALUE,
    SLOT,
    SOL,
    funded,
)
from watchers.network import Incomplete
from watchers.networks.solana.accounts import SYSTEM_PROGRAM
from watchers.networks.solana.writer import SolanaWriter
from watchers.rpc import Endpoints, JsonRpc

pytestmark = pytest.mark.anyio
FALSE_VALUE = block_hash(666)


def liar() -> Node:
    """Return a cluster that shows a value which the account never held."""
    node = funded()
    node.accounts[LANE] = account(SYSTEM_PROGRAM, states.nonce_account(HOT, FALSE_VALUE))
    return node


def silent() -> Node:
    """Return a node that does not tell."""
    return Node(faults={"getMultipleAccounts": -32005})


def broken() -> Node:
    """Return a node whose account is no base64."""
    node = funded()
    node.accounts[LANE] = {**node.accounts[LANE], "data": ["?", "base64"]}
    return node


async def signed_on(nodes: Sequence[Node], quorum: int) -> str:
    """Return the value of the payment that a writer over these nodes prepares."""
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serving(node)) for node in nodes]
        writer = SolanaWriter(JsonRpc(Endpoints(urls)), "solana", TOKENS, quorum)
        stack.push_async_callback(writer.aclose)
        intent = await writer.prepare(SOL, SLOT)
        assert await writer.nonce_account_state(LANE) == intent["nonce_value"]
        return str(intent["nonce_value"])


async def test_a_node_that_lies_about_the_value_is_outvoted() -> None:
    """It answers first, and two others know better."""
    assert await signed_on([liar(), funded(), funded()], 2) == NONCE_VALUE
    assert await signed_on([liar(), funded(), funded()], 1) == NONCE_VALUE


@pytest.mark.parametrize(
    "nodes",
    [[liar(), funded()], [funded(), silent()], [silent(), silent()], [funded(), broken()]],
)
async def test_nothing_is_signed_while_too_few_nodes_agree_about_the_value(
    nodes: list[Node],
) -> None:
    """A payment waits; one on a false value would wait for ever."""
    with pytest.raises(Incomplete, match=LANE):
        await signed_on(nodes, 2)


async def test_of_two_nodes_neither_is_believed_against_the_other() -> None:
    """Where one is enough, it is enough as long as nobody contradicts."""
    assert await signed_on([funded(), silent()], 1) == NONCE_VALUE
    with pytest.raises(Incomplete, match=LANE):
        await signed_on([liar(), funded()], 1)


async def test_only_a_final_value_is_signed_on() -> None:
    """What is not final may be undone, and its value with it."""
    node = funded()
    await signed_on([node], 1)
    asked = [params for method, params in node.asked if method == "getMultipleAccounts"]
    lanes = [config for addresses, config in asked if addresses == [LANE]]
    assert {config["commitment"] for config in lanes} == {"finalized"}
