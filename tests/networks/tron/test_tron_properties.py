"""Blocks of any mixture, and infos that are short, doubled or from elsewhere."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.networks.tron.documents import (
    HEIGHT,
    TOKEN,
    block,
    call_info,
    contract_call,
    decode,
    info,
    internal,
    transfer_log,
    trx_transfer,
)
from watchers.network import Incomplete, NodeUnavailable
from watchers.networks.tron.decode import decode_block, token_spellings

Pair = tuple[dict[str, Any], dict[str, Any]]
UNITS = st.integers(0, 2**63 - 1)
RESULTS = st.sampled_from(["SUCCESS", "REVERT", "OUT_OF_ENERGY", "OUT_OF_TIME", "UNKNOWN"])


@st.composite
def pairs(draw: st.DrawFn) -> list[Pair]:
    """Return transactions with their infos."""
    found: list[Pair] = []
    for number in range(draw(st.integers(1, 6))):
        seed, result = f"tx{number}", draw(RESULTS)
        if draw(st.booleans()):
            found.append((trx_transfer(seed, draw(UNITS), result), info(seed)))
            continue
        logs = [transfer_log(units) for units in draw(st.lists(UNITS, max_size=3))]
        inner = [
            internal({"callValue": units}, rejected=draw(st.booleans()))
            for units in draw(st.lists(UNITS, max_size=3))
        ]
        called = call_info(seed, result, log=logs, internal_transactions=inner)
        found.append((contract_call(seed, result), called))
    return found


def _expected(found: list[Pair]) -> int:
    """Add up what counts, straight from the documents."""
    total = 0
    for transaction, one in found:
        if transaction["ret"][0]["contractRet"] == "SUCCESS":
            value = transaction["raw_data"]["contract"][0]["parameter"]["value"]
            total += value.get("amount", 0)
            total += sum(int(log["data"], 16) for log in one.get("log", []))
            total += sum(
                inner["callValueInfo"][0]["callValue"]
                for inner in one.get("internal_transactions", [])
                if not inner.get("rejected")
            )
    return total


@given(pairs(), st.randoms(use_true_random=False))
def test_the_sum_of_transfers_is_that_of_the_documents(found: list[Pair], draw: Any) -> None:
    """Whatever order the infos come in; every transfer has a name of its own."""
    infos = [one for _, one in found]
    draw.shuffle(infos)
    seen = decode(block(*[transaction for transaction, _ in found]), infos)
    assert sum(each.units for each in seen.transfers) == _expected(found)
    names = {(each.tx_hash, each.kind, each.ordinal) for each in seen.transfers}
    assert len(names) == len(seen.transfers)
    assert len(seen.outcomes) == len(found)


@given(pairs(), st.data())
def test_case_43_short_infos_are_never_a_block(found: list[Pair], data: st.DataObject) -> None:
    """Any proper part of them, in any order, is incomplete."""
    infos = [one for _, one in found]
    part = data.draw(st.lists(st.sampled_from(infos), max_size=len(infos) - 1, unique_by=id))
    with pytest.raises(Incomplete, match="do not match"):
        decode(block(*[transaction for transaction, _ in found]), part)


@given(pairs(), st.data())
def test_case_44_mixed_infos_are_never_a_block(found: list[Pair], data: st.DataObject) -> None:
    """One replaced by another's, by a stranger's, or by one of another height or time."""
    infos = [one for _, one in found]
    place = data.draw(st.integers(0, len(infos) - 1))
    strangers = [
        info("elsewhere"),
        infos[place] | {"blockNumber": HEIGHT + 1},
        infos[place] | {"blockTimeStamp": 1},
        *(one for one in infos if one is not infos[place]),
    ]
    infos[place] = data.draw(st.sampled_from(strangers))
    with pytest.raises(Incomplete):
        decode(block(*[transaction for transaction, _ in found]), infos)


@given(pairs(), st.data())
def test_a_cut_answer_is_no_block(found: list[Pair], data: st.DataObject) -> None:
    """Half a body is not JSON, and never taken for a smaller block."""
    bodies = [
        msgspec.json.encode(block(*[transaction for transaction, _ in found])),
        msgspec.json.encode([one for _, one in found]),
    ]
    which = data.draw(st.integers(0, 1))
    bodies[which] = bodies[which][: data.draw(st.integers(0, len(bodies[which]) - 1))]
    with pytest.raises(NodeUnavailable):
        decode_block(HEIGHT, bodies[0], bodies[1], token_spellings([TOKEN]))
