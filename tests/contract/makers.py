"""How a merchant gets an object of every kind, in the order in which they build on each other."""

from collections.abc import Awaitable, Callable
from typing import Any

from gateway.db import Database
from gateway.referrals.sharing import share_round
from tests.contract.sides import ADDRESS, METHOD, Side
from tests.gateway.referrals import market
from tests.gateway.shop import Shop

ETHER = 10**18
CHAT = "tgram://123456789:abcdefg_hijklmnop/12315544/"

Maker = Callable[[Side], Awaitable[str]]


async def _paid_invoice(side: Side) -> str:
    invoice = await side.shop.invoice(side.key, payment_methods=[METHOD], amount="2500.00")
    [option] = invoice["payment_options"]
    await side.shop.pay(
        option["address"], METHOD, ETHER, tx=f"0x{invoice['id'][4:]}", final=True
    )
    return str(invoice["id"])


async def _deposit(side: Side) -> str:
    return await side.seen("SELECT id FROM deposit WHERE merchant_id = :merchant")


async def _event(side: Side) -> str:
    return await side.seen("SELECT id FROM event WHERE merchant_id = :merchant")


async def _endpoint(side: Side) -> str:
    document = await side.made("/v1/webhook_endpoints", url="https://shop.example/hook")
    return str(document["id"])


async def _delivery(side: Side) -> str:
    path = f"/v1/webhook_endpoints/{side.ids['endpoint_id']}/test"
    answer = await side.shop.call("POST", path, side.key)
    assert answer.is_success, answer.text
    return await side.seen("SELECT id FROM webhook_delivery WHERE merchant_id = :merchant")


async def _key(side: Side) -> str:
    document = await side.made("/v1/api_keys", name="till", scopes=["invoices:read"])
    return str(document["id"])


async def _entry(side: Side) -> str:
    document = await side.made(
        "/v1/address_book", network="ethereum", address=ADDRESS, label="treasury"
    )
    return str(document["id"])


async def _rule(side: Side) -> str:
    document = await side.made(
        "/v1/payout_rules",
        payment_method=METHOD,
        threshold="5",
        address_book_entry=side.ids["entry_id"],
    )
    return str(document["id"])


def _payout() -> dict[str, Any]:
    return {"payment_method": METHOD, "amount": "0.01", "destination": ADDRESS}


async def _withdrawal(side: Side) -> str:
    return str((await side.made("/v1/withdrawals", **_payout()))["id"])


async def _batch(side: Side) -> str:
    return str((await side.made("/v1/withdrawals/batch", items=[_payout()]))["id"])


async def _customer(side: Side) -> str:
    return str((await side.made("/v1/customers", reference="a-1"))["id"])


async def _package(side: Side) -> str:
    body: dict[str, Any] = {"name": "A", "price": "5", "currency": "USD", "period": "month"}
    return str((await side.made("/v1/packages", **body))["id"])


async def _subscription(side: Side) -> str:
    body: dict[str, Any] = {name: side.ids[name] for name in ("customer_id", "package_id")}
    return str((await side.made("/v1/subscriptions", **body))["id"])


async def _target(side: Side) -> str:
    body = {"name": "chat", "address": CHAT}
    made = await side.shop.call("POST", "/v1/notification_targets", side.live_key, json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def _code(side: Side) -> str:
    customer = side.ids["customer_id"]
    return str((await side.made("/v1/referral_codes", customer=customer))["id"])


async def _commission(side: Side) -> str:
    """Share the fee on a payment of a merchant who came through this one."""
    shop = side.shop
    await market.house_rates(shop, 3000)
    referred, key = await market.opened(shop, await market.code_of(shop, side.key))
    await market.fee(shop, referred, 100)
    await market.paid(shop, key, market.WHOLE, tx=f"0x{referred}")
    worker = Database(side.worker, pool_size=1)
    await share_round(worker, shop.clock())
    await worker.aclose()
    return await side.seen("SELECT id FROM commission WHERE merchant_id = :merchant")


async def _simulation(side: Side) -> str:
    invoice = await side.shop.invoice(side.key, payment_methods=[METHOD])
    path = f"/v1/test/invoices/{invoice['id']}/simulate"
    return str((await side.made(path, 202, case="paid"))["id"])


async def _user(side: Side) -> str:
    """Invite a second person, who accepts."""
    email = f"second.{side.merchant_id}@shop.example"
    token = await side.people.member(side.person, "viewer", email)
    return str((await side.people.me(token))["id"])


async def _session(side: Side) -> str:
    """Sign the first person in once more; the older session is the one to end."""
    await side.people.signed_in(side.email)
    answer = await side.shop.call("GET", "/v1/sessions", side.person)
    return str(answer.json()["data"][0]["id"])


async def _invitation(side: Side) -> str:
    body = {"email": f"third.{side.merchant_id}@shop.example", "team_role": "viewer"}
    answer = await side.shop.call("POST", "/v1/team/invitations", side.person, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def _passkey(side: Side) -> str:
    me = await side.people.me(side.person)
    return await keep_passkey(side.shop, me["id"], side.shop.clock().id("psk"))


async def keep_passkey(shop: Shop, user_id: str, passkey_id: str) -> str:
    """Keep a passkey behind everybody's back: to make one takes a browser."""
    await shop.run(
        "INSERT INTO passkey (id, user_id, name, credential_id, public_key, sign_count, transports,"
        " created_at) VALUES (:id, :user, 'key', decode(md5(:id), 'hex'), 'x', 0, '{}', now())",
        id=passkey_id,
        user=user_id,
    )
    return passkey_id


MAKERS: dict[str, Maker] = {
    "invoice_id": _paid_invoice,
    "deposit_id": _deposit,
    "event_id": _event,
    "endpoint_id": _endpoint,
    "delivery_id": _delivery,
    "key_id": _key,
    "entry_id": _entry,
    "rule_id": _rule,
    "withdrawal_id": _withdrawal,
    "batch_id": _batch,
    "customer_id": _customer,
    "package_id": _package,
    "subscription_id": _subscription,
    "target_id": _target,
    "code_id": _code,
    "commission_id": _commission,
    "simulation_id": _simulation,
    "user_id": _user,
    "session_id": _session,
    "invitation_id": _invitation,
    "passkey_id": _passkey,
}
"""By the name of the path parameter. One that is missing here fails the tests of the matrix."""
