"""Value inside contracts: which frames move it, how it is named, and which traces are none."""

from typing import Any

import msgspec
import pytest

from tests.networks.ethereum.blocks import (
    BLOCK_HASH,
    CONTRACT,
    HEIGHT,
    PAYEE,
    SENDER,
    TIME,
    assembled,
    call_of,
    decoded,
    frame,
    payment,
    transfer_log,
    word,
)
from watchers.network import NATIVE, Block, Incomplete, Transfer
from watchers.networks.ethereum.address import SYSTEM
from watchers.networks.ethereum.decode import decode_block
from watchers.networks.ethereum.flat_traces import flat_executions
from watchers.networks.ethereum.traces import Move, executions
from watchers.networks.ethereum.wire import RawBlock, RawFlatTrace, RawReceipt, RawTrace

OTHER = "0x" + "bb" * 20
DEEP = 700
"""Frames inside frames: more than Python's recursion limit allows two levels each."""


def traced(*calls: dict[str, Any], value: int = 0) -> Block:
    """Return a block of one call to a contract that did this inside."""
    outer = payment(1, value=value, to=CONTRACT)
    return decoded(*assembled(outer), traces=[call_of(outer, *calls)])


def inside(block: Block) -> list[tuple[int, str, int]]:
    """Return ordinal, recipient and units of the internal transfers."""
    return [
        (each.ordinal, each.recipient, each.units)
        for each in block.transfers
        if each.kind == "internal"
    ]


@pytest.mark.parametrize("kind", ["CALL", "CREATE", "CREATE2", "SELFDESTRUCT"])
def test_four_kinds_of_frames_move_value(kind: str) -> None:
    """Each names who paid whom, beside the transaction's own value."""
    block = traced(frame(kind=kind, value=7), value=5)
    tx_hash = f"0x{1:064x}"
    assert block.internal
    assert block.transfers == (
        Transfer(tx_hash, "native", 0, NATIVE, SENDER, CONTRACT, 5),
        Transfer(tx_hash, "internal", 0, NATIVE, CONTRACT, PAYEE, 7),
    )


def test_without_traces_a_block_says_that_it_looked_at_none() -> None:
    """`internal` tells a block without internal transfers from one nobody looked into."""
    assert not decoded(*assembled(payment(1, value=5))).internal
    assert decoded(*assembled(), traces=[]).internal


def test_ordinals_count_what_moved_in_order_of_execution() -> None:
    """Frames that move nothing (precompiles are listed by some nodes only) take no number."""
    precompile = frame(to="0x" + "00" * 19 + "04", kind="STATICCALL")
    nested = frame(frame(to=OTHER, value=2), precompile, value=1)
    with_it = traced(precompile, nested, precompile, frame(value=3, kind="SELFDESTRUCT"))
    without = traced(frame(frame(to=OTHER, value=2), value=1), frame(value=3))
    assert inside(with_it) == [(0, PAYEE, 1), (1, OTHER, 2), (2, PAYEE, 3)]
    assert with_it.transfers == without.transfers


def test_a_failed_creation_has_no_recipient_and_moves_nothing() -> None:
    """Its frame carries value, an error and no address."""
    assert inside(traced(frame(kind="CREATE", to=None, value=5, error="out of gas"))) == []


def test_a_contract_that_destroys_itself_for_itself_pays_nobody() -> None:
    """What it held is burnt or stays."""
    assert inside(traced(frame(kind="SELFDESTRUCT", to=CONTRACT, value=9))) == []


def test_a_creating_transaction_has_no_native_and_no_internal_transfer_of_its_own() -> None:
    """The endowment goes to the new contract; what its constructor pays is internal."""
    outer = payment(1, value=9, to=None)
    block = decoded(*assembled(outer), traces=[call_of(outer, frame(value=4))])
    assert [(each.kind, each.units) for each in block.transfers] == [("internal", 4)]


def test_frames_seven_hundred_deep_are_read() -> None:
    """A cheap transaction must not stop the network by calling itself."""
    outer = payment(1, to=CONTRACT)
    calls = msgspec.json.encode(call_of(outer, frame())).decode()
    opening = calls[: calls.index("{", 1)].replace(SENDER, CONTRACT)
    innermost = msgspec.json.encode(frame(value=5)).decode()
    document = calls[: calls.index("{", 1)] + opening * DEEP + innermost + "]}" * (DEEP + 1)
    [ran] = executions(msgspec.json.decode(f"[{document}]", type=list[RawTrace]))
    assert ran.moves == (Move(CONTRACT, PAYEE, 5),)


GOOD = payment(1, value=5, to=CONTRACT)
OUTER = call_of(GOOD, frame(value=3))


@pytest.mark.parametrize(
    ("reason", "traces"),
    [
        ("0 traces, 1 transactions", []),
        ("2 traces, 1 transactions", [OUTER, OUTER]),
        ("trace of 0x0f.* at", [{"txHash": "0x" + "0f" * 32, "result": OUTER}]),
        ("could not be traced: timeout", [{"txHash": GOOD[0]["hash"], "error": "timeout"}]),
        ("could not be traced", [{}]),
        ("another transaction", [OUTER | {"from": PAYEE}]),
        ("another transaction", [OUTER | {"value": "0x6"}]),
        ("another recipient", [OUTER | {"to": PAYEE}]),
        ("another recipient", [{**OUTER, "to": None}]),
        ("disagree whether it succeeded", [OUTER | {"error": "execution reverted"}]),
        ("moves 7 by 'TELEPORT'", [call_of(GOOD, frame(kind="TELEPORT", value=7))]),
        ("moves 7 by 'CALL'", [call_of(GOOD, frame(to=None, value=7))]),
    ],
)
def test_traces_that_do_not_fit_the_block_are_incomplete(
    reason: str, traces: list[dict[str, Any]]
) -> None:
    """Count, hash, sender, value, recipient and outcome of every outermost frame must agree."""
    with pytest.raises(Incomplete, match=reason):
        decoded(*assembled(GOOD), traces=traces)


def test_a_failed_transaction_whose_trace_succeeded_is_incomplete() -> None:
    """Receipt and trace are of different forks, or one of them lies."""
    failed = payment(1, value=5, to=CONTRACT, status="0x0")
    with pytest.raises(Incomplete, match="disagree"):
        decoded(*assembled(failed), traces=[OUTER])
    assert decoded(*assembled(failed), traces=[call_of(failed, frame(value=3))]).transfers == ()


def test_a_failed_transaction_moved_nothing_inside() -> None:
    """Its frames are listed all the same."""
    failed = frame(frame(value=3), value=5, error="out of gas")
    [ran] = executions(msgspec.convert([failed], list[RawTrace]))
    assert (ran.success, ran.moves) == (False, ())


def test_wrapped_and_bare_frames_are_the_same() -> None:
    """Geth wraps each frame with the transaction's hash, in whatever case."""
    wrapped = [{"txHash": GOOD[0]["hash"].upper().replace("X", "x"), "result": OUTER}]
    bare = decoded(*assembled(GOOD), traces=[OUTER])
    assert decoded(*assembled(GOOD), traces=wrapped) == bare


def flat(path: list[int], kind: str = "call", **changes: Any) -> dict[str, Any]:
    """Return one `trace_block` entry of the first transaction."""
    action = {"callType": "call", "from": CONTRACT, "to": PAYEE, "value": "0x0"}
    if kind == "suicide":
        action = {"address": CONTRACT, "refundAddress": PAYEE, "balance": "0x0"}
    if kind == "create":
        action = {"from": CONTRACT, "value": "0x0"}
    return {
        "action": action | changes.pop("action", {}),
        "blockHash": BLOCK_HASH,
        "result": {"address": OTHER} if kind == "create" else {"output": "0x"},
        "traceAddress": path,
        "transactionHash": f"0x{1:064x}",
        "type": kind,
    } | changes


FLAT = [
    flat([], action={"from": SENDER, "to": CONTRACT, "value": "0x5"}),
    flat([0], action={"value": "0x1"}, error="Reverted", result=None),
    flat([0, 0], action={"value": "0x2"}),
    flat([1], action={"callType": "delegatecall", "value": "0x3"}),
    flat([1, 0], action={"value": "0x4"}),
    flat([2], kind="suicide", action={"balance": "0x6"}),
    flat([3], kind="create", action={"value": "0x7"}),
    flat([], kind="reward", transactionHash=None, action={"author": OTHER, "value": "0x9"}),
]


def from_flat(entries: list[dict[str, Any]]) -> Block:
    """Decode the good block with `trace_block` entries."""
    block, receipts = assembled(GOOD)
    return decode_block(
        HEIGHT,
        msgspec.convert(block, RawBlock),
        msgspec.convert(receipts, list[RawReceipt]),
        frozenset(),
        flat_executions(BLOCK_HASH, msgspec.convert(entries, list[RawFlatTrace])),
    )


def test_the_flat_form_names_the_same_transfers() -> None:
    """A reverted call drops its subtree, a delegated one moves nothing, rewards are nobody's."""
    tree = call_of(
        GOOD,
        frame(frame(value=2), value=1, error="execution reverted"),
        frame(frame(value=4), kind="DELEGATECALL", value=3),
        frame(kind="SELFDESTRUCT", value=6),
        frame(kind="CREATE", to=OTHER, value=7),
    )
    assert from_flat(FLAT) == decoded(*assembled(GOOD), frozenset(), traces=[tree])
    assert inside(from_flat(FLAT)) == [(0, PAYEE, 4), (1, PAYEE, 6), (2, OTHER, 7)]


@pytest.mark.parametrize(
    ("reason", "entries"),
    [
        ("is of block 0x0f", [FLAT[0], FLAT[1] | {"blockHash": "0x" + "0f" * 32}]),
        ("does not begin", FLAT[1:]),
        ("0 traces", FLAT[-1:]),
        ("disagree", [FLAT[0] | {"error": "Reverted"}]),
    ],
)
def test_flat_traces_of_something_else_are_incomplete(
    reason: str, entries: list[dict[str, Any]]
) -> None:
    """Another block, a missing outermost call, no transaction, another outcome."""
    with pytest.raises(Incomplete, match=reason):
        from_flat(entries)


def system_log(units: int, sender: str = SENDER, to: str = PAYEE) -> dict[str, Any]:
    """Return what the chain logs for a move of value."""
    topics = [transfer_log()["topics"][0], word(sender), word(to)]
    return transfer_log(units, address=SYSTEM, topics=topics)


def test_logged_value_has_the_same_names_as_traced_value() -> None:
    """A rescan after the switch finds what a trace would have found, under the same names."""
    logs = [
        system_log(5, to=CONTRACT),
        transfer_log(9),
        system_log(3, sender=CONTRACT),
        system_log(2, sender=CONTRACT, to=OTHER),
    ]
    outer = payment(1, value=5, to=CONTRACT, logs=logs)
    frames = [call_of(outer, frame(value=3), frame(to=OTHER, value=2))]
    logged = decoded(*assembled(outer), logged_from=TIME)
    assert logged == decoded(*assembled(outer), traces=frames)
    assert logged.internal


@pytest.mark.parametrize(
    "logs", [[], [transfer_log(5)], [system_log(4)], [system_log(5, sender=CONTRACT)]]
)
def test_a_switch_set_too_early_loses_nothing(logs: list[dict[str, Any]]) -> None:
    """Value that the chain does not log after the configured time stops the network."""
    with pytest.raises(Incomplete, match="does not log its value"):
        decoded(*assembled(payment(1, value=5, logs=logs)), logged_from=TIME)


def test_what_is_not_logged_after_the_switch_did_not_move() -> None:
    """A payment to oneself is not logged, a creation's endowment is the contract's."""
    to_self = payment(1, value=5, to=SENDER)
    creation = payment(2, value=7, to=None, logs=[system_log(7, to=CONTRACT)])
    assert decoded(*assembled(to_self, creation), logged_from=TIME).transfers == ()
