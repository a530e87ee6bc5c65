"""Merchants who came through one another, and payments of theirs."""

from typing import Any

from gateway.domain import posting
from gateway.ledger.service import post
from tests.gateway.shop import Shop

USDC = "USDC-ETHEREUM"
WHOLE = 1_000_000


async def fee(shop: Shop, merchant_id: str, basis_points: int) -> Any:
    """Set what the house keeps of a merchant's payments, as an operator."""
    path = f"/v1/merchants/{merchant_id}/processing_fee"
    answer = await shop.call(
        "PUT", path, await shop.key(None, livemode=True), json={"basis_points": basis_points}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def house_rates(shop: Shop, *rates: int) -> Any:
    """Set the rates of the house's programme from now on."""
    answer = await shop.call(
        "POST",
        "/v1/house/referral_schedules",
        await shop.key(None, livemode=True),
        json={"rates": rates},
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


async def code_of(shop: Shop, key: str, **body: str) -> str:
    """Draw a code and return its letters."""
    caller = key if "customer" in body else await shop.live_key(key)
    answer = await shop.call("POST", "/v1/referral_codes", caller, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


async def opened(shop: Shop, code: str | None, **body: Any) -> tuple[str, str]:
    """Open a merchant's account with a code; return its id and a key of it."""
    made = await shop.call(
        "POST",
        "/v1/merchants",
        await shop.key(None, livemode=True),
        json={"name": "Shop", "referral_code": code, **body},
    )
    assert made.status_code == 201, made.text
    merchant_id = str(made.json()["id"])
    return merchant_id, await shop.key(merchant_id)


async def paid(shop: Shop, key: str, units: int, tx: str = "0xfeed") -> str:
    """Let an invoice be paid with `units` of USDC, final; return the deposit's id."""
    invoice = await shop.invoice(key, payment_methods=[USDC], amount="1.00")
    address = invoice["payment_options"][0]["address"]
    await shop.pay(address, USDC, units, tx=tx, final=True)
    [deposit] = await shop.rows("SELECT id FROM deposit WHERE tx_hash = :tx", tx=tx)
    return str(deposit.id)


async def bought(
    shop: Shop, key: str, customer: str, units: int, tx: str, *, final: bool = True, **body: Any
) -> str:
    """Let a customer's invoice be paid with `units` of USDC; return the invoice's id."""
    wanted = {"amount": "1.00", "payment_methods": [USDC], "customer_id": customer, **body}
    invoice = await shop.invoice(key, **wanted)
    address = invoice["payment_options"][0]["address"]
    await shop.pay(address, USDC, units, tx=tx, final=final)
    return str(invoice["id"])


async def balances(shop: Shop, *accounts: str) -> list[int]:
    """Return the confirmed USDC of these accounts."""
    rows = await shop.rows(
        "SELECT account, confirmed FROM wallet WHERE currency_id = 'USDC-ETHEREUM'"
    )
    found = {row.account: int(row.confirmed) for row in rows}
    return [found.get(account, 0) for account in accounts]


async def spent(shop: Shop, account: str, units: int) -> None:
    """Let money leave an account as if it had been paid out."""
    out = (
        posting.Posting(account, USDC, "WITHDRAWAL", confirmed=-units),
        posting.Posting(posting.CUSTODY, USDC, "WITHDRAWAL", confirmed=units),
    )
    ref = f"out:{shop.clock().id('x')}"
    async with shop.owner.unit_of_work(None) as session:
        await post(session, posting.JournalEntry("capital", ref, None, out), shop.clock())
