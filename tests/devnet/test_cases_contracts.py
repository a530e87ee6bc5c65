"""The badly behaving contracts behave as badly as their descriptions say."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from eth_abi.abi import decode, encode

from devnet import anvil
from devnet.anvil import AnvilChain, call_data
from devnet.chain import ChainFault
from devnet.contracts import cases, multicall
from devnet.contracts.assembly import assemble

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
SUPPLY = 10**12


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[AnvilChain]:
    """Run one anvil for the module."""
    async with anvil.running() as running:
        yield running


async def asked(chain: AnvilChain, to: str, signature: str, *arguments: Any) -> int:
    """Call a function that answers with one word."""
    data = call_data(signature, *arguments)
    answer = await chain.rpc.call("eth_call", {"to": to, "data": data}, "latest")
    return int(answer, 16)


async def logs(chain: AnvilChain, tx_hash: str) -> list[dict[str, Any]]:
    """Return the logs of a transaction."""
    receipt = await chain.rpc.call("eth_getTransactionReceipt", tx_hash)
    return list(receipt["logs"])


async def test_plain_token_moves_and_logs(chain: AnvilChain) -> None:
    """And refuses more than the caller holds."""
    token = await chain.create(cases.token(chain.payer, SUPPLY))
    to = await chain.fresh_address()
    [log] = await logs(chain, await chain.pay(to, 5, token))
    assert (int(log["data"], 16), len(log["topics"])) == (5, 3)
    assert await chain.balance(to, token) == 5
    assert await chain.balance(chain.payer, token) == SUPPLY - 5
    assert await asked(chain, token, "decimals()") == 6
    with pytest.raises(ChainFault):
        await chain.pay(to, SUPPLY, token)


async def test_fee_token_logs_more_than_it_credits(chain: AnvilChain) -> None:
    """Two percent stay nowhere."""
    token = await chain.create(cases.fee_token(chain.payer, SUPPLY, basis_points=200))
    to = await chain.fresh_address()
    [log] = await logs(chain, await chain.pay(to, 100, token))
    assert (int(log["data"], 16), await chain.balance(to, token)) == (100, 98)


@pytest.mark.parametrize("quiet", [False, True])
async def test_rebasing_token_changes_balances_without_a_log(
    chain: AnvilChain, *, quiet: bool
) -> None:
    """The index scales every balance."""
    token = await chain.create(cases.rebasing_token(chain.payer, SUPPLY, quiet=quiet))
    to = await chain.fresh_address()
    await chain.pay(to, 100, token)
    rebased = await chain.call(token, "rebase(uint256)", cases.WHOLE * 3 // 2)
    assert await logs(chain, rebased) == []
    assert await chain.balance(to, token) == 150
    await chain.pay(to, 30, token)
    assert await chain.balance(to, token) == 180


async def test_freezable_token_pauses_and_blacklists(chain: AnvilChain) -> None:
    """Sender and recipient alike."""
    token = await chain.create(cases.freezable_token(chain.payer, SUPPLY))
    to = await chain.fresh_address()
    await chain.pay(to, 1, token)
    await chain.call(token, "addBlackList(address)", to)
    assert await asked(chain, token, "isBlackListed(address)", to) == 1
    with pytest.raises(ChainFault):
        await chain.pay(to, 1, token)
    await chain.call(token, "removeBlackList(address)", to)
    await chain.call(token, "pause()")
    with pytest.raises(ChainFault):
        await chain.pay(to, 1, token)
    await chain.call(token, "unpause()")
    await chain.pay(to, 1, token)
    assert await chain.balance(to, token) == 2


async def test_liars_log_without_moving_or_move_nothing(chain: AnvilChain) -> None:
    """A lying token has no log, a fake one a perfect one, a collectible four topics."""
    to = await chain.fresh_address()
    lying = await chain.create(cases.lying_token())
    assert await logs(chain, await chain.pay(to, 5, lying)) == []
    fake = await chain.create(cases.fake_token())
    [log] = await logs(chain, await chain.call(fake, "claim(address,uint256)", to, 7))
    assert (int(log["data"], 16), log["topics"][2][-40:]) == (7, to[2:])
    collectible = await chain.create(cases.collectible())
    [log] = await logs(chain, await chain.call(collectible, "mint(address,uint256)", to, 7))
    assert (log["data"], len(log["topics"])) == ("0x", 4)
    emitter = await chain.create(cases.reverting_emitter())
    with pytest.raises(ChainFault):
        await chain.call(emitter, "claim(address,uint256)", to, 7, gas="0x30d40")


@pytest.mark.parametrize("by_beacon", [False, True])
async def test_proxy_changes_its_logic(chain: AnvilChain, *, by_beacon: bool) -> None:
    """Directly or through a beacon: decimals and balances are the implementation's idea."""
    six = await chain.create(cases.token(chain.payer, 0))
    other = await chain.create(cases.token(chain.payer, 0, decimals=18))
    if by_beacon:
        upgraded = await chain.create(cases.beacon(six))
        proxy = await chain.create(cases.beacon_proxy(upgraded))
    else:
        proxy = upgraded = await chain.create(cases.proxy(six))
    assert await asked(chain, proxy, "decimals()") == 6
    await chain.call(upgraded, "upgradeTo(address)", other)
    assert await asked(chain, proxy, "decimals()") == 18


async def test_forwarders_pay_by_internal_calls(chain: AnvilChain) -> None:
    """From calldata, code, storage and by self-destruction; a reverted inner call pays nothing."""
    to = await chain.fresh_address()
    by_calldata = await chain.create(cases.forwarder())
    word = f"0x{encode(['address'], [to]).hex()}"
    await chain.included(await chain.transact(to=by_calldata, value="0x1", data=word))
    codes = [cases.fixed_forwarder(to), cases.stored_forwarder(to), cases.self_destructor(to)]
    for units, code in zip((10, 100, 1000), codes, strict=True):
        contract = await chain.create(code)
        await chain.included(await chain.transact(to=contract, value=hex(units)))
    assert await chain.balance(to) == 1111
    reverting = await chain.create(cases.reverting_forwarder(to))
    outer = await chain.create(cases.fixed_forwarder(reverting))
    await chain.included(await chain.transact(to=outer, value="0x5"))
    delegating = await chain.create(cases.delegating(to))
    await chain.included(await chain.transact(to=delegating, value="0x5"))
    assert await chain.balance(to) == 1111


async def test_multicall_answers_like_the_real_one(chain: AnvilChain) -> None:
    """Balances, a failing call that is allowed to fail, and one that is not."""
    await chain.etch(multicall.ADDRESS, multicall.runtime())
    to = await chain.fresh_address()
    await chain.pay(to, 42)
    await chain.pay(to, 7, chain.token)
    native = bytes.fromhex(call_data("getEthBalance(address)", to)[2:])
    held = bytes.fromhex(call_data("balanceOf(address)", to)[2:])
    nothing = bytes.fromhex(call_data("nothing()")[2:])
    calls = [(multicall.ADDRESS, True, native), (chain.token, True, held)]

    async def aggregate(wanted: list[tuple[str, bool, bytes]]) -> list[tuple[bool, bytes]]:
        kind = "(address,bool,bytes)[]"
        selector = bytes.fromhex("82ad56cb")
        data = f"0x{(selector + encode([kind], [wanted])).hex()}"
        call = {"to": multicall.ADDRESS, "data": data}
        answer = await chain.rpc.call("eth_call", call, "latest")
        [found] = decode(["(bool,bytes)[]"], bytes.fromhex(answer[2:]))
        return list(found)

    failing = (chain.token, True, nothing)
    answers = await aggregate([*calls, failing, *calls])
    assert [(good, int.from_bytes(data)) for good, data in answers] == [
        (True, 42), (True, 7), (False, 0), (True, 42), (True, 7),
    ]  # fmt: skip
    assert await aggregate([]) == []
    with pytest.raises(ChainFault):
        await aggregate([(chain.token, False, nothing)])


def test_words_of_the_assembler() -> None:
    """Constants take the fewest bytes; a word that is none is named."""
    assert assemble("1 0x0100 ADD ; a sum\n here: @here JUMP").hex() == "6001610100015b61000656"
    with pytest.raises(KeyError, match="ADDD"):
        assemble("1 ADDD")
