"""The same POST twice is one change."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from gateway.http.idempotency import Seal
from tests.gateway.conftest import TestApi

pytestmark = pytest.mark.anyio

PATH = "/v1/api_keys"
BODY = {"name": "till", "scopes": ["invoices:read"]}


def keyed(key: str) -> dict[str, str]:
    """Return the header."""
    return {"Idempotency-Key": key}


async def test_a_repetition_gets_the_same_answer(api: TestApi) -> None:
    """Status and bytes are those of the first; the order of fields does not matter."""
    _, key = await api.merchant_and_key()
    first = await api.call("POST", PATH, key, json=BODY, headers=keyed("a"))
    turned = dict(reversed(BODY.items()))
    second = await api.call("POST", PATH, key, json=turned, headers=keyed("a"))
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert len((await api.call("GET", PATH, key)).json()["data"]) == 2


async def test_another_body_is_refused(api: TestApi) -> None:
    """422, and the first answer stays."""
    _, key = await api.merchant_and_key()
    await api.call("POST", PATH, key, json=BODY, headers=keyed("a"))
    other = await api.call(
        "POST", PATH, key, json={**BODY, "name": "other"}, headers=keyed("a")
    )
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    "body", [b"garbage", b"\xff", b'{"a":"\xff"}', b"[" * 60_000, b"1" * 5000]
)
async def test_what_a_route_does_not_read_may_be_anything(api: TestApi, body: bytes) -> None:
    """The body of a request that takes none is no JSON, and no fault of ours."""
    _, key = await api.merchant_and_key()
    made = (await api.call("POST", PATH, key, json=BODY)).json()
    path = "/v1/invoices/inv_nobody/cancel"
    absent = await api.call("POST", path, key, content=body, headers=keyed("a"))
    assert (absent.status_code, absent.json()["code"]) == (404, "not_found")
    roll = f"{PATH}/{made['id']}/roll"
    refused = await api.call("POST", roll, key, content=body, headers=keyed("a"))
    assert refused.status_code == 415, refused.text


async def test_keys_of_two_merchants_and_two_routes_are_apart(api: TestApi) -> None:
    """The same key elsewhere is another key."""
    for _ in range(2):
        _, key = await api.merchant_and_key()
        answer = await api.call("POST", PATH, key, json=BODY, headers=keyed("a"))
        assert answer.status_code == 201
        assert "idempotent-replayed" not in answer.headers
    operator = await api.key(None)
    answers = [
        await api.call(
            "POST", "/v1/merchants", operator, json={"name": "B"}, headers=keyed("a")
        )
        for _ in range(2)
    ]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["idempotent-replayed"] == "true"
    merchant_id = answers[0].json()["id"]
    answer = await api.call(
        "POST", f"/v1/merchants/{merchant_id}/api_keys", operator, json=BODY, headers=keyed("a")
    )
    assert answer.status_code == 201
    assert "idempotent-replayed" not in answer.headers


async def test_fifty_at_once_make_one_object(api: TestApi) -> None:
    """One is done, the others are told to wait or get its answer; all see the same key."""
    merchant_id, key = await api.merchant_and_key()
    answers = await asyncio.gather(
        *(api.call("POST", PATH, key, json=BODY, headers=keyed("a")) for _ in range(50))
    )
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {201, 409}
    bodies = {answer.content for answer in answers if answer.status_code == 201}
    fresh = [
        answer
        for answer in answers
        if answer.status_code == 201 and "idempotent-replayed" not in answer.headers
    ]
    assert len(bodies) == len(fresh) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "idempotency_key_in_flight"
            assert int(answer.headers["retry-after"]) > 0
    (made,) = await api.rows(
        "SELECT count(*) AS n FROM api_key WHERE merchant_id = :id AND name = 'till'",
        id=merchant_id,
    )
    assert made.n == 1


async def test_a_refusal_is_not_kept(api: TestApi) -> None:
    """After a 422 the same key works with a better body."""
    _, key = await api.merchant_and_key()
    wrong = {**BODY, "scopes": ["nonsense"]}
    assert (
        await api.call("POST", PATH, key, json=wrong, headers=keyed("a"))
    ).status_code == 422
    assert (await api.call("POST", PATH, key, json=BODY, headers=keyed("a"))).status_code == 201


async def test_the_key_itself_is_checked(api: TestApi) -> None:
    """1 to 255 printable characters."""
    _, key = await api.merchant_and_key()
    for text in ("", "x" * 256, "a\tb"):
        answer = await api.call("POST", PATH, key, json=BODY, headers=keyed(text))
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    assert (
        await api.call("POST", PATH, key, json=BODY, headers=keyed("x" * 255))
    ).status_code == 201


async def test_a_kept_answer_is_sealed_and_ends_after_a_day(api: TestApi) -> None:
    """The row does not show the secret that the answer carried; later the key is free again."""
    _, key = await api.merchant_and_key()
    first = await api.call("POST", PATH, key, json=BODY, headers=keyed("a"))
    (row,) = await api.rows("SELECT row_to_json(k)::text AS text FROM idempotency_key k")
    assert first.json()["key"] not in row.text
    assert first.json()["id"] not in row.text
    api.clock.at += timedelta(hours=23)
    again = await api.call("POST", PATH, key, json=BODY, headers=keyed("a"))
    assert again.content == first.content
    api.clock.at += timedelta(hours=2)
    later = await api.call("POST", PATH, key, json=BODY, headers=keyed("a"))
    assert later.json()["id"] != first.json()["id"]


async def test_an_answer_that_cannot_be_opened_is_told_and_nothing_is_done_again(
    api: TestApi,
) -> None:
    """It was sealed under another pepper, or altered: the first request has done its work."""
    _, key = await api.merchant_and_key()
    await api.call("POST", PATH, key, json=BODY, headers=keyed("a"))
    [[sealed]] = await api.rows("SELECT response_body FROM idempotency_key")
    elsewhere = Seal("another pepper").close(b"{}", "elsewhere", bytes)
    for altered in (elsewhere, "", "no base64", sealed[:-8]):
        await api.rows("UPDATE idempotency_key SET response_body = :b RETURNING 1", b=altered)
        answer = await api.call("POST", PATH, key, json=BODY, headers=keyed("a"))
        assert (answer.status_code, answer.json()["code"]) == (
            409,
            "idempotency_answer_unreadable",
        )
    assert len((await api.call("GET", PATH, key)).json()["data"]) == 2
    await api.rows("UPDATE idempotency_key SET response_body = :b RETURNING 1", b=sealed)
    answer = await api.call("POST", PATH, key, json=BODY, headers=keyed("a"))
    assert answer.headers["idempotent-replayed"] == "true"
