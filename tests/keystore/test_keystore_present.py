"""An advance on the value that the lane holds, where the order was signed on one that it does not."""

import msgspec
import pytest
from solders.transaction import Transaction

from keystore import api
from tests.keystore.movements import Safe, solana_cancel, solana_payment
from tests.keystore.test_keystore_movement import safe

__all__ = ["safe"]
HELD = "11111111111111111111111111111112"
OTHER = "11111111111111111111111111111113"
PRICE = "compute_unit_price_micro_lamports"


def test_an_order_on_a_false_value_is_taken_back_on_the_true_one(safe: Safe) -> None:
    """The bytes are on the value that is held, and stand in the one place that the order has."""
    paid = safe.sign(solana_payment(safe))
    on_true = solana_cancel(safe, present_value=HELD)
    canceled = safe.sign(on_true)
    message = Transaction.from_bytes(bytes.fromhex(canceled.raw)).message
    assert str(message.recent_blockhash) == HELD
    assert [bytes(each.data)[:1] for each in message.instructions] == [
        b"\x04",
        b"\x02",
        b"\x03",
    ]
    assert (canceled.number, canceled.sender) == (2, paid.sender)
    assert safe.sign(on_true) == canceled


def test_every_further_advance_is_dearer_whatever_value_it_is_on(safe: Safe) -> None:
    """Else one order would pay fees for value after value; an eighth each soon meets the ceiling."""
    safe.sign(solana_payment(safe))
    safe.sign(solana_cancel(safe, present_value=HELD))
    for again in ({"present_value": OTHER}, {}, {"present_value": OTHER, PRICE: 2_249}):
        assert safe.refusal(solana_cancel(safe, **again)) == "intent_conflict"
    assert safe.sign(solana_cancel(safe, present_value=OTHER, **{PRICE: 2_250})).number == 3


@pytest.mark.parametrize("value", ["no value", "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N"])
def test_a_present_value_is_another_one(safe: Safe, value: str) -> None:
    """Neither a text nor the order's own."""
    safe.sign(solana_payment(safe))
    assert safe.refusal(solana_cancel(safe, present_value=value)) == "bad_field"


def test_a_lane_is_moved_for_the_order_that_stands_on_it_alone(safe: Safe) -> None:
    """For no order, and for another one's place, nothing is signed."""
    cancel = solana_cancel(safe, present_value=HELD)
    assert safe.refusal(cancel) == "nothing_to_cancel"
    safe.sign(solana_payment(safe))
    other = solana_cancel(safe, withdrawal_id="wdr_9", present_value=HELD)
    assert safe.refusal(other) == "slot_taken"


def test_an_intent_without_one_is_written_as_it_always_was(safe: Safe) -> None:
    """The journal compares bytes: those of older versions have no such field."""
    plain = msgspec.json.encode(solana_cancel(safe))
    assert b"present_value" not in plain
    assert msgspec.json.decode(plain, type=api.SolanaAdvanceIntent) == solana_cancel(safe)
