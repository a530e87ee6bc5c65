"""TRC-10 by numeric id, strays, several values in one inner call."""

import pytest

from tests.networks.tron.documents import (
    DELEGATE_NOTE,
    HEX,
    OTHER_TOKEN,
    PAYER,
    POOL,
    TOKEN,
    VISIBLE,
    Spelling,
    block,
    call_info,
    contract_call,
    decode,
    info,
    internal,
    transaction,
    transfer_log,
    trx_transfer,
    tx_id,
)
from watchers.network import NATIVE, Incomplete, Transfer
from watchers.networks.tron.decode import token_spellings
from watchers.networks.tron.inner import NEXT_VALUE, VALUES_MAX
from watchers.networks.tron.transfers import TRANSFER_TOPIC
from watchers.scan.edge import proved_hits

ID = "1004777"
OTHER_ID = "1002000"


def asset_transfer(
    name: str, *, spelling: Spelling = HEX, units: int = 5, contract_ret: str = "SUCCESS"
) -> dict[str, object]:
    """Return a TRC-10 transfer; a node writes the asset's name as it writes addresses."""
    value = {
        "asset_name": name if spelling.visible else name.encode().hex(),
        "owner_address": spelling.account(PAYER),
        "to_address": spelling.account(POOL),
        "amount": units,
    }
    return transaction("a", "TransferAssetContract", value, contract_ret)


@pytest.mark.parametrize("spelling", [HEX, VISIBLE], ids=["hex", "base58"])
def test_a_listed_trc10_asset_counts_by_its_id(spelling: Spelling) -> None:
    """The asset is named by the number, whatever the spelling of the node."""
    seen = decode(block(asset_transfer(ID, spelling=spelling)), [info("a")], ID)
    assert seen.transfers == (Transfer(tx_id("a"), "token", 0, ID, PAYER, POOL, 5),)
    assert list(seen.strays()) == []


@pytest.mark.parametrize("name", ["USDT", "TRX", ID + "0", "", "\x10\x04\x77"])
def test_case_46_a_trc10_name_is_no_id(name: str) -> None:
    """With an id on the list, another id or any name still counts for nothing."""
    assert decode(block(asset_transfer(name)), [info("a")], ID).transfers == ()


def test_a_number_in_hex_is_not_read_as_text() -> None:
    """Eight digits are hex too; the spelling of the addresses tells which is meant."""
    listed = asset_transfer("12345678", spelling=VISIBLE)
    assert decode(block(listed), [info("a")], "12345678").transfers != ()
    value = listed["raw_data"]["contract"][0]["parameter"]["value"]  # type: ignore[index]
    value |= {"owner_address": HEX.account(PAYER), "to_address": HEX.account(POOL)}
    assert decode(block(listed), [info("a")], "12345678").transfers == ()


def test_a_failed_or_empty_trc10_transfer_pays_nobody() -> None:
    """The rules are those of TRX."""
    for listed in (asset_transfer(ID, contract_ret="REVERT"), asset_transfer(ID, units=0)):
        seen = decode(block(listed), [info("a")], ID)
        assert seen.transfers == ()
        assert decode(block(listed), [info("a")]).strays() is not None
        assert list(decode(block(listed), [info("a")]).strays()) == []


def test_case_47_of_an_inner_call_that_moves_trx_and_assets_trx_alone_counts() -> None:
    """The assets are strays, the listed one too; each has a name, amounts of one add up."""
    values = [
        {"tokenId": OTHER_ID, "callValue": 1},
        {"tokenId": ID, "callValue": 2},
        {"callValue": 3},
        {"tokenId": int(ID), "callValue": 4},
        {"tokenId": "native", "callValue": 5},
        {},
    ]
    inner = [internal({}), internal({}, callValueInfo=values)]
    called = call_info("a", internal_transactions=inner)
    seen = decode(block(contract_call("a")), [called], ID)
    assert [(each.kind, each.asset, each.ordinal, each.units) for each in seen.transfers] == [
        ("internal", NATIVE, 1, 3)
    ]
    assert [(each.kind, each.asset, each.ordinal, each.units) for each in seen.strays()] == [
        ("token", OTHER_ID, 1 + 2 * NEXT_VALUE, 1),
        ("token", ID, 1 + 3 * NEXT_VALUE, 6),
    ]
    alone = call_info("a", internal_transactions=[internal({"tokenId": ID, "callValue": 2})])
    for listed in (ID, TOKEN):
        seen = decode(block(contract_call("a")), [alone], listed)
        assert seen.transfers == ()
        assert [(each.asset, each.ordinal) for each in seen.strays()] == [(ID, NEXT_VALUE)]


def test_a_contract_that_hands_over_thousands_of_assets_does_not_stop_the_chain() -> None:
    """Its TRX counts, and every place that is told fits where a deposit or a stray is written."""
    values = [{"tokenId": str(10**6 + each), "callValue": 1} for each in range(2_100)]
    inner = internal({}, callValueInfo=[*values, {"callValue": 3}])
    seen = decode(
        block(contract_call("a")), [call_info("a", internal_transactions=[inner])], TOKEN
    )
    assert [(each.asset, each.units) for each in seen.transfers] == [(NATIVE, 3)]
    strays = list(seen.strays())
    assert len(strays) == VALUES_MAX - 1
    assert proved_hits(seen, strays) == strays


def test_case_47_a_rejected_or_mere_delegation_of_an_asset_is_no_payment() -> None:
    """The rules of inner TRX hold for TRC-10 too."""
    value = {"tokenId": ID, "callValue": 2}
    inner = [internal(value, rejected=True), internal(value, note=DELEGATE_NOTE)]
    called = call_info("a", internal_transactions=inner)
    for listed in (ID, TOKEN):
        seen = decode(block(contract_call("a")), [called], listed)
        assert (seen.transfers, list(seen.strays())) == ((), [])


def test_case_52_a_token_that_is_not_listed_is_a_stray() -> None:
    """It names itself by its own contract; the listed one beside it is a payment."""
    logs = [transfer_log(5, token=OTHER_TOKEN), transfer_log(6)]
    seen = decode(
        block(contract_call("a"), trx_transfer("b", 7)), [call_info("a", log=logs), info("b")]
    )
    assert list(seen.strays()) == [
        Transfer(tx_id("a"), "token", 0, OTHER_TOKEN, PAYER, POOL, 5)
    ]
    assert [each.asset for each in seen.transfers] == [TOKEN, NATIVE]


def test_an_unlisted_trc10_asset_is_a_stray() -> None:
    """A name before ids existed identifies nothing and is none."""
    seen = decode(block(asset_transfer(OTHER_ID)), [info("a")], ID)
    assert list(seen.strays()) == [Transfer(tx_id("a"), "token", 0, OTHER_ID, PAYER, POOL, 5)]
    assert list(decode(block(asset_transfer("USDT")), [info("a")]).strays()) == []


def test_a_stray_that_cannot_be_read_is_none_and_stops_nothing() -> None:
    """Only what is listed must be readable; of a failed call nothing arrived."""
    odd = [
        transfer_log(5, token=OTHER_TOKEN) | {"data": "zz" * 32},
        transfer_log(5, token=OTHER_TOKEN) | {"address": "41aa"},
        transfer_log(5, token=OTHER_TOKEN) | {"topics": [TRANSFER_TOPIC]},
    ]
    for log in odd:
        seen = decode(block(contract_call("a")), [call_info("a", log=[log])])
        assert list(seen.strays()) == []
    with pytest.raises(Incomplete, match=tx_id("a")):
        decode(
            block(contract_call("a")),
            [call_info("a", log=[transfer_log(5) | {"data": "zz" * 32}])],
        )
    lost = call_info("a", "REVERT", log=[transfer_log(5, token=OTHER_TOKEN)])
    assert list(decode(block(contract_call("a", "REVERT")), [lost]).strays()) == []


def test_strays_of_equal_blocks_are_equal() -> None:
    """A block that two nodes tell alike is one block."""
    answers = (block(contract_call("a")), [call_info("a", log=[transfer_log(5)])])
    assert decode(*answers) == decode(*answers)


def test_a_list_takes_contracts_in_any_spelling_and_ids() -> None:
    """What is neither is refused by name."""
    listed = token_spellings([TOKEN])
    for text in listed:
        assert token_spellings([text.upper() if len(text) != 34 else text]) == listed
    assert token_spellings([ID]) == {ID: ID}
    with pytest.raises(ValueError, match="not a Tron address"):
        token_spellings([TOKEN[:-1]])


@pytest.mark.parametrize("kept", [True, False])
def test_case_49_a_block_tells_whether_inner_payments_are_kept(*, kept: bool) -> None:
    """One that shows any comes from a node that keeps them."""
    shown = {"internal_transactions": [internal({}, rejected=True)]} if kept else {}
    assert decode(block(contract_call("a")), [call_info("a") | shown]).internal is kept
