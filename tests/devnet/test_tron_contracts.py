"""What contracts and transfers cost and leave behind on the Tron emulator."""

import pytest

from devnet.chain import ChainFault
from devnet.tron import TronChain, address
from devnet.tron.local import call_data, token_transfer

pytestmark = [pytest.mark.anyio, pytest.mark.chain]

TOKEN = "TDBZzaRZXjT2KHAL9bihkyNSuaSyWJwyRZ"
TRX = 1_000_000


async def test_a_token_transfer_leaves_one_log_and_moves_the_token(tron: TronChain) -> None:
    """The log's address has no 0x41 in front; a new holder costs more energy."""
    recipient = await tron.fresh_address()
    first = await tron.mined(await tron.send(recipient, 5, tron.token))
    second = await tron.mined(await tron.send(recipient, 6, tron.token))
    (log,) = first["log"]
    assert log["address"] == address.parse(TOKEN, visible=True)[1:].hex()
    assert int(log["data"], 16) == 5
    assert first["receipt"]["result"] == "SUCCESS"
    totals = [entry["receipt"]["energy_usage_total"] for entry in (first, second)]
    assert totals[0] > totals[1] + 10_000
    assert await tron.balance(recipient, tron.token) == 11


async def test_the_first_transfer_to_an_address_costs_its_creation(tron: TronChain) -> None:
    """1.1 TRX in place of bandwidth; the second transfer pays for bytes only."""
    recipient, before = await tron.fresh_address(), await tron.balance(tron.payer)
    created = await tron.mined(await tron.send(recipient, TRX))
    repeated = await tron.mined(await tron.send(recipient, TRX))
    assert created["fee"] == 1_100_000
    fee = created["fee"] + repeated.get("fee", 0)
    assert await tron.balance(tron.payer) == before - 2 * TRX - fee
    (resource,) = repeated["receipt"]
    assert resource in {"net_usage", "net_fee"}


async def test_a_reverted_token_transfer_has_no_log_and_still_costs(tron: TronChain) -> None:
    """The transaction is in a block, with REVERT as its result."""
    too_much = 10**30
    tx_id = await tron.send(await tron.fresh_address(), too_much, tron.token)
    found = await tron.mined(tx_id)
    transaction = await tron.ask("wallet/gettransactionbyid", value=tx_id)
    assert transaction["ret"] == [{"contractRet": "REVERT"}]
    assert found["result"] == "FAILED"
    assert found["receipt"]["result"] == "REVERT"
    assert bytes.fromhex(found["resMessage"]) == b"REVERT opcode executed"
    assert found["fee"] > 0
    assert "log" not in found
    with pytest.raises(ChainFault, match="REVERT"):
        await tron.included(tx_id)


async def test_a_small_fee_limit_runs_out_of_energy(tron: TronChain) -> None:
    """What the limit allowed is burned and nothing is paid."""
    recipient = await tron.fresh_address()
    value = {
        "contract_address": address.parse(tron.token, visible=True),
        "data": token_transfer(address.parse(recipient, visible=True), 5),
    }
    tx_id = await tron.transact("TriggerSmartContract", value, fee_limit=1_000_000)
    found = await tron.mined(tx_id)
    assert found["receipt"]["result"] == "OUT_OF_ENERGY"
    assert found["receipt"]["energy_fee"] == 1_000_000
    assert await tron.balance(recipient, tron.token) == 0


async def test_the_energy_estimate_is_exactly_enough(tron: TronChain) -> None:
    """A limit of the estimate succeeds; one unit less does not."""
    data = token_transfer(address.parse(await tron.fresh_address(), visible=True), 5)
    answer = await tron.ask(
        "wallet/estimateenergy",
        owner_address=tron.payer,
        contract_address=tron.token,
        data=data.hex(),
        visible=True,
    )
    value = {"contract_address": address.parse(tron.token, visible=True), "data": data}
    results = []
    for energy in (answer["energy_required"] - 1, answer["energy_required"]):
        limit = energy * 100
        tx_id = await tron.transact("TriggerSmartContract", value, fee_limit=limit)
        results.append((await tron.mined(tx_id))["receipt"]["result"])
    assert results == ["OUT_OF_ENERGY", "SUCCESS"]


async def test_internal_transfers_show_which_were_undone(tron: TronChain) -> None:
    """A payment below a reverted call is `rejected` although the transaction succeeded."""
    created = await tron.mined(await tron.deploy("Splitter"))
    splitter = address.base58_text(bytes.fromhex(created["contract_address"]))
    paid, unpaid = await tron.fresh_address(), await tron.fresh_address()
    targets = [address.evm(address.parse(who, visible=True)) for who in (paid, unpaid)]
    calls = [
        call_data("fan(address[],uint256)", targets[:1], 7),
        call_data("fanUndone(address,uint256)", targets[1], 7),
    ]
    first, second = [
        await tron.mined(await tron.trigger(splitter, call, call_value=7)) for call in calls
    ]
    (entry,) = first["internal_transactions"]
    assert entry["callValueInfo"] == [{"callValue": 7}]
    assert "rejected" not in entry
    assert all(entry["rejected"] for entry in second["internal_transactions"])
    assert second["receipt"]["result"] == "SUCCESS"
    assert [await tron.balance(who) for who in (paid, unpaid)] == [7, 0]


async def test_the_payer_stakes_and_calls_contracts_for_free(tron: TronChain) -> None:
    """Staked energy and bandwidth are used before anything is burned."""
    for resource, amount in ((0, 50_000_000 * TRX), (1, 50_000_000 * TRX)):
        value = {"frozen_balance": amount, "resource": resource}
        await tron.transact("FreezeBalanceV2Contract", value)
    await tron.mine()
    found = await tron.mined(await tron.send(await tron.fresh_address(), 1, tron.token))
    assert "fee" not in found
    assert found["receipt"]["energy_usage"] == found["receipt"]["energy_usage_total"]
    await tron.reorg(2, drop=True)
