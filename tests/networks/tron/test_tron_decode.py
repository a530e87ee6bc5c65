"""Decoding Tron blocks: completeness, omitted defaults, recorded blocks."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.networks.tron.documents import (
    HEIGHT,
    HEX,
    PAYER,
    POOL,
    TIME_MS,
    block,
    block_id,
    call_info,
    contract_call,
    decode,
    info,
    transaction,
    transfer_log,
    trx_transfer,
    tx_id,
)
from watchers.network import Incomplete, NodeUnavailable, Outcome
from watchers.networks.tron.decode import decode_block, decode_header


def test_a_block_without_transactions_is_complete() -> None:
    """It has no `transactions` key, and its infos are `[]` or `{}`."""
    nothing: tuple[object, ...] = ([], {})
    for infos in nothing:
        seen = decode(block(), infos)
        assert seen.transfers == ()
        assert seen.outcomes == {}
        assert seen.ref.hash == block_id(HEIGHT)
        assert seen.ref.parent_hash == block_id(HEIGHT - 1)
        assert seen.ref.time == datetime(2024, 11, 26, 13, 22, 18, tzinfo=UTC)


def test_infos_for_an_empty_block_are_incomplete() -> None:
    """Transactions that the block does not list prove that one answer is short."""
    with pytest.raises(Incomplete):
        decode(block(), [info("a")])


@pytest.mark.parametrize("infos", [[], {}, [info("a")]])
def test_an_unknown_block_is_incomplete(infos: object) -> None:
    """`{}` means that the node does not have it (yet)."""
    with pytest.raises(Incomplete, match="does not know"):
        decode({}, infos)


@pytest.mark.parametrize(
    "wrong",
    [
        block(height=HEIGHT + 1),
        block(blockID=block_id(HEIGHT + 1)),
        block(blockID="00" * 8),
        block(blockID="zz" * 32),
        block(block_header={"raw_data": {"number": HEIGHT, "timestamp": TIME_MS}}),
        block(
            block_header={
                "raw_data": {
                    "number": HEIGHT,
                    "timestamp": 10**18,
                    "parentHash": block_id(HEIGHT - 1),
                }
            }
        ),
    ],
    ids=["other height", "other id", "short id", "no hex", "no parent", "no time"],
)
def test_a_block_whose_identity_is_not_whole_is_incomplete(wrong: object) -> None:
    """Height, id, parent and time must be there and agree with what was asked."""
    with pytest.raises(Incomplete):
        decode(wrong, [])


def test_a_repeated_transaction_is_incomplete() -> None:
    """Neither the block nor the infos may name one twice."""
    once = trx_transfer("a", 7)
    with pytest.raises(Incomplete, match="twice"):
        decode(block(once, once), [info("a")])
    with pytest.raises(Incomplete, match="do not match"):
        decode(block(once, trx_transfer("b", 7)), [info("a"), info("a")])


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"Error": "class x : busy"}', b"[1]", b"null"]
)
def test_what_is_no_answer_is_unavailable(body: bytes) -> None:
    """HTML, nothing, another shape and the node's own `Error` are the world's fault."""
    good = msgspec.json.encode(block())
    with pytest.raises(NodeUnavailable):
        decode_block(HEIGHT, body, b"[]", {})
    with pytest.raises(NodeUnavailable):
        decode_block(HEIGHT, good, body, {})
    with pytest.raises(NodeUnavailable):
        decode_header(HEIGHT, body)


def test_an_address_that_is_none_is_incomplete() -> None:
    """A payment whose recipient cannot be read is asked for again, never dropped."""
    listed = trx_transfer("a", 7)
    listed["raw_data"]["contract"][0]["parameter"]["value"]["to_address"] = "41aa"
    with pytest.raises(Incomplete, match="not a Tron address"):
        decode(block(listed), [info("a")])
    del listed["raw_data"]["contract"][0]["parameter"]["value"]["to_address"]
    with pytest.raises(Incomplete, match="not a Tron address"):
        decode(block(listed), [info("a")])


def test_a_contract_type_that_we_do_not_know_stops_nothing() -> None:
    """Its fields may have any shape; the outcome and its fee are there all the same."""
    listed = transaction("a", "NewContract", {"amount": "x", "to_address": {"a": [1]}})
    seen = decode(block(listed, trx_transfer("b", 7)), [info("a", fee=9), info("b")])
    assert seen.outcomes == {
        tx_id("a"): Outcome(success=True, payer_spent_units=9),
        tx_id("b"): Outcome(success=True, payer_spent_units=0, payer=PAYER),
    }
    assert [each.units for each in seen.transfers] == [7]


@pytest.mark.parametrize("parameter", [{"value": []}, {"value": 7}, [], "x", None, {}])
def test_a_contract_of_any_shape_stops_nothing_unless_it_may_pay(parameter: Any) -> None:
    """Beside an unknown contract the payments stand; a transfer that hides its own is not read."""
    listed = transaction("a", "NewContract", {})
    listed["raw_data"]["contract"][0]["parameter"] = parameter
    seen = decode(block(listed, trx_transfer("b", 7)), [info("a"), info("b")])
    assert seen.outcomes[tx_id("a")] == Outcome(success=True, payer_spent_units=0)
    assert [each.units for each in seen.transfers] == [7]
    if parameter != {}:
        for kind in ("TransferContract", "TransferAssetContract"):
            listed["raw_data"]["contract"][0]["type"] = kind
            with pytest.raises(Incomplete, match=tx_id("a")):
                decode(block(listed), [info("a")], "1004777")


@pytest.mark.parametrize("count", [0, 2])
def test_case_45_beside_an_unknown_contract_every_transaction_still_has_one(count: int) -> None:
    """What makes one contract readable must not make two acceptable."""
    odd, doubled = transaction("a", "NewContract", {"amount": "x"}), trx_transfer("b", 7)
    doubled["raw_data"]["contract"] *= count
    with pytest.raises(Incomplete, match="exactly one contract"):
        decode(block(odd, doubled), [info("a"), info("b")])


def test_an_omitted_amount_is_no_transfer() -> None:
    """Protobuf leaves defaults out: no amount means 0."""
    listed = trx_transfer("a", 7)
    del listed["raw_data"]["contract"][0]["parameter"]["value"]["amount"]
    assert decode(block(listed), [info("a")]).transfers == ()


def test_ordinals_count_inside_the_transaction() -> None:
    """Two equal token transfers in one transaction differ by their log's index alone."""
    noise = {"address": HEX.log(POOL), "topics": ["00" * 32], "data": ""}
    logs = [noise, transfer_log(5), transfer_log(5)]
    seen = decode(block(contract_call("a")), [call_info("a", log=logs)])
    assert [(each.tx_hash, each.ordinal) for each in seen.transfers] == [
        (tx_id("a"), 1),
        (tx_id("a"), 2),
    ]


def test_the_largest_amount_is_exact() -> None:
    """A full uint256 comes out as the integer it is."""
    most = 2**256 - 1
    seen = decode(block(contract_call("a")), [call_info("a", log=[transfer_log(most)])])
    assert [each.units for each in seen.transfers] == [most]


def test_the_genesis_block_omits_its_number() -> None:
    """Block 0 leaves out number and time; its id is what pins the network."""
    document = {"blockID": "00" * 8 + "ab" * 24, "block_header": {"raw_data": {}}}
    ref = decode_header(0, msgspec.json.encode(document))
    assert (ref.height, ref.hash) == (0, "00" * 8 + "ab" * 24)


def test_both_parties_of_a_transfer_are_named() -> None:
    """Sender and recipient come from the topics, in base58."""
    seen = decode(block(contract_call("a")), [call_info("a", log=[transfer_log(5)])])
    assert [(each.sender, each.recipient) for each in seen.transfers] == [(PAYER, POOL)]
