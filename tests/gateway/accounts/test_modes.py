"""A test key changes nothing that real money goes by; every route that writes says where it stands."""

import re

import pytest
from litestar.routes import HTTPRoute

from gateway.http.auth import requires
from gateway.routes import litestar
from tests.gateway.conftest import TestApi
from tests.gateway.shop import Shop, opened, shop

pytestmark = pytest.mark.anyio
__all__ = ["opened", "shop"]

SHARED = {
    "DELETE /v1/merchants/{merchant_id:str}",
    "DELETE /v1/merchants/{merchant_id:str}/users/{user_id:str}",
    "DELETE /v1/notification_targets/{target_id:str}",
    "PATCH /v1/merchant",
    "PATCH /v1/merchants/{merchant_id:str}",
    "PATCH /v1/merchants/{merchant_id:str}/settings",
    "PATCH /v1/merchants/{merchant_id:str}/users/{user_id:str}",
    "PATCH /v1/settings",
    "POST /v1/house/referral_schedules",
    "POST /v1/merchants",
    "POST /v1/merchants/{merchant_id:str}/invitations",
    "POST /v1/merchants/{merchant_id:str}/referral_codes",
    "POST /v1/merchants/{merchant_id:str}/restore",
    "POST /v1/merchants/{merchant_id:str}/suspend",
    "POST /v1/merchants/{merchant_id:str}/unsuspend",
    "POST /v1/merchants/{merchant_id:str}/verification",
    "POST /v1/notification_targets",
    "POST /v1/notification_targets/{target_id:str}/test",
    "POST /v1/referral_schedules",
    "PUT /v1/merchants/{merchant_id:str}/processing_fee",
}
OWN_CODES = {"DELETE /v1/referral_codes/{code_id:str}", "POST /v1/referral_codes"}
"""A customer's code is of the customer's mode, the merchant's own of both: the handler looks."""
OF_ONE_MODE = (
    "/v1/address_book", "/v1/api_keys", "/v1/approvals/orders", "/v1/customers", "/v1/deposits",
    "/v1/invoices", "/v1/merchants/{merchant_id:str}/api_keys", "/v1/packages", "/v1/pauses",
    "/v1/payout_rules", "/v1/resolutions", "/v1/subscriptions", "/v1/test/invoices",
    "/v1/webhook_deliveries", "/v1/webhook_endpoints", "/v1/withdrawal_batches",
    "/v1/withdrawal_settings", "/v1/withdrawals",
)  # fmt: skip
"""What these write has a mode of its own, the calling key's."""
OF_PEOPLE = {"people:write", "team:write", None}
"""No key has these scopes; where none is needed, a session is."""


def writing() -> dict[str, requires]:
    """Return every guarded route that may change something."""
    found = {}
    for route in litestar().routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            guards = [each for each in handler.resolve_guards() if isinstance(each, requires)]
            for method in handler.http_methods - {"GET", "HEAD", "OPTIONS"}:
                if guards:
                    found[f"{method} {route.path}"] = guards[0]
    return found


def test_every_route_that_writes_says_whether_real_money_goes_by_it() -> None:
    """A new one is shared, or what it writes has a mode, or it is for people alone."""
    routes = writing()
    assert {name for name, guard in routes.items() if guard.shared} == SHARED
    rest = {
        name: guard
        for name, guard in routes.items()
        if not guard.shared and guard.scope not in OF_PEOPLE and name not in OWN_CODES
    }
    undecided = [name for name in rest if not name.partition(" ")[2].startswith(OF_ONE_MODE)]
    assert undecided == []


async def test_a_test_key_changes_nothing_that_real_money_goes_by(shop: Shop) -> None:
    """Wherever a network is real: refused by name and without a trace; a live key may, reading stays."""
    merchant_id, test = await shop.merchant_and_key()
    live = await shop.key(merchant_id, livemode=True)
    house_test, house_live = await shop.key(None), await shop.key(None, livemode=True)
    for route in sorted(SHARED):
        method, _, path = route.partition(" ")
        key = house_test if "merchants" in path or "house" in path else test
        answer = await shop.call(method, re.sub("{.*?}", merchant_id, path), key, json={})
        assert (answer.status_code, answer.json()["code"]) == (403, "live_key_required"), route
    body = {"payment_tolerance_percent": "9.00"}
    refused = await shop.call("PATCH", "/v1/merchant", test, json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "live_key_required")
    shown = (await shop.call("GET", "/v1/merchant", test)).json()
    assert shown["payment_tolerance_percent"] == "0.5"
    assert (await shop.call("PATCH", "/v1/merchant", live, json=body)).status_code == 200
    path = f"/v1/merchants/{merchant_id}/suspend"
    for key, status in ((house_test, 403), (house_live, 200)):
        answer = await shop.call("POST", path, key, json={"reason": "checks"})
        assert answer.status_code == status, answer.text


async def test_a_test_key_draws_codes_for_test_customers_alone(shop: Shop) -> None:
    """The merchant's own code refers merchants, who pay real fees; a live customer's is not its business."""
    merchant_id, test = await shop.merchant_and_key()
    live = await shop.key(merchant_id, livemode=True)
    codes: dict[str, str] = {}
    for name, key in (("test", test), ("live", live)):
        customer = (await shop.call("POST", "/v1/customers", key, json={})).json()["id"]
        drawn = await shop.call("POST", "/v1/referral_codes", key, json={"customer": customer})
        assert drawn.status_code == 201, drawn.text
        codes[name] = drawn.json()["id"]
    own = await shop.call("POST", "/v1/referral_codes", test, json={})
    assert (own.status_code, own.json()["code"]) == (403, "live_key_required")
    drawn = await shop.call("POST", "/v1/referral_codes", live, json={})
    codes["own"] = drawn.json()["id"]
    statuses = {
        name: (await shop.call("DELETE", f"/v1/referral_codes/{code}", test)).status_code
        for name, code in codes.items()
    }
    assert statuses == {"test": 200, "live": 403, "own": 403}


async def test_where_all_money_is_play_money_a_test_key_may(api: TestApi) -> None:
    """A sandbox of test networks alone is set up with test keys."""
    _, key = await api.merchant_and_key()
    body = {"payment_tolerance_percent": "1.00"}
    assert (await api.call("PATCH", "/v1/merchant", key, json=body)).status_code == 200
