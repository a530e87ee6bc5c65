"""The house's own movements on the local chains: what the keystore signed is what happens there."""

import base64
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec import structs
from solders.hash import Hash

from devnet import anvil, surfpool
from devnet import tron as emulator
from devnet.anvil import AnvilChain
from devnet.chain import until
from devnet.surfpool import SurfpoolChain
from devnet.tron import TronChain
from keystore import api
from tests.keystore.house import ethereum_intent
from tests.keystore.movements import (
    Safe,
    evm_cancel,
    evm_sweep,
    evm_top_up,
    solana_sweep,
    spl_sweep,
    tron_resource,
    tron_sweep,
    tron_top_up,
    unlocked,
)

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
ETHER, GWEI, TRX, SOL = 10**18, 10**9, 10**6, 10**9
TOKENS = 10**6
HOUR_MS = 3_600_000
PRICE = {"max_fee_per_gas": str(3 * GWEI), "max_priority_fee_per_gas": str(3 * GWEI)}
"""With the tip at the cap the price is known beforehand, so that nothing is left behind."""


@pytest.fixture
def safe(tmp_path: Path) -> Iterator[Safe]:
    """Yield a keystore of play money under the chains' own time."""
    with unlocked(tmp_path, clock=lambda: datetime.now(UTC)) as opened:
        yield opened


async def land_evm(chain: AnvilChain, signed: api.Signed) -> None:
    """Hand over the bytes and wait for success."""
    await chain.rpc.call("eth_sendRawTransaction", "0x" + signed.raw)
    await chain.mine()
    assert await chain.included(signed.tx_hash) == signed.tx_hash


async def test_a_pool_address_is_topped_up_and_emptied_to_the_last_wei(safe: Safe) -> None:
    """Gas wallet to pool, its token to hot, then everything that is left."""
    async with anvil.running() as chain:
        hot, pool = safe.wallet("ethereum"), safe.pool("ethereum", 3)
        await chain.pay(safe.wallet("ethereum", "gas"), ETHER)
        await chain.pay(pool, 5 * TOKENS, chain.token)
        top_up = structs.replace(evm_top_up(safe), units=str(ETHER // 2), **PRICE)
        await land_evm(chain, safe.sign(top_up))
        token = {"asset": chain.token, "units": str(5 * TOKENS), "gas_limit": 100_000, **PRICE}
        first = structs.replace(evm_sweep(safe, withdrawal_id="w2"), **token)
        await land_evm(chain, safe.sign(first))
        rest = await chain.balance(pool) - 21_000 * 3 * GWEI
        last = evm_sweep(safe, withdrawal_id="w3", nonce=1, units=str(rest))
        await land_evm(chain, safe.sign(structs.replace(last, **PRICE)))

        assert await chain.balance(pool) == await chain.balance(pool, chain.token) == 0
        assert await chain.balance(hot) == rest
        assert await chain.balance(hot, chain.token) == 5 * TOKENS


async def test_a_cancel_lands_instead_of_the_payment(safe: Safe) -> None:
    """Both wait for a block; the node keeps the one with the higher fee."""
    async with anvil.running() as chain:
        payment = ethereum_intent(units=str(ETHER), **PRICE)
        await chain.pay(safe.wallet("ethereum"), 2 * ETHER)
        await chain.set_mining(on=False)
        await chain.rpc.call("eth_sendRawTransaction", "0x" + safe.sign(payment).raw)
        dearer = str(3 * GWEI * 9 // 8)
        canceled = safe.sign(
            evm_cancel(safe, max_fee_per_gas=dearer, max_priority_fee_per_gas=dearer)
        )
        await land_evm(chain, canceled)
        assert await chain.balance(payment.to) == 0


async def land_tron(
    chain: TronChain, safe: Safe, intent: api.TronIntent | api.TronResourceIntent
) -> None:
    """Put the chain's own facts into an intent, sign it, and wait for success."""
    solid = await chain.ask("walletsolidity/getnowblock")
    now_ms = time.time_ns() // 1_000_000
    facts = {
        "ref_block_id": solid["blockID"],
        "timestamp_ms": now_ms,
        "expiration_ms": now_ms + HOUR_MS,
    }
    signed = safe.sign(structs.replace(intent, **facts))
    answer = await chain.ask("wallet/broadcasthex", transaction=signed.raw)
    assert answer["result"], answer
    await chain.mine()
    assert await chain.included(signed.tx_hash) == signed.tx_hash


async def test_energy_is_lent_for_a_sweep_and_taken_back(safe: Safe) -> None:
    """Stake, activate, lend, sweep the token without burning a sun, take back."""
    async with emulator.running() as chain:
        gas, pool, hot = safe.wallet("tron", "gas"), safe.pool("tron", 3), safe.wallet("tron")
        await chain.pay(gas, 200_000 * TRX)
        await chain.pay(pool, 5 * TOKENS, chain.token)
        lent = {"units": str(150_000 * TRX)}
        await land_tron(chain, safe, tron_top_up(safe, withdrawal_id="w1", units="1"))
        await land_tron(chain, safe, tron_resource(safe, "stake", **lent))
        await land_tron(chain, safe, tron_resource(safe, "delegate", **lent))
        ends = {"fromAddress": gas, "toAddress": pool, "visible": True}
        loan = await chain.ask("wallet/getdelegatedresourcev2", **ends)
        assert loan["delegatedResource"][0]["frozen_balance_for_energy"] == 150_000 * TRX
        # Lent energy counts towards the fee limit too, though it burns nothing.
        sweep = tron_sweep(
            safe,
            withdrawal_id="w2",
            asset=chain.token,
            units=str(5 * TOKENS),
            fee_limit=15 * TRX,
        )
        await land_tron(chain, safe, sweep)
        await land_tron(chain, safe, tron_resource(safe, "undelegate", **lent))

        assert await chain.balance(hot, chain.token) == 5 * TOKENS
        assert (await chain.balance(pool, chain.token), await chain.balance(pool)) == (0, 1)
        assert await chain.ask("wallet/getdelegatedresourcev2", **ends) == {}


async def nonce_of(chain: SurfpoolChain, lane: str) -> str | None:
    """Return the value in a nonce account (bytes 40 to 72), None where there is none."""
    options = {"encoding": "base64", "commitment": "confirmed"}
    found = (await chain.rpc.call("getAccountInfo", lane, options))["value"]
    return str(Hash(base64.b64decode(found["data"][0])[40:72])) if found else None


async def land_solana(chain: SurfpoolChain, safe: Safe, intent: api.SolanaSweepIntent) -> None:
    """Sign on the lane's present value and wait for success."""
    value = await nonce_of(chain, intent.nonce_account)
    signed = safe.sign(structs.replace(intent, nonce_value=value))
    assert await chain.send_raw(bytes.fromhex(signed.raw)) == signed.tx_hash
    await chain.included(signed.tx_hash)


async def test_two_pool_addresses_are_emptied_in_one_transaction_each(safe: Safe) -> None:
    """Tokens with their accounts' rent, then all lamports: nothing is left, hot pays the fee."""
    async with surfpool.running(slot_ms=50) as chain:
        hot, lane = safe.wallet("solana"), safe.wallet("solana", "nonce")
        pools = [safe.pool("solana", index) for index in range(2)]
        await chain.pay(hot, SOL)
        for owner in (hot, *pools):
            await chain.pay(owner, 3 * TOKENS, chain.token)
        for owner in pools:
            await chain.pay(owner, SOL // 100)
        latest = await chain.rpc.call("getLatestBlockhash", {"commitment": "confirmed"})
        setup = api.SignNonceSetupRequest(
            network="solana",
            lane=0,
            blockhash=latest["value"]["blockhash"],
            lamports=1_447_680,
        )
        opened = safe.keystore.answer(setup)
        assert isinstance(opened, api.Signed)
        await chain.included(await chain.send_raw(bytes.fromhex(opened.raw)))
        await until(lambda: nonce_of(chain, lane), "the lane")

        tokens = spl_sweep(
            safe, withdrawal_id="w1", asset=chain.token, compute_unit_limit=80_000
        )
        sources = [structs.replace(each, units=str(3 * TOKENS)) for each in tokens.sources]
        await land_solana(chain, safe, structs.replace(tokens, sources=sources))
        held = await chain.balance(hot)
        coins = solana_sweep(safe, withdrawal_id="w2")
        sources = [structs.replace(each, units=str(SOL // 100)) for each in coins.sources]
        await land_solana(chain, safe, structs.replace(coins, sources=sources))

        assert await chain.balance(hot, chain.token) == 9 * TOKENS
        assert [await chain.balance(owner) for owner in pools] == [0, 0]
        assert await chain.balance(hot) == held + 2 * SOL // 100 - 3 * 5_000 - 20
