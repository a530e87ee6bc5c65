"""What an EVM chain says of destinations before money is held, and what a payment would cost."""

from collections.abc import AsyncIterator

import pytest

from devnet import anvil
from devnet.anvil import PAYER, AnvilChain
from devnet.contracts import cases
from tests.fakes.node import RpcFailure, serving, table
from tests.networks.ethereum.blocks import PAYEE, SENDER, TOKEN
from watchers.destination import Finding, Prospect
from watchers.network import NATIVE, NodeUnavailable
from watchers.networks.ethereum.destination import EthereumDestinations
from watchers.networks.ethereum.quote import TOKEN_GAS, EthereumQuoter
from watchers.rpc import Endpoints, JsonRpc

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
POOR = "0x" + "77" * 20
RICHES = 10**30
"""More than any account of the test chain holds: the state override grants it."""
CANNOT = "the contract at this address turns the payment away"


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[AnvilChain]:
    """Run one anvil for the module."""
    async with anvil.running() as running:
        yield running


@pytest.fixture
async def rpc(chain: AnvilChain) -> AsyncIterator[JsonRpc]:
    """Yield a client of the chain."""
    client = JsonRpc(Endpoints([chain.url]))
    yield client
    await client.endpoints.aclose()


def coins(to: str, units: int = 5, source: str = PAYER) -> Prospect:
    """Return a payment of wei."""
    return Prospect(NATIVE, 18, to, units, source)


async def test_coins_go_to_whatever_takes_them(chain: AnvilChain, rpc: JsonRpc) -> None:
    """A new address, a contract that accepts, also where the payer has nothing yet."""
    inspector = EthereumDestinations(rpc)
    accepting = await chain.create(cases.stored_forwarder(await chain.fresh_address()))
    assert await inspector.inspect(coins(await chain.fresh_address())) == Finding("wallet")
    for source in (PAYER, POOR):
        prospect = coins(accepting, RICHES, source)
        assert await inspector.inspect(prospect) == Finding("contract")


async def test_a_contract_that_turns_coins_away_is_refused(
    chain: AnvilChain, rpc: JsonRpc
) -> None:
    """It reverts, runs into an invalid instruction, or is a token without a way to take them."""
    inspector = EthereumDestinations(rpc)
    invalid = await chain.fresh_address()
    await chain.etch(invalid, b"\xfe")
    reverting = await chain.create(cases.reverting_forwarder(PAYER))
    for contract in (invalid, reverting, chain.token):
        found = await inspector.inspect(coins(contract))
        assert found == Finding("contract", "cannot_receive", CANNOT), contract


async def test_a_delegated_wallet_is_a_wallet_unless_its_code_refuses(
    chain: AnvilChain, rpc: JsonRpc
) -> None:
    """EIP-7702: its key is somebody's; the code that it borrows still runs when coins arrive."""
    inspector = EthereumDestinations(rpc)
    takes = await chain.create(cases.stored_forwarder(await chain.fresh_address()))
    refuses = await chain.create(cases.reverting_forwarder(PAYER))
    for lender, refusal in ((takes, None), (refuses, "cannot_receive")):
        wallet = await chain.fresh_address()
        await chain.etch(wallet, bytes.fromhex("ef0100" + lender[2:]))
        found = await inspector.inspect(coins(wallet))
        assert found.refusal == refusal
        assert refusal or found.kind == "wallet"


async def test_a_token_that_refuses_an_address_is_told_from_one_in_trouble(
    chain: AnvilChain, rpc: JsonRpc
) -> None:
    """Blacklisted is the destination's fault; paused, or a payer without any, is not."""
    inspector = EthereumDestinations(rpc)
    token = await chain.create(cases.freezable_token(PAYER, 1_000))
    banned, free = await chain.fresh_address(), await chain.fresh_address()
    await chain.call(token, "addBlackList(address)", banned)

    async def asked(to: str, source: str = PAYER) -> str | None:
        return (await inspector.inspect(Prospect(token, 6, to, 5_000, source))).refusal

    assert [await asked(banned), await asked(free)] == ["token_refuses", None]
    assert [await asked(banned, POOR), await asked(free, POOR)] == ["token_refuses", None]
    await chain.call(token, "pause()")
    assert [await asked(banned), await asked(free)] == [None, None]


async def test_a_node_in_trouble_says_nothing() -> None:
    """A node that refuses to look is not a destination that refuses money; no override, no verdict."""
    odd = table(eth_getCode="0x60", eth_call=RpcFailure(-32602, "too many arguments"))
    async with serving(odd) as node:
        inspector = EthereumDestinations(JsonRpc(Endpoints([node.url])))
        assert await inspector.inspect(coins(PAYEE)) == Finding("contract")
        node.answer = table(eth_getCode=RpcFailure(-32000, "busy"))
        with pytest.raises(NodeUnavailable):
            await inspector.inspect(coins(PAYEE))
        await inspector.rpc.endpoints.aclose()


async def test_a_quote_is_gas_at_the_markets_price() -> None:
    """Typical: base fee and tip; at most: what is offered, for the whole limit."""
    gwei = 10**9
    history = {"baseFeePerGas": [hex(gwei)] * 21, "reward": [["0x5"]] * 20}
    held = table(eth_feeHistory=history, eth_call=f"0x{7:064x}", eth_estimateGas=hex(50_000))
    async with serving(held) as node:
        quoter = EthereumQuoter(JsonRpc(Endpoints([node.url])))
        native = await quoter.quote(NATIVE, SENDER)
        assert (native.typical_units, native.ceiling_units) == (
            21_000 * (gwei + 5),
            21_000 * (2 * gwei + 5),
        )
        token = await quoter.quote(TOKEN, SENDER)
        assert (token.typical_units, token.ceiling_units) == (
            50_000 * (gwei + 5),
            60_000 * (2 * gwei + 5),
        )
        assert token.parts["gas_limit"] == "60000"
        await quoter.quote(TOKEN, SENDER)
        assert node.calls.count("eth_estimateGas") == 1, "a token's gas is not asked every time"
        await quoter.rpc.endpoints.aclose()


async def test_an_empty_wallet_still_has_a_quote(chain: AnvilChain, rpc: JsonRpc) -> None:
    """Nothing can be tried with what is not held: the usual figure stands in."""
    quoter = EthereumQuoter(rpc)
    poor = await quoter.quote(chain.token, POOR)
    assert poor.parts["gas"] == str(TOKEN_GAS)
    rich = await EthereumQuoter(rpc).quote(chain.token, PAYER)
    assert 30_000 < int(rich.parts["gas"]) < 100_000
