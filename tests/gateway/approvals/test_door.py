"""An approver's own key opens the door, for a minute, for one request."""

from datetime import timedelta

import httpx
import pytest

from tests.gateway.approvals.people import KEYS, MALLORY, ask, publish, waiting
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio
ORDERS = "/v1/approvals/orders"


def refused(answer: httpx.Response) -> bool:
    """Tell whether nobody was recognised."""
    return (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_only_people_of_the_policy_come_in(shop: Shop) -> None:
    """Another key under a known name, a known key under another name, and nobody at all."""
    await publish(shop)
    assert (await ask(shop, "alice", "GET", ORDERS)).status_code == 200
    assert refused(await ask(shop, "alice", "GET", ORDERS, key=MALLORY))
    assert refused(await ask(shop, "carol", "GET", ORDERS, key=KEYS["alice"]))
    assert refused(await ask(shop, "mallory", "GET", ORDERS, key=MALLORY))
    assert refused(await ask(shop, "carol", "GET", ORDERS, key=MALLORY)), "a passkey is no key"
    assert refused(await shop.client.get(ORDERS))


async def test_without_a_policy_nobody_comes_in(shop: Shop) -> None:
    """Not even with a well-formed signature."""
    assert refused(await ask(shop, "alice", "GET", ORDERS))


async def test_a_signature_lasts_a_minute(shop: Shop) -> None:
    """Before and after."""
    await publish(shop)
    for late, known in ((59, True), (-59, True), (61, False), (-62, False)):
        answer = await ask(shop, "alice", "GET", ORDERS, late=late)
        assert (answer.status_code == 200) is known, late


async def test_a_signature_is_of_one_request(shop: Shop) -> None:
    """Another method, path, query or body needs another one."""
    order_id, _, _ = await waiting(shop)
    target = f"{ORDERS}/{order_id}"
    listing = (await ask(shop, "alice", "GET", ORDERS)).request.headers["Authorization"]
    said = await ask(shop, "alice", "POST", f"{target}/refuse", {"reason": ""})
    no = {"Authorization": said.request.headers["Authorization"]}
    yes = {"Authorization": listing}
    assert refused(await shop.client.get(target, headers=yes))
    assert refused(await shop.client.get(f"{ORDERS}?limit=1", headers=yes))
    assert refused(await shop.client.post(f"{target}/approve", headers=no, json={}))
    assert (await shop.client.get(ORDERS, headers=yes)).status_code == 200
    changed = await shop.client.post(f"{target}/refuse", headers=no, json={"reason": "other"})
    assert refused(changed)


async def test_nonsense_is_told_what_to_send(shop: Shop) -> None:
    """One 401 with the form of the header, never a 500."""
    await publish(shop)
    zeros = "00" * 64
    for credentials in (
        "", "name=alice", "name=alice,at=1,signature=00", f"name=alice,at=-1,signature={zeros}",
        f"name=,at=1,signature={zeros}", f"name=al ice,at=1,signature={zeros}",
        f"name=alice,at=99999999999,signature={zeros}", f"name=alice,at=1,signature={zeros},x=1",
    ):  # fmt: skip
        header = {"Authorization": f"Approver {credentials}"}
        assert refused(await shop.client.get(ORDERS, headers=header)), credentials


async def test_a_policy_that_nobody_renews_lets_nobody_in(shop: Shop) -> None:
    """Its watcher is away: people may have been taken out since."""
    await publish(shop, age=timedelta(minutes=11))
    assert refused(await ask(shop, "alice", "GET", ORDERS))


async def test_an_approver_reaches_no_other_route(shop: Shop) -> None:
    """Keys are asked for everywhere else."""
    await publish(shop)
    for target in ("/v1/withdrawals", "/v1/merchants", "/v1/pauses"):
        answer = await ask(shop, "alice", "GET", target)
        assert answer.status_code in {401, 405}, target


async def test_an_own_idempotency_key_is_honoured(shop: Shop) -> None:
    """And belongs to the approver alone."""
    await publish(shop)
    order_id, _, _ = await waiting(shop)
    target = f"{ORDERS}/{order_id}/refuse"
    first = await ask(shop, "alice", "POST", target, {"reason": "no"}, once="a")
    second = await ask(shop, "alice", "POST", target, {"reason": "no"}, once="a")
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.json() == first.json()
    other = await ask(shop, "bob", "POST", target, {"reason": "never"}, once="a")
    assert (other.status_code, "Idempotent-Replayed" in other.headers) == (200, False)
