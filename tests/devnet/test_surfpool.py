"""Surfpool behind its proxy as `LocalChain`: what the watcher and the writer lean on."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import (
    AdvanceNonceAccountParams,
    CreateAccountWithSeedParams,
    InitializeNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    create_account_with_seed,
    initialize_nonce_account,
    transfer,
)
from solders.transaction import Transaction, VersionedTransaction

from devnet import surfpool
from devnet.chain import ChainFault, RpcFault
from devnet.solana_ledger import FINALITY_SLOTS
from devnet.surfpool import PAYER, SurfpoolChain

pytestmark = [pytest.mark.anyio, pytest.mark.chain]

SOL = 10**9
NONCE_ACCOUNT_BYTES = 80


@pytest.fixture(scope="module")
async def chain(anyio_backend: str) -> AsyncIterator[SurfpoolChain]:  # noqa: ARG001 - its scope
    """Run one Surfpool for the whole module: its slots are cheap, its start is not."""
    async with surfpool.running() as running:
        yield running


def options(commitment: str, details: str = "accounts") -> dict[str, Any]:
    """Return getBlock's configuration as a careful reader sends it."""
    return {
        "commitment": commitment,
        "transactionDetails": details,
        "maxSupportedTransactionVersion": 0,
        "rewards": False,
    }


async def slot_of(chain: SurfpoolChain, signature: str) -> int:
    """Return the slot in which a transaction landed."""
    status = (await chain.rpc.call("getSignatureStatuses", [signature]))["value"][0]
    return int(status["slot"])


async def history(chain: SurfpoolChain, signature: str, commitment: str) -> list[str]:
    """Return how firm getSignaturesForAddress calls the payer's transaction, if it shows it."""
    config = {"commitment": commitment, "limit": 1000}
    entries = await chain.rpc.call("getSignaturesForAddress", chain.payer, config)
    return [entry["confirmationStatus"] for entry in entries if entry["signature"] == signature]


def payment(to: Pubkey, lamports: int) -> Any:
    """Return a transfer instruction of the payer."""
    params = TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=to, lamports=lamports)
    return transfer(params)


async def test_two_starts_give_the_same_constants_and_leave_no_process() -> None:
    """Mint, payer and genesis are known before the chain runs, and stopping is complete."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    seen = []
    for _ in range(2):
        async with surfpool.running() as chain:
            started = {
                child.pid for child in psutil.Process().children(recursive=True)
            } - before
            assert started
            seen.append((chain.token, chain.payer, chain.identity))
            supply = await chain.rpc.call("getTokenSupply", chain.token)
            assert supply["value"]["decimals"] == 6
    assert seen[0] == seen[1]
    assert not any(psutil.pid_exists(pid) for pid in started)


@pytest.mark.parametrize("asset", ["native", surfpool.MINT])
async def test_paid_units_are_on_the_balance(chain: SurfpoolChain, asset: str) -> None:
    """Equal payments in one blink are distinct, and `pay` returns after confirmation."""
    to = await chain.fresh_address()
    assert await chain.balance(to, asset) == 0
    hashes = await asyncio.gather(*(chain.pay(to, 1_500_000, asset) for _ in range(4)))
    assert await chain.balance(to, asset) == 6_000_000
    assert len(set(hashes)) == 4


async def test_refused_payment_raises(chain: SurfpoolChain) -> None:
    """More than there is, and dust that cannot open an account, are refused aloud."""
    to = await chain.fresh_address()
    with pytest.raises(ChainFault):
        await chain.pay(to, 10**18)
    with pytest.raises(ChainFault, match="rent"):
        await chain.pay(to, 1)


async def test_sixty_produced_slots_link_over_skipped_ones(chain: SurfpoolChain) -> None:
    """The link rule holds with transactions, without, and across skips; nothing ever changes."""
    first = await chain.rpc.call("getSlot", {"commitment": "confirmed"})
    paid = []
    while await chain.rpc.call("getSlot", {"commitment": "confirmed"}) < first + 75:
        paid.append(await chain.pay(await chain.fresh_address(), SOL))
        await asyncio.sleep(0.3)
    confirmed = {"commitment": "confirmed"}
    slots = await chain.rpc.call("getBlocks", first, first + 75, confirmed)
    blocks = [await chain.rpc.call("getBlock", slot, options("confirmed")) for slot in slots]
    assert len(blocks) >= 60
    assert len(slots) < slots[-1] - slots[0] + 1
    for (slot, parent), block in zip(zip(slots, blocks, strict=True), blocks[1:], strict=False):
        assert block["parentSlot"] == slot
        assert block["previousBlockhash"] == parent["blockhash"]
        assert block["blockHeight"] == parent["blockHeight"] + 1
        assert block["blockTime"] >= parent["blockTime"] > 1_700_000_000
    found = [
        entry["transaction"]["signatures"][0]
        for block in blocks
        for entry in block["transactions"]
    ]
    assert set(paid[:-1]) <= set(found)
    again = [await chain.rpc.call("getBlock", slot, options("confirmed")) for slot in slots]
    assert again == blocks
    await _skips_are_refused(chain, set(range(slots[0], slots[-1])) - set(slots))


async def _skips_are_refused(chain: SurfpoolChain, skipped: set[int]) -> None:
    for slot in skipped:
        with pytest.raises(RpcFault) as refusal:
            await chain.rpc.call("getBlock", slot, options("confirmed"))
        assert refusal.value.code == -32009


async def test_no_transaction_is_lost_under_load_and_time_travel(chain: SurfpoolChain) -> None:
    """Every confirmed transaction is in the block that its status names, jumps or not."""
    to = await chain.fresh_address()

    async def jump() -> None:
        for ahead in (1, 2, 10) * 4:
            now = await chain.rpc.call("getSlot", {"commitment": "processed"})
            with contextlib.suppress(RpcFault):
                await chain.rpc.call("surfnet_timeTravel", {"absoluteSlot": now + ahead})
        await chain.mine(10)

    payments = asyncio.gather(*(chain.pay(to, SOL + n) for n in range(60)))
    signatures, _ = await asyncio.gather(payments, jump())
    for signature in signatures:
        slot = await slot_of(chain, signature)
        block = await chain.rpc.call("getBlock", slot, options("confirmed", "signatures"))
        assert signature in block["signatures"]


async def test_finalized_lags_31_slots_everywhere(chain: SurfpoolChain) -> None:
    """Slot, block, transaction and status agree on what is final."""
    signature = await chain.pay(await chain.fresh_address(), SOL)
    slot = await slot_of(chain, signature)
    versioned = {"maxSupportedTransactionVersion": 0}
    with pytest.raises(RpcFault) as refusal:
        await chain.rpc.call("getBlock", slot, options("finalized"))
    assert refusal.value.code == -32004
    assert await chain.rpc.call("getTransaction", signature, versioned) is None
    assert slot not in await chain.rpc.call("getBlocks", slot, slot)
    assert await history(chain, signature, "finalized") == []
    assert await history(chain, signature, "confirmed") == ["confirmed"]
    confirmed = versioned | {"commitment": "confirmed"}
    assert (await chain.rpc.call("getTransaction", signature, confirmed))["slot"] == slot

    await chain.mine(FINALITY_SLOTS + 8)
    assert await chain.rpc.call("getSlot") >= slot
    assert await chain.rpc.call("getBlocks", slot, slot) == [slot]
    assert await history(chain, signature, "finalized") == ["finalized"]
    assert (await chain.rpc.call("getTransaction", signature, versioned))["slot"] == slot
    status = (await chain.rpc.call("getSignatureStatuses", [signature]))["value"][0]
    assert (status["confirmationStatus"], status["confirmations"]) == ("finalized", None)


async def test_future_slot_is_not_available(chain: SurfpoolChain) -> None:
    """A slot that has not come is an error, never null."""
    tip = await chain.rpc.call("getSlot", {"commitment": "processed"})
    with pytest.raises(RpcFault) as refusal:
        await chain.rpc.call("getBlock", tip + 1000, options("confirmed"))
    assert refusal.value.code == -32004


async def test_fee_includes_the_priority_fee(chain: SurfpoolChain) -> None:
    """The fee in block and transaction is what the payer lost; the estimate agrees."""
    to = Keypair().pubkey()
    latest = await chain.rpc.call("getLatestBlockhash", {"commitment": "confirmed"})
    message = MessageV0.try_compile(
        PAYER.pubkey(),
        [set_compute_unit_limit(1_001), set_compute_unit_price(2_000_001), payment(to, SOL)],
        [],
        Hash.from_string(latest["value"]["blockhash"]),
    )
    encoded = base64.b64encode(bytes(message)).decode()
    estimate = await chain.rpc.call("getFeeForMessage", encoded, {"commitment": "confirmed"})
    assert estimate["value"] == 5_000 + 2_003
    before = await chain.balance(chain.payer)
    raw = bytes(VersionedTransaction(message, [PAYER]))
    signature = await chain.included(await chain.send_raw(raw))
    assert before - await chain.balance(chain.payer) == SOL + 7_003
    config = {"commitment": "confirmed", "maxSupportedTransactionVersion": 0}
    transaction = await chain.rpc.call("getTransaction", signature, config)
    block = await chain.rpc.call("getBlock", transaction["slot"], options("confirmed"))
    fees = [
        entry["meta"]["fee"]
        for entry in block["transactions"]
        if entry["transaction"]["signatures"] == [signature]
    ]
    assert [transaction["meta"]["fee"], *fees] == [7_003, 7_003]


async def test_versioned_transaction_needs_the_parameter(chain: SurfpoolChain) -> None:
    """Without `maxSupportedTransactionVersion` block and transaction are refused alike."""
    signature = await chain.pay(await chain.fresh_address(), SOL)
    slot = await slot_of(chain, signature)
    for method, what in (("getTransaction", signature), ("getBlock", slot)):
        with pytest.raises(RpcFault) as refusal:
            await chain.rpc.call(method, what, {"commitment": "confirmed"})
        assert refusal.value.code == -32015


async def test_durable_nonce_lane_is_created_used_once_and_advances(
    chain: SurfpoolChain,
) -> None:
    """A seed-derived nonce account carries exactly one transaction per value."""
    hot, to = Keypair(), Keypair().pubkey()
    await chain.pay(str(hot.pubkey()), SOL)
    lane = Pubkey.create_with_seed(hot.pubkey(), "gw-nonce-0", SYSTEM_PROGRAM)
    await _open_lane(chain, hot, lane)
    value = await _nonce_value(chain, lane)
    await chain.mine(200)  # Longer than an ordinary blockhash lives.

    raws = [_nonce_payment(hot, lane, value, to, lamports) for lamports in (SOL // 4, SOL // 5)]
    await chain.included(await chain.send_raw(raws[0]))
    assert await chain.balance(str(to)) == SOL // 4
    assert await _nonce_value(chain, lane) != value
    with pytest.raises(RpcFault):
        await chain.send_raw(raws[1])
    assert await chain.balance(str(to)) == SOL // 4


async def _open_lane(chain: SurfpoolChain, hot: Keypair, lane: Pubkey) -> None:
    lamports = await chain.rpc.call("getMinimumBalanceForRentExemption", NONCE_ACCOUNT_BYTES)
    create = CreateAccountWithSeedParams(
        from_pubkey=hot.pubkey(),
        to_pubkey=lane,
        base=hot.pubkey(),
        seed="gw-nonce-0",
        lamports=lamports,
        space=NONCE_ACCOUNT_BYTES,
        owner=SYSTEM_PROGRAM,
    )
    initialize = InitializeNonceAccountParams(nonce_pubkey=lane, authority=hot.pubkey())
    steps = [create_account_with_seed(create), initialize_nonce_account(initialize)]
    await chain.included(await chain.send(steps, [hot]))


async def _nonce_value(chain: SurfpoolChain, lane: Pubkey) -> Hash:
    config = {"encoding": "base64", "commitment": "confirmed"}
    account = await chain.rpc.call("getAccountInfo", str(lane), config)
    # Version (4 bytes), state (4), authority (32), then the stored hash.
    return Hash(base64.b64decode(account["value"]["data"][0])[40:72])


def _nonce_payment(hot: Keypair, lane: Pubkey, value: Hash, to: Pubkey, lamports: int) -> bytes:
    advance = AdvanceNonceAccountParams(nonce_pubkey=lane, authorized_pubkey=hot.pubkey())
    move = TransferParams(from_pubkey=hot.pubkey(), to_pubkey=to, lamports=lamports)
    instructions = [advance_nonce_account(advance), transfer(move)]
    message = Message.new_with_blockhash(instructions, hot.pubkey(), value)
    return bytes(Transaction([hot], message, value))


async def test_error_data_of_the_node_passes_through(chain: SurfpoolChain) -> None:
    """The proxy keeps what the node says beside code and message."""
    answer = await chain.rpc.answer("sendTransaction", ["AA==", {"encoding": "base64"}])
    assert answer["error"]["code"] < 0
    assert answer["id"] == 1


async def test_batch_is_answered_in_order(chain: SurfpoolChain) -> None:
    """Several calls in one body, as public providers take them."""
    calls = [{"jsonrpc": "2.0", "id": n, "method": "getGenesisHash"} for n in range(3)]
    answers = (await chain.rpc.client.post(chain.url, json=calls)).json()
    assert [(answer["id"], answer["result"]) for answer in answers] == [
        (n, chain.identity) for n in range(3)
    ]
