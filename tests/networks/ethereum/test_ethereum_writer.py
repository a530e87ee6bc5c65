"""The hands against nodes and tokens that are in trouble, in the way, or against us."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.fakes.node import Answer, RpcFailure, serving, table
from tests.networks.ethereum.blocks import PAYEE, SENDER, TOKEN
from watchers.network import (
    NATIVE,
    BroadcastRejected,
    Incomplete,
    NodeUnavailable,
    PayoutOrder,
    Refused,
    Slot,
)
from watchers.networks.ethereum.address import ZERO, checksummed
from watchers.networks.ethereum.writer import EthereumWriter
from watchers.rpc import Endpoints, JsonRpc

pytestmark = pytest.mark.anyio
GWEI = 10**9
ETHER = 10**18
TRUE = f"0x{1:064x}"


def order(
    asset: str = TOKEN, to: str = PAYEE, units: int = 500, ceiling: int = ETHER
) -> PayoutOrder:
    """Return an approved payout."""
    return PayoutOrder("wdr_1", asset, 6, to, units, SENDER, ceiling)


def node(answer: Any = TRUE, **changes: Any) -> Answer:
    """Answer as a healthy node; `answer` is what the token's `transfer` returns."""
    fixed = {
        "eth_getBalance": hex(ETHER),
        "eth_estimateGas": hex(50_000),
        "eth_feeHistory": {"baseFeePerGas": [hex(GWEI)] * 21, "reward": [["0x5"]] * 20},
        "eth_getTransactionCount": "0x7",
    } | changes
    respond = table(**fixed)

    def with_calls(method: str, params: list[Any]) -> Any:
        if method != "eth_call" or "eth_call" in changes:
            return respond(method, params)
        if "from" not in params[0]:
            return f"0x{1000:064x}"  # balanceOf
        if isinstance(answer, Exception):
            raise answer
        return answer

    return with_calls


@asynccontextmanager
async def writing(answer: Answer, *more: str) -> AsyncIterator[EthereumWriter]:
    """Yield a writer over one node and perhaps other URLs."""
    async with serving(answer) as running:
        writer = EthereumWriter(JsonRpc(Endpoints([running.url, *more])), 1, "ethereum")
        try:
            yield writer
        finally:
            await writer.aclose()


async def test_the_intent_carries_order_slot_and_chain_facts() -> None:
    """Every number that will be signed, as the keystore's schema spells it."""
    async with writing(node()) as writer:
        intent = await writer.prepare(order(to=checksummed(PAYEE)), Slot(nonce=7))
    assert intent == {
        "family": "ethereum",
        "withdrawal_id": "wdr_1",
        "network": "ethereum",
        "asset": TOKEN,
        "to": PAYEE,
        "units": "500",
        "chain_id": 1,
        "nonce": 7,
        "gas_limit": 60_000,
        "max_fee_per_gas": str(2 * GWEI + 5),
        "max_priority_fee_per_gas": "5",
    }


async def test_a_token_that_answers_nothing_is_paid() -> None:
    """USDT on mainnet returns no value where it succeeds."""
    async with writing(node("0x")) as writer:
        assert await writer.prepare(order(), Slot(nonce=0))


@pytest.mark.parametrize(
    ("reason", "answer"),
    [
        ("answered", node(f"0x{0:064x}")),
        ("answered", node(TRUE + "00")),
        ("sender is frozen", node(RpcFailure(3, "execution reverted: sender is frozen"))),
        ("insufficient", node(eth_estimateGas=RpcFailure(-32000, "insufficient funds"))),
        ("payment and gas", node(eth_getBalance="0x0")),
        ("holds 1000", node(eth_getBalance=hex(ETHER))),
    ],
)
async def test_what_cannot_succeed_is_refused(reason: str, answer: Answer) -> None:
    """False, a revert with its reason, no gas, no tokens: before anything is signed."""
    units = 1001 if reason == "holds 1000" else 500
    async with writing(answer) as writer:
        with pytest.raises(Refused, match=reason):
            await writer.prepare(order(units=units), Slot(nonce=0))


@pytest.mark.parametrize(
    "answer",
    [
        node(RpcFailure(-32005, "rate limited")),
        node(eth_estimateGas=RpcFailure(-32603, "internal error")),
        node(eth_estimateGas="soon"),
        node(eth_feeHistory={"baseFeePerGas": []}),
        node(eth_feeHistory={"baseFeePerGas": ["0x1"], "reward": [[]]}),
        node(eth_feeHistory=RpcFailure(-32601, "no such method")),
        node(eth_getBalance="much"),
        node(eth_call="0x"),
    ],
)
async def test_a_node_in_trouble_is_no_refusal(answer: Answer) -> None:
    """The payout waits: nothing was learned about it."""
    async with writing(answer) as writer:
        with pytest.raises(NodeUnavailable):
            await writer.prepare(order(), Slot(nonce=0))


@pytest.mark.parametrize("estimate", ["0x0", "0x64", "0x5208", "0x1c9c381"])
async def test_an_estimate_that_would_never_land_is_believed_by_nobody(estimate: str) -> None:
    """A token payment of 21,000 gas fails in every block's eyes, yet keeps its nonce."""
    async with writing(node(eth_estimateGas=estimate)) as writer:
        with pytest.raises(Incomplete, match="estimates"):
            await writer.prepare(order(), Slot(nonce=0))


@pytest.mark.parametrize(
    "to", ["", "TLyqzVGLV1srkB7dToTAEqgDSfPtXRJZYH", ZERO, TOKEN, "0x" + "Aa" * 20]
)
async def test_a_destination_that_burns_money_is_refused(to: str) -> None:
    """Another network's address, the zero address, the token itself, a wrong checksum."""
    async with writing(node()) as writer:
        with pytest.raises(Refused, match="destination"):
            await writer.prepare(order(to=to), Slot(nonce=0))


async def test_a_native_payment_counts_amount_and_gas_together() -> None:
    """The whole balance cannot be paid out: gas comes from the same coin."""
    answer = node(eth_estimateGas=hex(21_000))
    fee = 21_000 * (2 * GWEI + 5)
    async with writing(answer) as writer:
        intent = await writer.prepare(order(NATIVE, units=ETHER - fee), Slot(nonce=0))
        assert intent["gas_limit"] == 21_000
        with pytest.raises(Refused, match="payment and gas"):
            await writer.prepare(order(NATIVE, units=ETHER - fee + 1), Slot(nonce=0))


async def test_the_ceiling_lowers_the_offer_before_it_refuses() -> None:
    """Twice the base fee is a comfort, the next block's fee is a need."""
    needed = 60_000 * (GWEI + 5)
    async with writing(node()) as writer:
        intent = await writer.prepare(order(ceiling=needed), Slot(nonce=0))
        assert int(intent["max_fee_per_gas"]) == GWEI + 5
        with pytest.raises(Refused, match="ceiling"):
            await writer.prepare(order(ceiling=needed - 1), Slot(nonce=0))


async def test_a_payout_without_a_nonce_is_a_bug() -> None:
    """The slot comes from our own book, never from the node."""
    async with writing(node()) as writer:
        assert await writer.next_nonce(SENDER) == 7
        with pytest.raises(ValueError, match="nonce"):
            await writer.prepare(order(), Slot())


@pytest.mark.parametrize(
    "words", ["already known", "nonce too low", "transaction already imported"]
)
async def test_a_rejection_keeps_the_nodes_words(words: str) -> None:
    """They go to the log and decide nothing."""
    async with writing(table(eth_sendRawTransaction=RpcFailure(-32000, words))) as writer:
        with pytest.raises(BroadcastRejected, match=words):
            await writer.broadcast(b"\x02\xc0")


async def test_one_willing_node_is_enough() -> None:
    """A node that is away does not undo what another one took."""
    nobody = "http://127.0.0.1:9"
    async with writing(table(eth_sendRawTransaction="0xab"), nobody) as writer:
        await writer.broadcast(b"\x02\xc0")


async def test_a_broadcast_that_reached_nobody_is_trouble() -> None:
    """No node heard it: it is sent again."""
    async with writing(table(eth_sendRawTransaction=None)) as writer:
        with pytest.raises(NodeUnavailable):
            await writer.broadcast(b"\x02\xc0")
