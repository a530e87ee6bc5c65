"""Attacks on an EVM chain, each on a real anvil through the whole engine into the database.

Every attack on `inv_1` is followed by an honest payment of `inv_2`: the engine has read the
attack's block, and credited what deserved it.
"""

import pytest
from eth_abi.abi import encode
from sqlalchemy import update

from devnet.anvil import AnvilChain, call_data
from devnet.contracts import cases, multicall
from devnet.contracts.assembly import assemble
from devnet.contracts.logged_value import SYSTEM, logged_forwarder, system_logger
from gateway.db import CROSS_TENANT
from gateway.models import Cursor
from tests.cases.shop import DUE_TOKENS, DUE_UNITS, ETH, GAS, USDT, again, shop
from tests.conftest import FreshDatabase

pytestmark = pytest.mark.anyio

OTHER = "OTHER-ETHEREUM"
CLAIM = "claim(address,uint256)"


async def failed(chain: AnvilChain, **fields: str) -> None:
    """Send what fails, and see that it stands in a block as failed."""
    tx_hash = await chain.transact(gas=GAS, **fields)
    await chain.mine()
    receipt = await chain.rpc.call("eth_getTransactionReceipt", tx_hash)
    assert receipt["status"] == "0x0"


async def test_case_01_a_failed_transaction_with_value_credits_nothing(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """The value stands in the transaction; the receipt says that it did not move."""
    async with shop(chain, database) as s:
        await chain.etch(s.first, assemble("0 0 REVERT"))
        await failed(chain, to=s.first, value=hex(DUE_UNITS))
        await s.nothing_but_the_control()


async def test_case_02_a_log_before_a_revert_credits_nothing(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """Even of a listed contract: what was undone left no log."""
    emitter = await chain.create(cases.reverting_emitter())
    async with shop(chain, database, token=emitter) as s:
        await failed(chain, to=emitter, data=call_data(CLAIM, s.first, DUE_TOKENS))
        await s.nothing_but_the_control()


async def test_case_03_a_transfer_that_answers_false_credits_nothing(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """Calldata is a wish; only a log of the listed contract is a fact."""
    liar = await chain.create(cases.lying_token())
    async with shop(chain, database, token=liar) as s:
        await chain.call(liar, "transfer(address,uint256)", s.first, DUE_TOKENS)
        await s.nothing_but_the_control()


async def test_case_04_a_perfect_log_of_an_unlisted_contract_credits_nothing(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """The allow-list is by contract."""
    fake = await chain.create(cases.fake_token())
    async with shop(chain, database) as s:
        await chain.call(fake, CLAIM, s.first, DUE_TOKENS)
        await s.nothing_but_the_control()


async def test_case_05_a_token_that_calls_itself_usdt_credits_nothing(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """No decision reads a symbol from the chain: only the listed contract is USDT."""
    fake = await chain.create(cases.fake_token())
    symbol = await chain.rpc.call(
        "eth_call", {"to": fake, "data": call_data("symbol()")}, "latest"
    )
    assert b"USDT" in bytes.fromhex(symbol[2:])
    async with shop(chain, database) as s:
        await chain.call(fake, "transfer(address,uint256)", s.first, DUE_TOKENS)
        await s.nothing_but_the_control()


async def test_case_06_a_collectible_credits_nothing(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """Four topics and no data are no amount, even where the contract is listed by mistake."""
    nft = await chain.create(cases.collectible())
    async with shop(chain, database, token=nft) as s:
        await chain.call(nft, "mint(address,uint256)", s.first, DUE_TOKENS)
        await s.nothing_but_the_control()


async def test_case_07_a_transfer_of_nothing_is_not_even_mentioned(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """Address poisoning: no row, no event, no webhook."""
    async with shop(chain, database) as s:
        await chain.pay(s.first, 0, chain.token)
        await chain.pay(s.first, 0)
        await s.settle()
        assert await s.credited() == []
        assert await s.events() == []
        await s.nothing_but_the_control()


async def test_case_16_an_inner_payment_that_reverts_credits_nothing(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """The outer call succeeds; the reverted frame is dropped with everything below it."""
    async with shop(chain, database) as s:
        inner = await chain.create(cases.reverting_forwarder(s.first))
        outer = await chain.create(cases.fixed_forwarder(inner))
        honest = await chain.create(cases.fixed_forwarder(s.second))
        await chain.pay(outer, DUE_UNITS)
        await chain.pay(honest, DUE_UNITS)
        await s.settle()
        assert await s.credited() == [("internal", ETH, DUE_UNITS, "inv_2")]
        assert await s.invoice("inv_1") == ("pending", "none")


async def test_case_17_value_of_a_delegated_call_is_no_transfer(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """DELEGATECALL and CALLCODE name a value and an address and move nothing there."""
    async with shop(chain, database) as s:
        contract = await chain.create(cases.delegating(s.first))
        await chain.pay(contract, DUE_UNITS)
        assert await chain.balance(s.first) == 0
        await s.nothing_but_the_control()


async def test_case_20_two_transfers_to_one_address_in_one_transaction_are_two_deposits(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """One row per log; the invoice is paid by their sum."""
    async with shop(chain, database) as s:
        half = DUE_TOKENS // 2
        await chain.call(
            chain.token, "transferMany(address[],uint256)", [s.first, s.first], half
        )
        await s.settle()
        assert await s.credited() == [("token", USDT, half, "inv_1")] * 2
        assert await s.invoice() == ("settled", "none")
        assert await s.wallet(currency=USDT) == DUE_TOKENS


async def test_case_21_one_transaction_pays_two_invoices_in_two_assets(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """Each transfer has its row and reaches its own invoice."""
    other = await chain.create(cases.token(chain.payer, 10**18))
    hub = await chain.create(cases.forwarder())
    await chain.etch(hub, multicall.runtime())
    await chain.pay(hub, DUE_TOKENS, chain.token)
    await chain.pay(hub, DUE_TOKENS, other)
    async with shop(chain, database, others={OTHER: other}) as s:
        calls = [
            (chain.token, False, bytes.fromhex(_transfer(s.first)[2:])),
            (other, False, bytes.fromhex(_transfer(s.second)[2:])),
        ]
        data = encode(["(address,bool,bytes)[]"], [calls]).hex()
        await chain.included(await chain.transact(to=hub, data=f"0x82ad56cb{data}"))
        await s.settle()
        assert await s.credited() == [
            ("token", USDT, DUE_TOKENS, "inv_1"),
            ("token", OTHER, DUE_TOKENS, "inv_2"),
        ]
        assert {await s.invoice("inv_1"), await s.invoice("inv_2")} == {("settled", "none")}


async def test_case_22_what_is_seen_twice_is_one_deposit(
    chain: AnvilChain, database: FreshDatabase
) -> None:
    """Another process reads the same blocks again: one row, one journal, one credit."""
    async with shop(chain, database) as s:
        start = s.scanner.position
        await chain.pay(s.first, DUE_UNITS)
        await s.settle()
        before, told = await s.journals(), await s.events()
        async with s.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                update(Cursor).values(
                    height=start.height, hash=start.hash, final_height=start.final_height
                )
            )
        other = await again(s)
        await other.settle()
        assert await s.credited() == [("native", ETH, DUE_UNITS, "inv_1")]
        assert (await s.journals(), await s.events()) == (before, told)
        assert await s.wallet() == DUE_UNITS


@pytest.mark.parametrize("logged_from", [None, 0])
async def test_case_23_value_that_the_chain_logs_is_counted_once(
    chain: AnvilChain, database: FreshDatabase, logged_from: int | None
) -> None:
    """Transaction, trace and log show the same value: before the switch and after it, once."""
    await chain.etch(SYSTEM, system_logger())
    async with shop(chain, database, logged_from=logged_from) as s:
        contract = await chain.create(logged_forwarder(s.first))
        await chain.included(await chain.transact(to=contract, value=hex(DUE_UNITS), gas=GAS))
        await s.settle()
        assert await chain.balance(s.first) == DUE_UNITS
        assert await s.credited() == [("internal", ETH, DUE_UNITS, "inv_1")]
        assert await s.wallet() == DUE_UNITS


def _transfer(to: str) -> str:
    return call_data("transfer(address,uint256)", to, DUE_TOKENS)
