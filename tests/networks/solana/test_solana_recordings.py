"""Recorded blocks: our decoder against a second way of computing the same sums."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from solders.pubkey import Pubkey

from tests.networks.solana.documents import contents
from tests.networks.solana.recordings import (
    BLOCKS,
    SHAPES,
    TRANSACTIONS,
    Document,
    content,
    expected_rises,
    mint_programs,
    recorded,
    shapes_of,
    signature_and_keys,
    slot_of,
)
from watchers.network import Block, Incomplete, Transfer
from watchers.networks.solana.accounts import TOKEN_PROGRAM, TOKEN_PROGRAMS
from watchers.networks.solana.decode import decode
from watchers.networks.solana.document import BlockDocument
from watchers.networks.solana.recorded import decode_recorded
from watchers.recorded import Recorded

ALL = (*BLOCKS, *TRANSACTIONS)
ATA_PROGRAM = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")


def in_full(document: Document, slot: int) -> Block:
    """Decode as the command does, with every mint of the block listed."""
    body = json.dumps(document).encode()
    return decode_recorded(
        Recorded(body, assets=frozenset(mint_programs(document)), height=slot)
    )


def watched(document: Document, slot: int) -> Block:
    """Decode as the engine does, with every mint of the block listed."""
    tokens = {mint: named or TOKEN_PROGRAM for mint, named in mint_programs(document).items()}
    typed = msgspec.json.decode(json.dumps(document), type=BlockDocument)
    return decode(typed, slot, tokens)


def sums(transfers: tuple[Transfer, ...]) -> Counter[tuple[str, str, str]]:
    """Return (tx, asset, recipient) -> units."""
    summed: Counter[tuple[str, str, str]] = Counter()
    for each in transfers:
        summed[each.tx_hash, each.asset, each.recipient] += each.units
    return summed


@pytest.mark.parametrize("name", ALL)
def test_sums_agree_with_a_second_computation(name: str) -> None:
    """Every rise, its transaction and its recipient, to the unit; every outcome."""
    document = recorded(name)
    whole = in_full(document, slot_of(name))
    assert sums(whole.transfers) == expected_rises(document)
    assert whole.internal
    for entry in document["transactions"]:
        meta = entry["meta"]
        outcome = whole.outcomes[signature_and_keys(entry)[0]]
        assert outcome.success == (meta["err"] is None)
        spent = meta["preBalances"][0] - meta["postBalances"][0]
        assert outcome.payer_spent_units == max(0, spent)
    assert len(whole.outcomes) == len(document["transactions"])


@pytest.mark.parametrize("name", ALL)
def test_payments_and_strays_together_are_all_that_arrived(name: str) -> None:
    """The engine parts each gain in two, and what counts lies in the canonical account."""
    document = recorded(name)
    assert set(mint_programs(document).values()) <= {*TOKEN_PROGRAMS, None}
    whole = watched(document, slot_of(name))
    strays = tuple(whole.strays())
    assert sums((*whole.transfers, *strays)) == expected_rises(document)
    assert {each.kind for each in strays} <= {"account"}
    for each in whole.transfers:
        if each.kind == "token":
            assert each.units <= arrived_in_canonical_account(document, each)


def arrived_in_canonical_account(document: Document, transfer: Transfer) -> int:
    """Return what the canonical account of the recipient gained in that transaction."""
    program = mint_programs(document)[transfer.asset] or TOKEN_PROGRAM
    seeds = [
        bytes(Pubkey.from_string(part))
        for part in (transfer.recipient, program, transfer.asset)
    ]
    account = str(Pubkey.find_program_address(seeds, ATA_PROGRAM)[0])
    for entry in document["transactions"]:
        signature, keys = signature_and_keys(entry)
        if signature == transfer.tx_hash:
            held = [
                {keys[each["accountIndex"]]: each for each in entry["meta"][side] or ()}
                for side in ("preTokenBalances", "postTokenBalances")
            ]
            before, after = (
                int(each[account]["uiTokenAmount"]["amount"]) if account in each else 0
                for each in held
            )
            return after - before
    return 0


@pytest.mark.parametrize("name", ALL)
def test_identities_are_unique_in_a_block(name: str) -> None:
    """`(tx, kind, ordinal)` names one transfer."""
    whole = watched(recorded(name), slot_of(name))
    everything = [*whole.transfers, *whole.strays()]
    assert len({(t.tx_hash, t.kind, t.ordinal) for t in everything}) == len(everything)


def test_all_encodings_of_one_block_decode_alike() -> None:
    """json, jsonParsed and base64 of the same slot give the same block."""
    names = [name for name in BLOCKS if "147078735" in name]
    first, second, third = (contents(watched(recorded(name), slot_of(name))) for name in names)
    assert first == second == third


@pytest.mark.parametrize(
    ("name", "shape"), [(name, shape) for name in ALL for shape in shapes_of(name)]
)
def test_a_block_in_another_shape_is_the_same_block(name: str, shape: str) -> None:
    """Detail and encoding are how it is told, not what happened."""
    document = recorded(name)
    other = {**document, "transactions": [*map(SHAPES[shape], document["transactions"])]}
    slot = slot_of(name)
    assert contents(watched(other, slot)) == contents(watched(document, slot))
    assert in_full(other, slot).transfers == in_full(document, slot).transfers


@pytest.mark.parametrize("name", BLOCKS)
def test_a_file_tells_its_slot_or_is_told(name: str) -> None:
    """The slot follows the parent's; without assets only SOL is found."""
    whole = decode_recorded(Recorded(content(name)))
    assert whole.ref.height == slot_of(name)
    assert {each.kind for each in whole.transfers} <= {"native"}
    again = decode_recorded(Recorded(content(name), height=slot_of(name)))
    assert contents(again) == contents(whole)


TORN = {
    "null": (b"null", None),
    "an envelope of null": (b'{"jsonrpc":"2.0","result":null,"id":1}', None),
    "an error": (b'{"error":{"code":-32009,"message":"Slot 5 was skipped"},"id":1}', None),
    "another shape": (b'{"result":[]}', None),
    "no transactions": (b'{"blockhash":"a","previousBlockhash":"b","parentSlot":4}', None),
    "no slot": (b'{"blockhash":"a","previousBlockhash":"b","transactions":[]}', None),
    "not above its parent": (
        b'{"blockhash":"a","previousBlockhash":"b","parentSlot":5,"transactions":[]}',
        5,
    ),
}


@pytest.mark.parametrize("case", TORN)
def test_a_file_that_is_no_whole_block_is_refused(case: str) -> None:
    """Nothing is printed of an answer that does not prove what it holds."""
    body, height = TORN[case]
    with pytest.raises(Incomplete):
        decode_recorded(Recorded(body, height=height))


def test_a_file_of_another_family_cannot_be_meant() -> None:
    """Left unread it would look as if it had been understood."""
    whole = Recorded(msgspec.json.encode(hand_made()))
    assert decode_recorded(whole).transfers
    for files in (
        replace(whole, receipts=b"[]"),
        replace(whole, traces=b"[]"),
        replace(whole, infos=b"[]"),
    ):
        with pytest.raises(ValueError, match="is one answer"):
            decode_recorded(files)


@pytest.mark.parametrize("case", ["null", "an envelope of null"])
def test_a_block_that_the_node_does_not_have_is_called_that(case: str) -> None:
    """The reason is for a person, whether an envelope is around it or not."""
    with pytest.raises(Incomplete, match="this node does not have it"):
        decode_recorded(Recorded(TORN[case][0]))


def test_a_block_from_before_blocks_had_a_time_is_read() -> None:
    """A recording needs no clock; only the head of the chain waits for one."""
    body = b'{"blockhash":"a","previousBlockhash":"b","parentSlot":4,"blockTime":null,"transactions":[]}'
    assert decode_recorded(Recorded(body)).ref.height == 5


def hand_made(**changes: Any) -> dict[str, Any]:
    """Return a block of one transaction that pays, in the shape `accounts`."""
    meta = {"err": None, "preBalances": [10, 0], "postBalances": [4, 5]}
    keys = [{"pubkey": str(Pubkey([n] * 32))} for n in (1, 2)]
    entry = {"transaction": {"signatures": ["s1"], "accountKeys": keys}, "meta": meta}
    block = {
        "blockhash": "b", "previousBlockhash": "a", "parentSlot": 100, "blockTime": 1,
        "transactions": [entry],
    }  # fmt: skip
    return {**block, **changes}


@pytest.mark.parametrize(
    ("name", "height", "slot"),
    [
        ("", None, 101),
        ("103.block.json", None, 103),
        ("103.block.json", 105, 105),
        ("7.json", None, 101),
        ("block-103.json", None, 103),
        ("mainnet-2.slot_103.json", None, 103),
        ("20261121.json", None, 101),
    ],
)
def test_the_slot_is_said_by_the_caller_the_name_or_the_parent(
    name: str, height: int | None, slot: int
) -> None:
    """A number in the name counts only where it can follow the parent's slot."""
    files = Recorded(json.dumps(hand_made()).encode(), height=height, name=name)
    assert decode_recorded(files).ref.height == slot


def test_a_transaction_without_its_result_counts_nothing() -> None:
    """And the others of its block count."""
    block = hand_made()
    block["transactions"].append({**block["transactions"][0], "meta": None})
    decoded = decode_recorded(Recorded(json.dumps(block).encode()))
    assert [each.units for each in decoded.transfers] == [5]


OLD_MINT = str(Pubkey([9] * 32))


def holding(*owners: str | None) -> bytes:
    """Return a block whose transaction gains tokens in accounts of these owners."""
    block = hand_made()
    entry = {"accountIndex": 1, "mint": OLD_MINT, "uiTokenAmount": {"amount": "7"}}
    held = [entry if owner is None else {**entry, "owner": owner} for owner in owners]
    block["transactions"][0]["meta"] |= {"preTokenBalances": [], "postTokenBalances": held}
    return json.dumps(block).encode()


@pytest.mark.parametrize("nobody", [None, ""])
def test_accounts_of_old_blocks_without_an_owner_are_nobodys(nobody: str | None) -> None:
    """Blocks from before 2022 do not name owners; the rest of the block is read."""
    for listed in ((), (str(Pubkey([8] * 32)),)):
        files = Recorded(holding(nobody), assets=frozenset(listed))
        assert [each.kind for each in decode_recorded(files).transfers] == ["native"]


@pytest.mark.parametrize("nobody", [None, ""])
def test_what_a_listed_mint_paid_to_nobody_is_told(nobody: str | None) -> None:
    """Nothing printed would look as if nothing had been paid; an account that fell gained none."""
    listed = frozenset({OLD_MINT})
    with pytest.raises(Incomplete, match=f"token account 1 gained {OLD_MINT}.* no owner"):
        decode_recorded(Recorded(holding(nobody), assets=listed))
    block = json.loads(holding(nobody))
    meta = block["transactions"][0]["meta"]
    [after] = meta["postTokenBalances"]
    meta["preTokenBalances"] = [{**after, "uiTokenAmount": {"amount": "7"}}]
    files = Recorded(json.dumps(block).encode(), assets=listed)
    assert [each.kind for each in decode_recorded(files).transfers] == ["native"]


def test_a_transaction_that_names_some_owners_names_all() -> None:
    """What an account without an owner held before might be what another holds now."""
    files = Recorded(holding("somebody", None), assets=frozenset({OLD_MINT}))
    with pytest.raises(Incomplete, match="has no owner"):
        decode_recorded(files)


def test_space_between_the_words_of_a_file_changes_nothing() -> None:
    """What a person has indented is compared as numbers, not as text."""
    block = hand_made()
    rise, fee = {"preBalances": [100, 0]}, {"postBalances": [95, 0]}
    for number, changes in enumerate((fee, {"postBalances": [105, 0]}, {**rise, **fee})):
        [first, *_] = block["transactions"]
        body = {**first["transaction"], "signatures": [f"more{number}"]}
        block["transactions"].append(
            {"transaction": body, "meta": {**first["meta"], **rise, **changes}}
        )
    plain, spread = (
        decode_recorded(Recorded(json.dumps(block, indent=indent).encode()))
        for indent in (None, 2)
    )
    assert [(each.tx_hash, each.units) for each in plain.transfers] == [
        ("s1", 5),
        ("more1", 5),
    ]
    assert contents(spread) == contents(plain)


def test_an_asset_that_is_no_mint_is_named() -> None:
    """Rather than matching nothing in silence."""
    with pytest.raises(ValueError, match="asset: not a Solana mint: 'usdc'"):
        decode_recorded(Recorded(json.dumps(hand_made()).encode(), assets=frozenset({"usdc"})))
