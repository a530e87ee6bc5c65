"""Hands on Tron against a node whose state a test chooses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from keystore.api import TronIntent
from tests.networks.tron.documents import (
    HEIGHT,
    HEX,
    PAYER,
    POOL,
    TOKEN,
    amount_word,
    block,
    block_id,
)
from tests.networks.tron.scripted_node import ByQuestion, ScriptedNode, scripted
from watchers.network import (
    NATIVE,
    BroadcastRejected,
    Incomplete,
    NodeUnavailable,
    PayoutOrder,
    Refused,
    Slot,
)
from watchers.networks.tron.writer import TronWriter
from watchers.rpc import Endpoints

pytestmark = pytest.mark.anyio
NOW_MS = 1_732_627_338_000
TRX = 1_000_000
RICH = {"address": HEX.account(PAYER), "balance": 1_000 * TRX}
KNOWN = {"address": HEX.account(POOL), "balance": 1}
NO_RESOURCES: dict[str, Any] = {"freeNetLimit": 600, "freeNetUsed": 600}


@asynccontextmanager
async def writing(node: ScriptedNode, **options: Any) -> AsyncIterator[TronWriter]:
    """Open a writer over this node; its clock stands still."""
    node.answers["/walletsolidity/getblock"] = block()
    writer = TronWriter(Endpoints([node.url]), "tron", lambda: NOW_MS, **options)
    try:
        yield writer
    finally:
        await writer.aclose()


def accounts(payer: dict[str, Any], destination: dict[str, Any]) -> ByQuestion:
    """Answer `getaccount` for payer and destination."""
    return ByQuestion("address", {HEX.account(PAYER): payer, HEX.account(POOL): destination})


def token(held: int, transfer: dict[str, Any] | None = None) -> ByQuestion:
    """Answer `balanceOf` and the simulated `transfer`."""
    success = {
        "result": {"result": True},
        "energy_used": 64_285,
        "constant_result": ["00" * 32],
    }
    return ByQuestion(
        "function_selector",
        {
            "balanceOf(address)": {
                "result": {"result": True},
                "constant_result": [amount_word(held)],
            },
            "transfer(address,uint256)": transfer or success,
        },
    )


def order(units: int = 5 * TRX, asset: str = NATIVE, **other: Any) -> PayoutOrder:
    """Return an approved payout from the payer to the pool address."""
    fields: dict[str, Any] = {
        "withdrawal_id": "wdr_1",
        "asset": asset,
        "decimals": 6,
        "destination": POOL,
        "units": units,
        "source": PAYER,
        "fee_ceiling_units": 30 * TRX,
    }
    return PayoutOrder(**{**fields, **other})


async def prepared(node: ScriptedNode, wanted: PayoutOrder, **options: Any) -> TronIntent:
    """Prepare and read the result as the keystore would."""
    async with writing(node, **options) as writer:
        intent = await writer.prepare(wanted, Slot())
    assert intent["family"] == "tron"
    return msgspec.convert(intent, TronIntent)


async def test_a_native_intent_carries_a_solid_block_and_six_hours() -> None:
    """No fee limit; the reference cannot fork away; the clock is the caller's."""
    async with scripted(getaccount=accounts(RICH, KNOWN)) as node:
        intent = await prepared(node, order())
    assert intent == TronIntent(
        withdrawal_id="wdr_1",
        network="tron",
        asset=NATIVE,
        to=POOL,
        units="5000000",
        ref_block_id=block_id(HEIGHT),
        expiration_ms=NOW_MS + 6 * 3_600_000,
        timestamp_ms=NOW_MS,
        fee_limit=0,
    )


async def test_the_node_never_builds_a_transaction() -> None:
    """Neither `createtransaction` nor `triggersmartcontract` is ever called."""
    async with scripted(
        getaccount=accounts(RICH, KNOWN), triggerconstantcontract=token(9 * TRX)
    ) as node:
        await prepared(node, order())
        await prepared(node, order(asset=TOKEN))
    assert set(node.paths()) == {
        "/wallet/getchainparameters",
        "/wallet/getaccount",
        "/wallet/getaccountresource",
        "/wallet/triggerconstantcontract",
        "/walletsolidity/getblock",
    }


async def test_a_token_intent_limits_the_fee_to_its_simulation_and_a_fifth() -> None:
    """64285 energy at 100 sun, times 1.2; the lifetime is the operator's."""
    async with scripted(
        getaccount=accounts(RICH, {}), triggerconstantcontract=token(9 * TRX)
    ) as node:
        intent = await prepared(node, order(asset=TOKEN), lifetime_hours=2)
    assert (intent.asset, intent.fee_limit) == (TOKEN, 7_714_200)
    assert intent.expiration_ms == NOW_MS + 2 * 3_600_000


@pytest.mark.parametrize("hours", [0, 24])
async def test_a_lifetime_that_the_chain_refuses_is_refused_at_start(hours: int) -> None:
    """Between 1 and 23 hours."""
    with pytest.raises(ValueError, match="lifetime_hours"):
        TronWriter(Endpoints(["http://127.0.0.1:1"]), "tron", lambda: 0, lifetime_hours=hours)


@pytest.mark.parametrize(
    ("destination", "resources", "fee"),
    [
        (KNOWN, {"freeNetLimit": 600}, 0),
        (KNOWN, NO_RESOURCES, 280_000),
        ({}, {"freeNetLimit": 600}, 1_100_000),
    ],
    ids=["free bandwidth", "burned bandwidth", "first payment to an address"],
)
async def test_a_native_payment_needs_amount_and_fee(
    destination: dict[str, Any], resources: dict[str, Any], fee: int
) -> None:
    """Exactly enough is enough, one sun less is refused; the ceiling counts the same."""
    for held, ceiling, fits in [
        (5 * TRX + fee, fee, True),
        (5 * TRX + fee - 1, fee, False),
        (9 * TRX, fee - 1, False),
    ]:
        payer = RICH | {"balance": held}
        async with scripted(
            getaccount=accounts(payer, destination), getaccountresource=resources
        ) as node:
            wanted = order(fee_ceiling_units=ceiling)
            if fits:
                assert await prepared(node, wanted)
            else:
                with pytest.raises(Refused):
                    await prepared(node, wanted)


@pytest.mark.parametrize(
    ("balance", "ceiling", "resources", "fits"),
    [
        (7_714_200, 7_714_200, {"freeNetLimit": 600}, True),
        (7_714_199, 7_714_200, {"freeNetLimit": 600}, False),
        (7_714_200, 7_714_199, {"freeNetLimit": 600}, False),
        (8_074_200, 8_074_200, NO_RESOURCES, True),
        (8_074_199, 8_074_200, NO_RESOURCES, False),
        (0, 7_714_200, {"freeNetLimit": 600, "EnergyLimit": 77_142}, True),
        (0, 7_714_200, {"freeNetLimit": 600, "EnergyLimit": 77_141}, False),
    ],
)
async def test_a_token_payment_needs_trx_for_its_fees(
    balance: int, ceiling: int, resources: dict[str, Any], *, fits: bool
) -> None:
    """Staked energy saves TRX, but the ceiling bounds the whole limit."""
    async with scripted(
        getaccount=accounts(RICH | {"balance": balance}, {}),
        getaccountresource=resources,
        triggerconstantcontract=token(5 * TRX),
    ) as node:
        wanted = order(asset=TOKEN, fee_ceiling_units=ceiling)
        if fits:
            assert (await prepared(node, wanted)).fee_limit == 7_714_200
        else:
            with pytest.raises(Refused):
                await prepared(node, wanted)


@pytest.mark.parametrize(
    "transfer",
    [
        {"result": {"result": True, "message": b"REVERT opcode executed".hex()}},
        {
            "result": {
                "code": "CONTRACT_VALIDATE_ERROR",
                "message": "Smart contract is not exist.",
            }
        },
        {"result": {"result": True}, "transaction": {"ret": [{"ret": "FAILED"}]}},
    ],
)
async def test_a_transfer_that_would_fail_is_refused(transfer: dict[str, Any]) -> None:
    """The simulation speaks before anything is signed."""
    answers = {
        "getaccount": accounts(RICH, {}),
        "triggerconstantcontract": token(9 * TRX, transfer),
    }
    async with scripted(**answers) as node:
        with pytest.raises(Refused, match="would fail"):
            await prepared(node, order(asset=TOKEN))


async def test_a_simulation_without_energy_is_no_answer() -> None:
    """A fee limit of zero would burn nothing and pay nothing."""
    answers = {
        "getaccount": accounts(RICH, {}),
        "triggerconstantcontract": token(9 * TRX, {"result": {"result": True}}),
    }
    async with scripted(**answers) as node:
        with pytest.raises(Incomplete, match="energy"):
            await prepared(node, order(asset=TOKEN))


@pytest.mark.parametrize(
    "wanted",
    [
        order(destination="TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u"),
        order(destination=PAYER),
        order(asset=TOKEN, destination=TOKEN),
        order(asset="USDT", destination=POOL),
        order(units=0),
        order(units=-5),
        order(9 * TRX + 1, TOKEN),
    ],
    ids=[
        "checksum",
        "itself",
        "own contract",
        "no asset",
        "zero",
        "negative",
        "too many tokens",
    ],
)
async def test_an_order_that_cannot_be_paid_is_refused(wanted: PayoutOrder) -> None:
    """Whatever the chain says about fees."""
    async with scripted(
        getaccount=accounts(RICH, KNOWN), triggerconstantcontract=token(9 * TRX)
    ) as node:
        with pytest.raises(Refused):
            await prepared(node, wanted)


async def test_trx_to_a_contract_is_refused() -> None:
    """The chain would not take it either."""
    contract = KNOWN | {"type": "Contract"}
    async with scripted(getaccount=accounts(RICH, contract)) as node:
        with pytest.raises(Refused, match="contract"):
            await prepared(node, order())


async def test_there_is_no_nonce() -> None:
    """The answer needs no node."""
    async with scripted() as node, writing(node) as writer:
        assert await writer.next_nonce(PAYER) == 0
    assert node.asked == []


async def test_broadcast_hands_over_the_bytes_in_hex() -> None:
    """SUCCESS, spelled out or as the omitted default, is silence."""
    async with scripted(broadcasthex={"result": True}) as node, writing(node) as writer:
        await writer.broadcast(b"\x0a\x0b")
        node.answers["/wallet/broadcasthex"] = {"result": True, "code": "SUCCESS", "txid": "00"}
        await writer.broadcast(b"\x0a\x0b")
    assert [question["transaction"] for _, question in node.asked] == ["0a0b", "0a0b"]


@pytest.mark.parametrize("message", ["Dup transaction.", b"Dup transaction.".hex()])
async def test_a_declined_broadcast_carries_the_nodes_words(message: str) -> None:
    """Plain or in hex; the caller logs them and believes nothing."""
    answer = {"result": False, "code": "DUP_TRANSACTION_ERROR", "message": message}
    async with scripted(broadcasthex=answer) as node, writing(node) as writer:
        with pytest.raises(
            BroadcastRejected, match=r"DUP_TRANSACTION_ERROR: Dup transaction\."
        ):
            await writer.broadcast(b"\x0a")


@pytest.mark.parametrize("answer", [{}, {"Error": "busy"}, b"<html>"])
async def test_a_broadcast_without_an_answer_is_unavailable(answer: Any) -> None:
    """Nothing is known then, not even a refusal."""
    async with scripted(broadcasthex=answer) as node, writing(node) as writer:
        with pytest.raises(NodeUnavailable):
            await writer.broadcast(b"\x0a")
