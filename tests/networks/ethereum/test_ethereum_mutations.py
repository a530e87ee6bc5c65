"""Whatever is taken from receipts or bent in them, the block does not decode."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks.ethereum.blocks import (
    SENDER,
    TOKEN,
    assembled,
    decoded,
    payment,
    transfer_log,
    word,
)
from watchers.network import Incomplete

Receipts = list[dict[str, Any]]
Bend = Callable[[st.DataObject, Receipts], None]
ADDRESSES = st.integers(1, 2**160 - 1).map(lambda number: f"0x{number:040x}")
OTHER_HASH = "0x" + "0f" * 32


def _log(to: str, token: str, units: int) -> dict[str, Any]:
    topics = [transfer_log()["topics"][0], word(SENDER), word(to)]
    return transfer_log(units, address=token, topics=topics)


LOGS = st.builds(
    _log, ADDRESSES, st.sampled_from([TOKEN, "0x" + "71" * 20]), st.integers(1, 99)
)
STATUSES = st.sampled_from(["0x0", "0x1"])
# Two logs of equal words leave equal blooms: the loss of the very last of them does not show.
DISTINCT = st.lists(LOGS, max_size=3, unique_by=lambda log: log["topics"][2])
BLOCKS = st.lists(st.tuples(st.integers(0, 5), DISTINCT, STATUSES), min_size=1, max_size=6)


def _built(payments: list[tuple[int, list[dict[str, Any]], str]]) -> Any:
    return assembled(
        *(
            payment(number, value=value, status=status, logs=logs if status == "0x1" else [])
            for number, (value, logs, status) in enumerate(payments, start=1)
        )
    )


def _some_log(data: st.DataObject, receipts: Receipts) -> tuple[dict[str, Any], int] | None:
    places = [(each, at) for each in receipts for at in range(len(each["logs"]))]
    return data.draw(st.sampled_from(places)) if places else None


def _drop(data: st.DataObject, receipts: Receipts) -> None:
    receipts.pop(data.draw(st.integers(0, len(receipts) - 1)))


def _repeat(data: st.DataObject, receipts: Receipts) -> None:
    at = data.draw(st.integers(0, len(receipts) - 1))
    receipts.insert(at, copy.deepcopy(receipts[at]))


def _swap(data: st.DataObject, receipts: Receipts) -> None:
    order = data.draw(st.permutations(range(len(receipts))))
    receipts[:] = [receipts[at] for at in order]


def _bend_field(data: st.DataObject, receipts: Receipts) -> None:
    at = data.draw(st.integers(0, len(receipts) - 1))
    field, value = data.draw(
        st.sampled_from(
            [
                ("blockHash", OTHER_HASH),
                ("transactionHash", OTHER_HASH),
                ("status", None),
                ("status", "0x2"),
                ("status", ""),
                ("gasUsed", "1"),
                ("logsBloom", "0x" + "ff" * 256),
            ]
        )
    )
    receipts[at][field] = value


def _drop_log(data: st.DataObject, receipts: Receipts) -> None:
    found = _some_log(data, receipts)
    if found is not None:
        found[0]["logs"].pop(found[1])


def _bend_log(data: st.DataObject, receipts: Receipts) -> None:
    found = _some_log(data, receipts)
    if found is not None:
        field, value = data.draw(
            st.sampled_from(
                [("blockHash", OTHER_HASH), ("removed", True), ("logIndex", "0xffff")]
            )
        )
        found[0]["logs"][found[1]][field] = value


@pytest.mark.parametrize("bend", [_drop, _repeat, _swap, _bend_field, _drop_log, _bend_log])
@settings(deadline=None)
@given(payments=BLOCKS, data=st.data())
def test_mutated_receipts_never_decode(
    bend: Bend, payments: list[tuple[int, list[dict[str, Any]], str]], data: st.DataObject
) -> None:
    """Complete receipts decode; after any bend that changed them they are `Incomplete`."""
    block, receipts = _built(payments)
    whole = decoded(block, receipts)
    assert len(whole.outcomes) == len(payments)
    bent = copy.deepcopy(receipts)
    bend(data, bent)
    if bent == receipts:
        assert decoded(block, bent) == whole
        return
    with pytest.raises(Incomplete):
        decoded(block, bent)
