"""What a message says: only what there is to say."""

from typing import Any

import pytest

from gateway.notifications.words import of_event

INVOICE: dict[str, Any] = {
    "id": "inv_1",
    "currency": "USD",
    "amount": "49.90",
    "amount_paid": "20.00",
    "amount_due": "29.90",
}


@pytest.mark.parametrize("livemode", [True, False])
def test_an_invoice_is_told_with_its_amounts(*, livemode: bool) -> None:
    """What it asks for, what came, what is due; test mode says so."""
    subject, body = of_event("invoice.partially_paid", {"object": INVOICE}, livemode=livemode)
    assert subject.removeprefix("[test] ") == "Invoice inv_1 was paid in part"
    assert subject.startswith("[test] ") is not livemode
    assert body.splitlines()[1:] == ["Amount: 49.90 USD", "Paid: 20.00 USD", "Due: 29.90 USD"]


def test_an_open_amount_asks_for_nothing() -> None:
    """An invoice that takes whatever comes has no amount and nothing due."""
    whatever = INVOICE | {"amount": None, "amount_due": None}
    _, body = of_event("invoice.settled", {"object": whatever}, livemode=True)
    assert body.splitlines() == ["Invoice inv_1 is settled.", "Paid: 20.00 USD"]
