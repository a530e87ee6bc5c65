"""One merchant never learns of another: by a cursor, by mode.

By plain SQL: tests/migrations/test_tenants.py. By id: tests/contract/test_idor.py.
"""

import pytest

from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio


async def test_a_cursor_of_another_merchant_opens_nothing(api: TestApi) -> None:
    """Paging from a foreign id still lists only one's own."""
    _, mine = await api.merchant_and_key()
    _, theirs = await api.merchant_and_key()
    own = (await api.call("GET", "/v1/api_keys", mine)).json()["data"]
    foreign = (await api.call("GET", "/v1/api_keys", theirs)).json()["data"][0]["id"]
    page = (await api.call("GET", f"/v1/api_keys?starting_after={foreign}", mine)).json()
    assert [row["id"] for row in page["data"]] == [row["id"] for row in own]


async def test_modes_are_apart(api: TestApi) -> None:
    """A live key sees neither test networks nor test keys."""
    merchant_id, test = await api.merchant_and_key()
    live = await api.key(merchant_id, livemode=True)
    assert live.startswith("gw_live_")
    assert test.startswith("gw_test_")
    for path in ("/v1/payment_methods", "/v1/networks", "/v1/balances"):
        assert (await api.call("GET", path, test)).json()["data"]
        assert (await api.call("GET", path, live)).json()["data"] == []
    keys = (await api.call("GET", "/v1/api_keys", live)).json()["data"]
    assert [key["livemode"] for key in keys] == [True]
