"""What Tron says of destinations before money is held, and what a payment would cost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.networks.tron.documents import HEX, PAYER, POOL, TOKEN, amount_word
from tests.networks.tron.scripted_node import ByQuestion, ScriptedNode, scripted
from watchers.destination import Finding, Prospect
from watchers.network import NATIVE, NodeUnavailable
from watchers.networks.tron.destination import TronDestinations
from watchers.networks.tron.node import address_word
from watchers.networks.tron.quote import ENERGY_HOLDER, TronQuoter
from watchers.networks.tron.transaction import transfer_words
from watchers.rpc import Endpoints

pytestmark = pytest.mark.anyio
TRX = 1_000_000
WORKS = {"result": {"result": True}, "energy_used": 64_285, "constant_result": ["00" * 32]}
FAILS = {"result": {"result": True}, "transaction": {"ret": [{"ret": "REVERT"}]}}


@asynccontextmanager
async def inspecting(node: ScriptedNode) -> AsyncIterator[TronDestinations]:
    """Open an inspector on this node."""
    endpoints = Endpoints([node.url])
    try:
        yield TronDestinations(endpoints)
    finally:
        await endpoints.aclose()


def held(units: int) -> dict[str, Any]:
    """Answer `balanceOf`."""
    return {"result": {"result": True}, "constant_result": [amount_word(units)]}


def transfers(units: int, **answers: Any) -> ByQuestion:
    """Answer calls by their parameter: `balanceOf` of the payer, transfers by destination."""
    named = {"destination": POOL, "source": PAYER}
    tried = {transfer_words(named[name], units): each for name, each in answers.items()}
    return ByQuestion("parameter", {address_word(PAYER): held(units)} | tried)


async def found(node: ScriptedNode, asset: str, units: int = 5 * TRX) -> Finding:
    """Ask about the pool address."""
    async with inspecting(node) as inspector:
        return await inspector.inspect(Prospect(asset, 6, POOL, units, PAYER))


@pytest.mark.parametrize(
    ("account", "finding"),
    [
        ({"address": HEX.account(POOL), "balance": 1}, Finding("wallet")),
        ({}, Finding("new", creates="activation", create_units=1_100_000)),
        (
            {"address": HEX.account(POOL), "type": "Contract"},
            Finding("contract", "cannot_receive", "a contract: the network sends it no TRX"),
        ),
    ],
    ids=["active", "never used", "contract"],
)
async def test_coins_depend_on_the_account(account: dict[str, Any], finding: Finding) -> None:
    """An unused address costs its activation; a contract is refused."""
    async with scripted(getaccount=account) as node:
        assert await found(node, NATIVE) == finding


async def test_a_token_that_refuses_an_address_is_told_from_one_in_trouble() -> None:
    """Only where the payer could be paid does a failure speak of the destination."""
    for own, refusal in ((WORKS, "token_refuses"), (FAILS, None)):
        calls = transfers(7, destination=FAILS, source=own)
        async with scripted(getaccount={}, triggerconstantcontract=calls) as node:
            assert (await found(node, TOKEN)).refusal == refusal


async def test_a_token_goes_to_an_unused_address_and_to_a_contract() -> None:
    """Neither an activation nor a refusal: tokens need neither account nor consent."""
    for account, kind in (({}, "new"), ({"address": "41", "type": "Contract"}, "contract")):
        calls = transfers(7, destination=WORKS)
        async with scripted(getaccount=account, triggerconstantcontract=calls) as node:
            assert await found(node, TOKEN) == Finding(kind)  # type: ignore[arg-type]


async def test_a_node_in_trouble_says_nothing() -> None:
    """Its `Error` is no verdict."""
    async with scripted(getaccount={"Error": "busy"}) as node:
        with pytest.raises(NodeUnavailable):
            await found(node, NATIVE)


async def test_a_quote_burns_what_resources_do_not_cover() -> None:
    """280 bytes at 1000 sun; at most an activation. Tokens: energy at 100 sun, with its margin."""
    calls = ByQuestion(
        "function_selector",
        {"balanceOf(address)": held(9), "transfer(address,uint256)": WORKS},
    )
    spent = {"freeNetLimit": 600, "freeNetUsed": 600}
    for resources, native, token in (
        ({"freeNetLimit": 600}, 0, 6_428_500),
        (spent, 280_000, 6_788_500),
        (spent | {"EnergyLimit": 64_285}, 280_000, 360_000),
    ):
        async with scripted(
            getaccountresource=resources, triggerconstantcontract=calls
        ) as node:
            endpoints = Endpoints([node.url])
            quoter = TronQuoter(endpoints)
            coins, tokens = await quoter.quote(NATIVE, PAYER), await quoter.quote(TOKEN, PAYER)
            await endpoints.aclose()
        assert (coins.typical_units, coins.ceiling_units) == (native, 1_100_000)
        assert (tokens.typical_units, tokens.ceiling_units) == (token, 7_714_200 + 360_000)
        assert tokens.parts["energy"] == "64285"


async def test_an_empty_wallet_still_has_a_quote() -> None:
    """Nothing can be tried with what is not held: the usual figures stand in."""
    async with scripted(triggerconstantcontract=held(0)) as node:
        endpoints = Endpoints([node.url])
        quote = await TronQuoter(endpoints).quote(TOKEN, PAYER)
        await endpoints.aclose()
    assert quote.parts["energy"] == str(ENERGY_HOLDER)
    assert quote.typical_units == ENERGY_HOLDER * 100
