"""Busy contracts, TRC-10 assets, delegation and a node's own settings on the emulator."""

import pytest

from devnet.chain import ChainFault
from devnet.contracts import cases
from devnet.tron import TronChain, address
from devnet.tron.genesis import PAYER
from devnet.tron.local import call_data, token_transfer

pytestmark = [pytest.mark.anyio, pytest.mark.chain]

TRX = 1_000_000
ENERGY = 1
HOLDER = address.evm(PAYER)


def octets(base58: str) -> bytes:
    """Return the 21 bytes of an address."""
    return address.parse(base58, visible=True)


async def test_a_busy_contract_costs_its_penalty(tron: TronChain) -> None:
    """The estimate covers it exactly, the receipt tells it apart, and one unit less fails."""
    data = token_transfer(octets(await tron.fresh_address()), 5)
    ask = {"owner_address": tron.payer, "contract_address": tron.token, "visible": True}
    plain = await tron.ask("wallet/estimateenergy", **ask, data=data.hex())
    await tron.penalise(tron.token, 17_001)
    try:
        answer = await tron.ask("wallet/estimateenergy", **ask, data=data.hex())
        simulated = await tron.ask("wallet/triggerconstantcontract", **ask, data=data.hex())
        needed = answer["energy_required"]
        extra = needed - plain["energy_required"]
        assert 1.70 < extra / plain["energy_required"] < 1.71
        assert (simulated["energy_used"], simulated["energy_penalty"]) == (needed, extra)
        value = {"contract_address": octets(tron.token), "data": data}
        receipts = []
        for energy in (needed - 1, needed):
            sent = await tron.transact("TriggerSmartContract", value, fee_limit=energy * 100)
            receipts.append((await tron.mined(sent))["receipt"])
        assert [each["result"] for each in receipts] == ["OUT_OF_ENERGY", "SUCCESS"]
        assert [each["energy_usage_total"] for each in receipts] == [needed - 1, needed]
        assert receipts[1]["energy_penalty_total"] == extra
        state = await tron.ask("wallet/getcontractinfo", value=tron.token, visible=True)
        assert state["contract_state"]["energy_factor"] == 17_001
    finally:
        await tron.penalise(tron.token, 0)
    with pytest.raises(ChainFault, match="factor"):
        await tron.penalise(tron.token, 34_001)


async def test_an_asset_is_issued_and_moves_by_its_number(tron: TronChain) -> None:
    """The name may be anything; the id counts from 1000001 and nobody holds more than is there."""
    first = await tron.issue("USDT", 10**9)
    assert first == "1000001"
    to = await tron.fresh_address()
    value = {"asset_name": first.encode(), "to_address": octets(to), "amount": 7}
    found = await tron.mined(await tron.transact("TransferAssetContract", value))
    assert found["fee"] == 1_100_000, "it brings its recipient into existence"
    for visible, name in ((True, first), (False, first.encode().hex())):
        listed = await tron.ask("wallet/gettransactionbyid", value=found["id"], visible=visible)
        shown = listed["raw_data"]["contract"][0]["parameter"]["value"]
        assert (shown["asset_name"], shown["amount"]) == (name, 7)
    account = await tron.ask("wallet/getaccount", address=to, visible=True)
    assert account["assetV2"] == [{"key": first, "value": 7}]
    asset = await tron.ask("wallet/getassetissuebyid", value=first, visible=True)
    assert (asset["name"], asset["id"], asset["total_supply"]) == ("USDT", first, 10**9)
    for wrong in (
        {"amount": 10**10},
        {"asset_name": b"USDT"},
        {"to_address": octets(tron.token)},
    ):
        with pytest.raises(ChainFault, match="CONTRACT_VALIDATE_ERROR"):
            await tron.transact("TransferAssetContract", value | wrong)
    with pytest.raises(ChainFault, match="only issue one"):
        await tron.issue("AGAIN", 1)
    await tron.reorg(1, drop=True)
    account = await tron.ask("wallet/getaccount", address=to, visible=True)
    assert account == {}, "a fork takes the asset back too"


async def test_a_node_that_keeps_no_inner_transfers_shows_none(tron: TronChain) -> None:
    """What ran meanwhile stays hidden; the money moved all the same."""
    created = await tron.mined(await tron.deploy("Splitter"))
    splitter = address.base58_text(bytes.fromhex(created["contract_address"]))
    paid = await tron.fresh_address()
    data = call_data("fan(address[],uint256)", [address.evm(octets(paid))], 7)
    await tron.set_up(save_internal=False)
    hidden = await tron.mined(await tron.trigger(splitter, data, call_value=7))
    await tron.set_up(save_internal=True)
    shown = await tron.mined(await tron.trigger(splitter, data, call_value=7))
    assert "internal_transactions" not in hidden
    assert "internal_transactions" not in await tron.info(hidden["id"])
    assert len(shown["internal_transactions"]) == 1
    assert await tron.balance(paid) == 14


async def test_energy_is_lent_and_taken_back(tron: TronChain) -> None:
    """The borrower's limit rises, both ends show in the index, and all of it is undone."""
    borrower = await tron.fresh_address()
    await tron.send(borrower, TRX)
    amount = 1_000_000 * TRX
    await tron.transact(
        "FreezeBalanceV2Contract", {"frozen_balance": amount, "resource": ENERGY}
    )
    loan = {"receiver_address": octets(borrower), "balance": amount, "resource": ENERGY}
    ends = {"fromAddress": tron.payer, "toAddress": borrower, "visible": True}
    await tron.transact("DelegateResourceContract", loan)
    await tron.mine()
    who = {"address": borrower, "visible": True}
    resources = await tron.ask("wallet/getaccountresource", **who)
    assert resources["EnergyLimit"] > 9_000_000
    (found,) = (await tron.ask("wallet/getdelegatedresourcev2", **ends))["delegatedResource"]
    assert found["frozen_balance_for_energy"] == amount
    indexes = [
        await tron.ask("wallet/getdelegatedresourceaccountindexv2", value=each, visible=True)
        for each in (tron.payer, borrower)
    ]
    assert indexes == [
        {"account": tron.payer, "toAccounts": [borrower]},
        {"account": borrower, "fromAccounts": [tron.payer]},
    ]
    with pytest.raises(ChainFault, match="insufficient"):
        await tron.transact("UnDelegateResourceContract", loan | {"balance": amount + 1})
    with pytest.raises(ChainFault, match="not emulated"):
        await tron.transact("DelegateResourceContract", loan | {"lock": 1})
    await tron.transact("UnDelegateResourceContract", loan)
    await tron.mine()
    assert "EnergyLimit" not in await tron.ask("wallet/getaccountresource", **who)
    assert await tron.ask("wallet/getdelegatedresourcev2", **ends) == {}
    await tron.reorg(2, drop=True)


async def test_tokens_may_freeze_pause_and_keep_a_fee(tron: TronChain) -> None:
    """The same contracts as on the EVM chains run here: refused transfers revert, fees vanish."""
    supply, to = 10**12, await tron.fresh_address()
    usdt = await tron.create(cases.freezable_token(HOLDER, supply))
    results = []
    for call in (
        call_data("pause()"),
        call_data("unpause()"),
        call_data("addBlackList(address)", address.evm(octets(to))),
        call_data("removeBlackList(address)", address.evm(octets(to))),
    ):
        await tron.trigger(usdt, call)
        found = await tron.mined(await tron.send(to, 10, usdt))
        results.append(found["receipt"]["result"])
    assert results == ["REVERT", "SUCCESS", "REVERT", "SUCCESS"]
    assert await tron.balance(to, usdt) == 20
    charging = await tron.create(cases.fee_token(HOLDER, supply, basis_points=200))
    found = await tron.mined(await tron.send(to, 100, charging))
    assert int(found["log"][0]["data"], 16) == 100
    assert await tron.balance(to, charging) == 98


async def test_the_solid_block_may_stand_still_while_the_head_goes_on(tron: TronChain) -> None:
    """As where too few witnesses build; afterwards it catches up, never backwards."""
    await tron.mine(4)
    solid = await tron.ask("walletsolidity/getnowblock")
    height = solid["block_header"]["raw_data"]["number"]
    await tron.set_faults(solid_at=height)
    await tron.mine(3)
    assert await tron.ask("walletsolidity/getnowblock") == solid
    await tron.set_faults()
    later = await tron.ask("walletsolidity/getnowblock")
    assert later["block_header"]["raw_data"]["number"] == height + 3
