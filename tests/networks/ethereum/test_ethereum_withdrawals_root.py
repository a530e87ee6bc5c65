"""What the header's withdrawals root announces has to be there: no beacon payment is dropped."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.networks.ethereum.blocks import PAYEE, assembled, decoded, payment
from tests.networks.ethereum.leaning import OURS, Json, interest_in, leanly, placed
from watchers.network import Block, Incomplete
from watchers.networks.ethereum.proof import ATTRIBUTES_DEPOSITOR, EMPTY_ROOT

ROOT = "0x" + "5a" * 32
PAID = [{"index": "0x7", "address": PAYEE, "amount": "0x2"}]


def whole(block: Json, receipts: list[Json]) -> Block:
    """Read all receipts."""
    return decoded(block, receipts)


def lean(block: Json, receipts: list[Json]) -> Block:
    """Read some receipts."""
    return leanly(*placed(block, receipts), interest_in(OURS))


ways = pytest.mark.parametrize("read", [whole, lean])
Read = Callable[[Json, list[Json]], Block]


@ways
@pytest.mark.parametrize("told", [{}, {"withdrawals": None}, {"withdrawals": []}])
def test_announced_withdrawals_that_are_not_there_are_incomplete(
    read: Read, told: dict[str, Any]
) -> None:
    """A node that leaves the list out, or empties it, would lose what they paid."""
    block, receipts = assembled(payment(1), withdrawalsRoot=ROOT, **told)
    with pytest.raises(Incomplete, match="announces withdrawals"):
        read(block, receipts)


@ways
def test_withdrawals_that_the_header_denies_are_invented(read: Read) -> None:
    """The root of an empty list beside a payment."""
    block, receipts = assembled(payment(1), withdrawalsRoot=EMPTY_ROOT, withdrawals=PAID)
    with pytest.raises(Incomplete, match="denies"):
        read(block, receipts)


@ways
@pytest.mark.parametrize(
    "header",
    [
        {},
        {"withdrawalsRoot": EMPTY_ROOT, "withdrawals": []},
        {"withdrawalsRoot": EMPTY_ROOT},
        {"withdrawalsRoot": None},
    ],
)
def test_where_none_are_announced_none_are_missed(read: Read, header: dict[str, Any]) -> None:
    """Before Shanghai, and on chains without a beacon chain."""
    assert read(*assembled(payment(1), **header)).transfers == ()


@ways
def test_announced_withdrawals_count(read: Read) -> None:
    """A root that is not the empty one, and a list that is not empty."""
    block, receipts = assembled(payment(1), withdrawalsRoot=ROOT, withdrawals=PAID)
    assert [each.kind for each in read(block, receipts).transfers] == ["withdrawal"]


@ways
@pytest.mark.parametrize("root", [{}, {"withdrawalsRoot": ROOT}])
def test_a_withdrawal_that_is_listed_twice_is_incomplete(read: Read, root: Json) -> None:
    """Its index names it: two lines of one name would count once, or twice."""
    another = {**PAID[0], "index": "0xa"}
    block, receipts = assembled(payment(1), withdrawals=[*PAID, another], **root)
    assert [each.units for each in read(block, receipts).transfers] == [2 * 10**9] * 2
    block["withdrawals"].append({**another, "index": "0xA", "amount": "0x3"})
    with pytest.raises(Incomplete, match="withdrawal 0xa is listed twice"):
        read(block, receipts)


@ways
def test_a_chain_of_the_op_stack_has_another_root_there(read: Read) -> None:
    """Since Isthmus it is that of a contract's storage; the list is there and empty."""
    sent, receipt = payment(1)
    attributes = sent | {"from": ATTRIBUTES_DEPOSITOR}
    block, receipts = assembled((attributes, receipt), withdrawalsRoot=ROOT, withdrawals=[])
    assert read(block, receipts).transfers == ()
    del block["withdrawals"]
    with pytest.raises(Incomplete, match="announces withdrawals"):
        read(block, receipts)
