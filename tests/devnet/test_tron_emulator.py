"""The Tron emulator as its callers see it: refusals, receipts, links, solid state, reorgs."""

import asyncio
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from devnet.chain import ChainFault, LocalChain
from devnet.tied import survivors
from devnet.tron import TronChain, address, running
from devnet.tron.genesis import PAYER
from devnet.tron.transaction import raw_data, read

pytestmark = [pytest.mark.anyio, pytest.mark.chain]

GENESIS = "0000000000000000fbe30eed669b3d23c449bf2f5212eaf3973975c4a9800b6c"
TOKEN = "TDBZzaRZXjT2KHAL9bihkyNSuaSyWJwyRZ"
DAY_MS = 86_400_000
SOLID_LAG = 3
TRX = 1_000_000
ROOT = Path(__file__).parents[2]


async def head_of(tron: TronChain) -> dict[str, Any]:
    """Return the newest block."""
    found: dict[str, Any] = await tron.ask("wallet/getnowblock")
    return found


async def transfer(
    tron: TronChain, *, amount: int = TRX, **options: Any
) -> tuple[bytes, bytes]:
    """Build a transfer of the payer to a fresh address; `options` are those of `signed`."""
    recipient = address.parse(await tron.fresh_address(), visible=True)
    value = {"to_address": recipient, "amount": amount}
    return await tron.signed("TransferContract", value, **options)


async def test_genesis_token_and_payer_are_the_same_on_every_start(tron: TronChain) -> None:
    """Configuration can pin them."""
    face: LocalChain = tron
    assert (face.identity, face.token) == (GENESIS, TOKEN)
    assert await face.balance(face.payer) > 1_000 * TRX
    assert await face.balance(face.payer, face.token) > 1_000 * TRX


async def test_blocks_link_by_parent_hash(tron: TronChain) -> None:
    """Each block names the id of the one below, and the id begins with the height."""
    await tron.mine(4)
    answer = await tron.ask("wallet/getblockbylimitnext", startNum=0, endNum=5)
    blocks = answer["block"]
    for below, block in pairwise(blocks):
        header = block["block_header"]["raw_data"]
        assert header["parentHash"] == below["blockID"]
        assert int(block["blockID"][:16], 16) == header["number"]
        assert "transactions" not in blocks[0]


async def test_infos_of_a_block_are_those_of_its_transactions(tron: TronChain) -> None:
    """Ids, order and height agree, so that a reader can prove a block complete."""
    for _ in range(3):
        await tron.send(await tron.fresh_address(), TRX)
    await tron.send(await tron.fresh_address(), TRX, tron.token)
    await tron.mine()
    block = await head_of(tron)
    height = block["block_header"]["raw_data"]["number"]
    infos = await tron.ask("wallet/gettransactioninfobyblocknum", num=height)
    assert [entry["id"] for entry in infos] == [tx["txID"] for tx in block["transactions"]]
    assert {entry["blockNumber"] for entry in infos} == {height}
    assert len(infos) == 4


async def test_a_signature_of_another_key_is_refused(tron: TronChain) -> None:
    """The node recovers the signer and compares it with the owner."""
    raw, signature = await transfer(tron, key=address.constant_key("somebody else"))
    with pytest.raises(ChainFault, match="SIGERROR"):
        await tron.broadcast(raw, signature)
    with pytest.raises(ChainFault, match=r"SIGERROR.*Signature size is 64"):
        await tron.broadcast(raw, signature[:64])


async def test_a_transaction_is_accepted_once(tron: TronChain) -> None:
    """A repeat is a duplicate while it is pending and once it is in a block."""
    raw, signature = await transfer(tron)
    await tron.broadcast(raw, signature)
    for _ in range(2):
        with pytest.raises(ChainFault, match="DUP_TRANSACTION_ERROR"):
            await tron.broadcast(raw, signature)
        await tron.mine()


async def test_expiration_must_lie_within_a_day_of_the_head_block(tron: TronChain) -> None:
    """At the head's own time it is over; 24 hours later is the last moment."""
    for life_ms in (0, DAY_MS + 1):
        raw, signature = await transfer(tron, life_ms=life_ms)
        with pytest.raises(ChainFault, match="TRANSACTION_EXPIRATION_ERROR"):
            await tron.broadcast(raw, signature)
    for life_ms in (1, DAY_MS):
        await tron.broadcast(*await transfer(tron, life_ms=life_ms))


async def test_a_transaction_that_is_held_back_too_long_never_lands(tron: TronChain) -> None:
    """Once the head has passed its expiration it is dropped, and a retry is refused."""
    await tron.mine()
    await tron.set_faults(hold_blocks=2)
    raw, signature = await transfer(tron, life_ms=600_000)
    tx_id = await tron.broadcast(raw, signature)
    await tron.set_faults()
    await tron.mine()
    assert (await tron.ask("wallet/getpendingsize"))["pendingSize"] == 1
    await tron.travel(601)
    await tron.mine(3)
    assert await tron.info(tx_id) == {}
    with pytest.raises(ChainFault, match="TRANSACTION_EXPIRATION_ERROR"):
        await tron.broadcast(raw, signature)
    await tron.travel(-601)


async def test_an_unknown_reference_block_is_refused(tron: TronChain) -> None:
    """A transaction that was built on another branch does not enter this one."""
    raw, signature = await transfer(tron, ref_block_hash=bytes(8))
    with pytest.raises(ChainFault, match="TAPOS_ERROR"):
        await tron.broadcast(raw, signature)


async def test_what_was_promised_already_cannot_be_spent_again(tron: TronChain) -> None:
    """Pending transactions count: the second of two that together are too large is refused."""
    half = await tron.balance(tron.payer) * 2 // 3
    first, second = await transfer(tron, amount=half), await transfer(tron, amount=half)
    await tron.broadcast(*first)
    with pytest.raises(ChainFault, match="balance is not sufficient"):
        await tron.broadcast(*second)
    await tron.mine()
    await tron.reorg(1, drop=True)


async def test_solid_answers_end_below_the_head(tron: TronChain) -> None:
    """`walletsolidity/` shows blocks, transactions and balances of the solid block only."""
    recipient = await tron.fresh_address()
    tx_id = await tron.send(recipient, TRX)
    found = await tron.mined(tx_id)
    height = found["blockNumber"]
    for _ in range(SOLID_LAG):
        assert await tron.ask("walletsolidity/getblockbynum", num=height) == {}
        assert await tron.ask("walletsolidity/gettransactioninfobyblocknum", num=height) == []
        assert await tron.info(tx_id, solid=True) == {}
        who = {"address": recipient, "visible": True}
        assert await tron.ask("walletsolidity/getaccount", **who) == {}
        await tron.mine()
    solid = await tron.ask("walletsolidity/getnowblock")
    assert solid["block_header"]["raw_data"]["number"] == height
    assert await tron.info(tx_id, solid=True) == found
    account = await tron.ask("walletsolidity/getaccount", **who)
    assert account["balance"] == TRX


async def test_solid_token_balances_are_those_of_the_solid_block(tron: TronChain) -> None:
    """A constant call in the solid tree runs in the solid state."""
    recipient = await tron.fresh_address()
    call = {
        "owner_address": recipient,
        "contract_address": tron.token,
        "function_selector": "balanceOf(address)",
        "parameter": address.parse(recipient, visible=True)[1:].hex().zfill(64),
        "visible": True,
    }
    await tron.send(recipient, 9, tron.token)
    await tron.mine(SOLID_LAG)
    balances = []
    for _ in range(2):
        answer = await tron.ask("walletsolidity/triggerconstantcontract", **call)
        balances.append(int(answer["constant_result"][0], 16))
        await tron.mine()
    assert balances == [0, 9]


async def test_a_reorganisation_moves_a_transaction_to_another_block(tron: TronChain) -> None:
    """Heights stay, ids change, effects are undone until the transaction is in again."""
    recipient = await tron.fresh_address()
    tx_id = await tron.send(recipient, 4, tron.token)
    before = await tron.mined(tx_id)
    await tron.mine()
    old = await tron.ask("wallet/getblockbynum", num=before["blockNumber"])
    await tron.reorg(2, delay=2)
    new = await tron.ask("wallet/getblockbynum", num=before["blockNumber"])
    assert new["blockID"] != old["blockID"]
    assert await tron.ask("wallet/getblockbyid", value=old["blockID"]) == {}
    assert await tron.info(tx_id) == {}
    assert await tron.balance(recipient, tron.token) == 0
    after = await tron.mined(tx_id)
    assert after["blockNumber"] == before["blockNumber"] + 2
    assert await tron.balance(recipient, tron.token) == 4


async def test_a_reorganisation_can_drop_a_payment_for_good(tron: TronChain) -> None:
    """Balances are those of before; the dropped transaction may be sent again."""
    before = await tron.balance(tron.payer)
    raw, signature = await transfer(tron)
    tx_id = await tron.broadcast(raw, signature)
    await tron.mine()
    await tron.reorg(1, drop=True)
    await tron.mine(2)
    assert await tron.info(tx_id) == {}
    assert await tron.balance(tron.payer) == before


async def test_solid_blocks_are_not_replaced(tron: TronChain) -> None:
    """A deeper reorganisation than the lag is refused."""
    with pytest.raises(ChainFault, match="not solid"):
        await tron.reorg(SOLID_LAG + 1)


async def test_visible_answers_write_addresses_as_base58(tron: TronChain) -> None:
    """Hex and base58 name the same accounts; a mixed-up form is an error."""
    plain, visible = [
        await tron.ask("wallet/getcontract", value=text, visible=flag)
        for text, flag in ((address.parse(TOKEN, visible=True).hex(), False), (TOKEN, True))
    ]
    assert address.base58_text(bytes.fromhex(plain["origin_address"])) == tron.payer
    assert visible["origin_address"] == tron.payer
    with pytest.raises(ChainFault, match="address"):
        await tron.ask("wallet/getaccount", address=tron.payer)


async def test_nonsense_is_answered_by_an_error_and_not_found_by_404(tron: TronChain) -> None:
    """As in java-tron, errors of a call are HTTP 200."""
    url = f"{tron.url}/wallet/broadcasthex"
    response = await tron.client.post(url, json={"transaction": "0a03ffff"})
    assert response.status_code == 200
    assert "Error" in response.json()
    response = await tron.client.get(f"{tron.url}/walletsolidity/getaccountresource")
    assert response.status_code == 404
    response = await tron.client.get(f"{tron.url}/wallet/getblockbynum?num=0")
    assert response.json()["blockID"] == GENESIS


async def test_broadcast_faults_accept_and_forget_or_refuse(tron: TronChain) -> None:
    """A swallowed transaction is a duplicate on retry and never in a block."""
    await tron.set_faults(swallow=True)
    raw, signature = await transfer(tron)
    tx_id = await tron.broadcast(raw, signature)
    await tron.set_faults(refuse=["SERVER_BUSY", "Server busy."])
    with pytest.raises(ChainFault, match="SERVER_BUSY"):
        await tron.broadcast(raw, signature)
    await tron.set_faults()
    with pytest.raises(ChainFault, match="DUP"):
        await tron.broadcast(raw, signature)
    assert await tron.mined(tx_id) == {}


async def test_a_node_can_refuse_twice_or_seem_to_know_nothing(tron: TronChain) -> None:
    """DUP for what was never accepted, and empty answers: neither proves anything."""
    tx_id = await tron.send(await tron.fresh_address(), TRX)
    found = await tron.mined(tx_id)
    await tron.set_faults(remember_refused=True, blank=["gettransactioninfobyblocknum"])
    raw, signature = await transfer(tron, life_ms=0)
    with pytest.raises(ChainFault, match="EXPIRATION"):
        await tron.broadcast(raw, signature)
    raw, signature = await transfer(tron, amount=10**17)
    for code in ("CONTRACT_VALIDATE_ERROR", "DUP_TRANSACTION_ERROR"):
        with pytest.raises(ChainFault, match=code):
            await tron.broadcast(raw, signature)
    height = found["blockNumber"]
    assert await tron.ask("wallet/gettransactioninfobyblocknum", num=height) == []
    await tron.set_faults()
    assert await tron.ask("wallet/gettransactioninfobyblocknum", num=height) == [found]
    with pytest.raises(ChainFault, match="no such fault"):
        await tron.set_faults(unheard_of=True)


async def test_blocks_come_by_themselves_and_pay_waits_for_one() -> None:
    """With an interval nobody needs to mine, and nothing is left running afterwards."""
    ours = set(psutil.Process().children(recursive=True))
    async with running(0.2) as tron:
        started = set(psutil.Process().children(recursive=True)) - ours
        recipient = await tron.fresh_address()
        await tron.pay(recipient, 3 * TRX)
        assert await tron.balance(recipient) == 3 * TRX
    assert len(started) == 2
    assert not [process for process in started if process.is_running()]


async def test_a_killed_emulator_takes_its_evm_along() -> None:
    """SIGKILL leaves no time to clean up; the kernel does it."""
    emulator = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "devnet.tron"), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert emulator.stdout is not None
    assert await emulator.stdout.readline()
    children = psutil.Process(emulator.pid).children(recursive=True)
    emulator.kill()
    await emulator.communicate()
    assert children
    assert survivors(children) == []


def test_reading_gives_the_owner_of_a_transaction_without_signature() -> None:
    """`read` needs no chain."""
    raw = raw_data("WithdrawExpireUnfreezeContract", {"owner_address": PAYER})
    assert read(raw).owner == PAYER
