"""What the gas wallet sends to an address whose sweep is taken back: never more than the cancel may cost."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.models import Attempt
from watchers.clock import now
from watchers.sweep.stranded import _refused_since, lacking
from watchers.sweep.upkeep import Differs

ADDRESS, OTHER = "0xaa", "0xbb"
NEEDED = 21_000 * 10


def cancel(price: int = 10) -> Attempt:
    """Return a cancel of the address that takes 21,000 gas at this price."""
    intent = {"gas_limit": "21000", "max_fee_per_gas": str(price)}
    return Attempt(sender=ADDRESS, intent=intent)


def top_up(
    units: int, *, to: str = ADDRESS, state: str = "succeeded", ended: Any = None
) -> Attempt:
    """Return coins that the gas wallet sent, or was to send."""
    intent = {"to": to, "units": str(units)}
    return Attempt(intent=intent, state=state, ended_at=ended)


def test_it_is_sent_what_it_lacks_and_what_a_dearer_bid_lacks_then() -> None:
    """What lies there counts, of what was sent only what arrived there."""
    assert lacking(cancel(), 0, []) == NEEDED
    assert lacking(cancel(), 1_000, []) == NEEDED - 1_000
    assert lacking(cancel(), NEEDED, []) <= 0
    strangers = [top_up(NEEDED, to=OTHER), top_up(NEEDED, state="refused")]
    assert lacking(cancel(), 0, strangers) == NEEDED
    assert lacking(cancel(20), NEEDED, [top_up(NEEDED)]) == NEEDED


def test_a_node_that_calls_it_empty_again_and_again_gets_no_more_than_the_dearest_bid() -> None:
    """All top-ups together never pass it; then node and rows differ, and that is said."""
    sent: list[Attempt] = []
    for price in range(10, 30):
        try:
            units = lacking(cancel(price), 0, sent)
        except Differs:
            continue
        sent.append(top_up(units))
    assert sum(int(each.intent["units"]) for each in sent) == 21_000 * 29
    with pytest.raises(Differs, match="the node shows 0"):
        lacking(cancel(29), 0, sent)


def test_what_the_keystore_refused_rests_for_a_while() -> None:
    """Each try is a row of its journal."""
    moment = now().at
    sent = [
        top_up(1, state="refused", ended=moment),
        top_up(1, to=OTHER, state="refused", ended=moment - timedelta(minutes=2)),
    ]
    assert _refused_since(sent, moment - timedelta(minutes=1)) == {ADDRESS}
