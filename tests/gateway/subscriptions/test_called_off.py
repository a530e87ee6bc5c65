"""A bill that the merchant takes back: who may still use what, what is said, and what bills anew."""

from typing import Any

import pytest

from tests.gateway.subscriptions.conftest import Club
from tests.gateway.subscriptions.test_bills import letters

pytestmark = pytest.mark.anyio


async def called_off(club: Club, **fields: Any) -> tuple[str, str]:
    """Return a paid week's subscription and the invoice of the next, which was canceled."""
    mine = await club.subscribe(await club.package(period="week"), **fields)
    await club.bill()
    await club.pay(mine)
    await club.bill()
    await club.bill(days=5)
    [period, _] = await club.periods(mine)
    await club.post(f"/invoices/{period['invoice_id']}/cancel", 200)
    await club.bill(seconds=1)
    return mine, period["invoice_id"]


async def mark(club: Club, invoice: str, status: str) -> None:
    """Say that an invoice is settled or invalid."""
    body = {"status": status, "reason": "as agreed"}
    answer = await club.shop.call("POST", f"/v1/invoices/{invoice}/mark", club.key, json=body)
    assert answer.status_code == 200, answer.text


async def last(club: Club, subscription: str) -> tuple[str, str | None]:
    """Return what was told last of it, and the reason in that."""
    [row, *_] = await club.shop.rows(
        "SELECT type, data FROM event WHERE subject = :id ORDER BY sequence DESC",
        id=subscription,
    )
    return row.type, row.data["object"]["reason"]


async def test_a_canceled_bill_says_what_it_does_to_its_subscription(club: Club) -> None:
    """Told at once and once; past due when the period begins, ended with its grace, never silent."""
    mine, invoice = await called_off(club, grace_days=2)
    reason = f"its invoice {invoice} was canceled: resume bills it anew"
    shown = await club.get(f"/subscriptions/{mine}")
    assert (shown["status"], shown["membership"], shown["reason"]) == (
        "active",
        "active",
        reason,
    )
    assert await last(club, mine) == ("subscription.changed", reason)
    told = (await club.get(f"/events?subject={mine}"))["data"][0]
    assert told["data"]["invoice_id"] == invoice
    sent = await letters(club)
    await club.bill(days=1)
    assert (await club.events(mine))[-2:] == ["billed", "changed"]
    await club.bill(days=1, minutes=1)
    assert await last(club, mine) == ("subscription.past_due", reason)
    assert await letters(club) == sent, "nobody is asked to pay what cannot be paid"
    assert await club.standing(mine) == ("past_due", "active")
    await club.bill(days=2)
    assert await last(club, mine) == (
        "subscription.ended",
        f"its invoice {invoice} was canceled",
    )
    assert (await club.get(f"/subscriptions/{mine}"))["reason"] == (
        f"its invoice {invoice} was canceled"
    )


async def test_resume_bills_anew_what_was_called_off(club: Club) -> None:
    """The same period before it begins; one from now where it has begun; not what can be paid."""
    mine, invoice = await called_off(club)
    before, *_ = await club.periods(mine)
    shown = await club.post(f"/subscriptions/{mine}/resume", 200)
    assert shown["reason"] is None
    await club.bill(seconds=1)
    again, *_ = await club.periods(mine)
    assert (again["start"], again["status"]) == (before["start"], "open")
    assert again["invoice_id"] != invoice
    await club.post(f"/subscriptions/{mine}/resume", 200)
    await club.bill(seconds=1)
    assert (await club.periods(mine))[0] == again
    await mark(club, again["invoice_id"], "invalid")
    await club.bill(days=3)
    assert "was marked invalid" in (await club.get(f"/subscriptions/{mine}"))["reason"]
    await club.post(f"/subscriptions/{mine}/resume", 200)
    await club.bill(seconds=1)
    newest, void, _ = await club.periods(mine)
    assert (newest["status"], void["status"]) == ("open", "void")
    await club.pay(mine)
    await club.bill()
    assert await club.standing(mine) == ("active", "active")


async def test_a_bill_that_is_called_off_may_be_forgiven(club: Club) -> None:
    """Marked settled it is paid; nothing is left of the reason."""
    mine, invoice = await called_off(club)
    await mark(club, invoice, "settled")
    await club.bill(seconds=1)
    shown = await club.get(f"/subscriptions/{mine}")
    assert (shown["status"], shown["reason"]) == ("active", None)
    assert (await club.events(mine))[-1] == "renewed"


async def test_every_end_has_its_reason(club: Club) -> None:
    """Not paid in time; its customer deleted."""
    mine = await club.subscribe(await club.package(), grace_days=1)
    await club.bill()
    [period] = await club.periods(mine)
    await club.bill(days=1, minutes=1)
    await club.bill(minutes=1)
    late = f"its invoice {period['invoice_id']} was not paid in time"
    assert await last(club, mine) == ("subscription.ended", late)
    mine = await club.subscribe(await club.package())
    await club.bill()
    await club.pay(mine)
    await club.bill()
    await club.shop.call("DELETE", f"/v1/customers/{club.member}", club.key)
    await club.bill(days=31, minutes=1)
    assert await last(club, mine) == ("subscription.canceled", "its customer was deleted")
