"""Cases 41 to 54 of the attack catalogue, as far as a single block can hold them.

Cases 53 (fork) and 54 (halt) are the engine's; here stands what it needs for them: another
branch shows as another hash at the same height.
"""

import pytest

from tests.networks.tron.documents import (
    CALL_NOTE,
    DELEGATE_NOTE,
    HEIGHT,
    HEX,
    OTHER_TOKEN,
    PAYER,
    POOL,
    TOKEN,
    VISIBLE,
    Spelling,
    amount_word,
    block,
    block_id,
    call_info,
    contract_call,
    decode,
    info,
    internal,
    transaction,
    transfer_log,
    trx_transfer,
    tx_id,
    word,
)
from watchers.network import NATIVE, Incomplete, Transfer
from watchers.networks.tron.transfers import TRANSFER_TOPIC


@pytest.mark.parametrize("result", ["REVERT", "OUT_OF_ENERGY", "OUT_OF_TIME"])
def test_case_41_a_failed_call_pays_nobody(result: str) -> None:
    """Transfer-looking logs and inner calls of a failed contract call do not count."""
    failed = call_info(
        "a",
        result,
        fee=16_500_120,
        log=[transfer_log(5)],
        internal_transactions=[internal({"callValue": 9})],
    )
    seen = decode(block(contract_call("a", result)), [failed])
    assert seen.transfers == ()
    assert not seen.outcomes[tx_id("a")].success
    assert seen.outcomes[tx_id("a")].payer_spent_units == 16_500_120


@pytest.mark.parametrize(
    ("in_block", "in_info"), [("SUCCESS", "REVERT"), ("REVERT", "SUCCESS")]
)
def test_case_41_block_and_info_that_disagree_are_not_believed(
    in_block: str, in_info: str
) -> None:
    """A node that contradicts itself about the result is asked again."""
    with pytest.raises(Incomplete, match="block says"):
        decode(block(contract_call("a", in_block)), [call_info("a", in_info)])


@pytest.mark.parametrize("contract_ret", ["FAILED", "REVERT", "UNKNOWN", ""])
def test_case_42_a_trx_transfer_without_success_pays_nobody(contract_ret: str) -> None:
    """Only `contractRet` SUCCESS counts, absent is not success; nor failure, unless both say so."""
    payment = trx_transfer("a", 7, contract_ret)
    seen = decode(block(payment), [info("a")])
    assert seen.transfers == ()
    with pytest.raises(Incomplete, match="info does not"):
        seen.outcomes[tx_id("a")]
    seen = decode(block(payment), [info("a", result="FAILED")])
    assert seen.transfers == ()
    assert not seen.outcomes[tx_id("a")].success


@pytest.mark.parametrize("infos", [[], {}])
def test_case_43_no_infos_for_a_block_with_transactions_is_incomplete(infos: object) -> None:
    """An empty answer means that the node does not know."""
    with pytest.raises(Incomplete, match="infos do not match"):
        decode(block(trx_transfer("a", 7)), infos)


def test_case_44_infos_of_another_block_are_incomplete() -> None:
    """A fork between the two calls shows in the ids."""
    with pytest.raises(Incomplete, match="infos do not match"):
        decode(block(trx_transfer("a", 7)), [info("b")])


@pytest.mark.parametrize("other", [{"blockNumber": HEIGHT + 1}, {"blockTimeStamp": 1}])
def test_case_44_infos_of_the_same_transactions_in_another_block_are_incomplete(
    other: dict[str, int],
) -> None:
    """The same ids at another height or time belong to another branch."""
    with pytest.raises(Incomplete, match="another block"):
        decode(block(trx_transfer("a", 7)), [info("a", **other)])


@pytest.mark.parametrize("count", [0, 2])
def test_case_45_a_transaction_has_exactly_one_contract(count: int) -> None:
    """Consensus forbids anything else, so the answer is wrong."""
    listed = trx_transfer("a", 7)
    listed["raw_data"]["contract"] *= count
    with pytest.raises(Incomplete, match="exactly one contract"):
        decode(block(listed), [info("a")])


@pytest.mark.parametrize("name", ["55534454", "545258", "31303034373737", "USDT", "1004777"])
def test_case_46_a_trc10_asset_is_never_taken_for_money(name: str) -> None:
    """Neither a name like USDT nor an id that nobody listed counts."""
    value = {
        "asset_name": name,
        "owner_address": HEX.account(PAYER),
        "to_address": HEX.account(POOL),
        "amount": 5,
    }
    listed = transaction("a", "TransferAssetContract", value)
    assert decode(block(listed), [info("a")]).transfers == ()


def test_case_47_a_trc10_amount_inside_a_contract_is_not_trx() -> None:
    """Of a `callValueInfo` list only entries without `tokenId` are TRX."""
    mixed = internal({}, callValueInfo=[{"tokenId": "1004777", "callValue": 10**15}, {}])
    both = internal(
        {}, callValueInfo=[{"callValue": 3}, {"tokenId": 1_004_777, "callValue": 4}]
    )
    seen = decode(
        block(contract_call("a")), [call_info("a", internal_transactions=[mixed, both])]
    )
    assert [(each.ordinal, each.units) for each in seen.transfers] == [(1, 3)]


def test_case_48_a_rejected_inner_call_is_skipped() -> None:
    """Its value went back; its place in the list still counts for the ordinals."""
    inner = [internal({"callValue": 5}, rejected=True), internal({"callValue": 6})]
    seen = decode(block(contract_call("a")), [call_info("a", internal_transactions=inner)])
    assert seen.transfers == (Transfer(tx_id("a"), "internal", 1, NATIVE, TOKEN, POOL, 6),)


@pytest.mark.parametrize("rejected", [False, True])
def test_case_48_an_inner_payment_has_one_name_on_every_node(*, rejected: bool) -> None:
    """`vm.saveFeaturedInternalTx` adds votes and delegations on some nodes only.

    A rescan through another node must find the same payment again, not a second one.
    """
    first = internal({"callValue": 5}, rejected=rejected)
    featured = internal({"callValue": 10**6}, note=b"voteWitness".hex())
    asset = internal({"tokenId": "1004777", "callValue": 7})
    last = internal({"callValue": 6}, callValueInfo=[{"callValue": 6}])
    plain = [first, last, asset]
    both = [
        decode(block(contract_call("a")), [call_info("a", internal_transactions=inner)])
        for inner in (plain, [featured, first, featured, last, featured, asset])
    ]
    assert both[0].transfers == both[1].transfers
    assert both[0].transfers[-1].ordinal == 1
    strays = [[*each.strays()] for each in both]
    assert strays[0] == strays[1] != []


def test_a_contract_that_destroys_itself_in_its_own_favour_pays_nobody() -> None:
    """Its balance is burnt; the place in the list is taken all the same."""
    burnt = internal(
        {"callValue": 9}, note=b"suicide".hex(), transferTo_address=HEX.account(TOKEN)
    )
    inner = [burnt, internal({"callValue": 4})]
    seen = decode(block(contract_call("a")), [call_info("a", internal_transactions=inner)])
    assert [(each.ordinal, each.recipient) for each in seen.transfers] == [(1, POOL)]


def test_case_50_a_log_in_upper_case_hex_is_the_same_log() -> None:
    """Nodes write lower case; a proxy in front of one need not."""
    log = transfer_log(5)
    shouted = log | {
        "address": str(log["address"]).upper(),
        "topics": [each.upper() for each in log["topics"]],
    }
    both = [
        decode(block(contract_call("a")), [call_info("a", log=[each])], listed)
        for each in (log, shouted)
        for listed in (TOKEN, OTHER_TOKEN)
    ]
    assert both[0].transfers == both[2].transfers != ()
    assert [*both[1].strays()] == [*both[3].strays()] != []


def test_case_49_a_node_without_inner_calls_still_gives_complete_blocks() -> None:
    """The field is absent there: nothing internal is seen, nothing else is lost."""
    seen = decode(block(contract_call("a")), [call_info("a", log=[transfer_log(5)])])
    assert [each.kind for each in seen.transfers] == ["token"]


@pytest.mark.parametrize("spelling", [HEX, VISIBLE], ids=["hex", "base58"])
def test_case_50_both_spellings_of_a_node_give_the_same_block(spelling: Spelling) -> None:
    """Logs without the 41, accounts with it, or base58: one canonical form comes out."""
    listed = block(trx_transfer("a", 7, spelling=spelling), contract_call("b"))
    inner = internal({"callValue": 9})
    inner["transferTo_address"] = spelling.account(POOL)
    called = call_info(
        "b", log=[transfer_log(5, spelling=spelling)], internal_transactions=[inner]
    )
    assert decode(listed, [called, info("a")]).transfers == (
        Transfer(tx_id("a"), "native", 0, NATIVE, PAYER, POOL, 7),
        Transfer(tx_id("b"), "token", 0, TOKEN, PAYER, POOL, 5),
        Transfer(tx_id("b"), "internal", 0, NATIVE, TOKEN, POOL, 9),
    )


def test_case_51_a_token_to_an_address_without_account_counts() -> None:
    """Nothing in the block tells a never activated recipient apart, and nothing should."""
    seen = decode(block(contract_call("a")), [call_info("a", log=[transfer_log(5)])])
    assert [(each.recipient, each.units) for each in seen.transfers] == [(POOL, 5)]


def test_case_52_only_the_contract_that_speaks_counts() -> None:
    """A perfect Transfer event of an unlisted contract is nothing, whoever was called."""
    logs = [transfer_log(5, token=OTHER_TOKEN), transfer_log(6)]
    seen = decode(block(contract_call("a")), [call_info("a", log=logs)])
    assert [(each.asset, each.ordinal, each.units) for each in seen.transfers] == [
        (TOKEN, 1, 6)
    ]


def test_case_53_another_branch_is_another_hash() -> None:
    """The link rule needs nothing more than that."""
    here = decode(block(), []).ref
    there = decode(block(blockID=block_id(HEIGHT, "fork")), []).ref
    assert here.height == there.height
    assert here.hash != there.hash


@pytest.mark.parametrize(
    "broken",
    [
        {"topics": [TRANSFER_TOPIC, word(PAYER), word(POOL), amount_word(5)], "data": ""},
        {"topics": [TRANSFER_TOPIC, word(PAYER)]},
        {"topics": ["00" * 32, word(PAYER), word(POOL)]},
        {"topics": [TRANSFER_TOPIC, word(PAYER), "ff" * 12 + word(POOL)[24:]]},
        {"data": amount_word(0)},
        {"data": amount_word(5) + "00"},
        {"topics": []},
    ],
    ids=[
        "nft",
        "two topics",
        "other event",
        "dirty recipient",
        "zero",
        "33 bytes",
        "no topics",
    ],
)
def test_an_event_of_another_shape_is_no_transfer(broken: dict[str, object]) -> None:
    """Of a listed contract too, only the exact shape counts (cases 6 and 7)."""
    seen = decode(block(contract_call("a")), [call_info("a", log=[transfer_log(5) | broken])])
    assert seen.transfers == ()


@pytest.mark.parametrize("data", [" " * 62 + "05", "5_0" + "0" * 61, "\u0665" * 64])
def test_an_amount_that_is_no_hex_is_refused(data: str) -> None:
    """Blanks, underscores and digits of other scripts are no amount, though Python reads some."""
    bent = transfer_log(5) | {"data": data}
    with pytest.raises(Incomplete):
        decode(block(contract_call("a")), [call_info("a", log=[bent])])


def test_a_sender_that_is_no_address_hides_no_payment() -> None:
    """Who paid decides nothing; the listed contract says that it arrived."""
    log = transfer_log(5) | {"topics": [TRANSFER_TOPIC, "ff" * 32, word(POOL)]}
    seen = decode(block(contract_call("a")), [call_info("a", log=[log])])
    assert [(each.sender, each.recipient, each.units) for each in seen.transfers] == [
        ("", POOL, 5)
    ]


@pytest.mark.parametrize("note", [DELEGATE_NOTE, b"freezeForEnergy".hex(), ""])
def test_an_amount_that_stays_put_is_no_payment(note: str) -> None:
    """A contract that delegates or freezes for the pool states an amount but moves none."""
    inner = internal({"callValue": 10**12}, note=note)
    seen = decode(block(contract_call("a")), [call_info("a", internal_transactions=[inner])])
    assert seen.transfers == ()


@pytest.mark.parametrize("note", [CALL_NOTE, b"suicide".hex(), b"create".hex(), "suicide"])
def test_trx_from_inside_a_contract_counts(note: str) -> None:
    """A call with value, a creation and a self-destruction move TRX; hex or plain note."""
    inner = internal({"callValue": 4}, note=note)
    seen = decode(block(contract_call("a")), [call_info("a", internal_transactions=[inner])])
    assert [(each.kind, each.units) for each in seen.transfers] == [("internal", 4)]
