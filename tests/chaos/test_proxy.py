"""The bad node itself: what each fault does to an answer, on the wire and in the document."""

import random
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.chaos.edits import Loot, emptied, lie, partial, readdressed
from tests.chaos.faults import (
    HONEST,
    Fault,
    Plan,
    always,
    described,
    first_of,
    none_at_all,
    only,
    scripted,
    seeded,
)
from tests.chaos.proxy import PAGE, Chaos, chaos
from tests.fakes.node import serving, table

PAYEE, STRANGER = "0x" + "aa" * 20, "0x" + "bb" * 20
TOPICS = [
    "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
    "0x" + "0" * 24 + "cc" * 20,
    "0x" + "0" * 24 + "bb" * 20,
]
RECEIPT = {
    "transactionHash": "0x1",
    "transactionIndex": "0x0",
    "status": "0x1",
    "logs": [{"address": "0xt", "topics": TOPICS, "data": "0x5", "logIndex": "0x0"}],
}


def question(number: int, method: str = "get", *params: Any) -> dict[str, Any]:
    """Return a JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def answer(number: int, result: Any) -> dict[str, Any]:
    """Return a JSON-RPC answer."""
    return {"jsonrpc": "2.0", "id": number, "result": result}


def faults_of(plan: Plan, methods: list[str]) -> list[Fault | None]:
    """Return what a plan does to these calls."""
    return [plan(described(n, "/", question(n, name))) for n, name in enumerate(methods)]


def test_the_same_seed_bends_the_same_calls() -> None:
    """And another seed others; about as many as the rate says."""
    calls = ["get"] * 2_000
    first = faults_of(seeded(7, 0.3, HONEST), calls)
    assert first == faults_of(seeded(7, 0.3, HONEST), calls)
    assert first != faults_of(seeded(8, 0.3, HONEST), calls)
    assert 500 < sum(fault is not None for fault in first) < 700
    assert {fault for fault in first if fault is not None} == HONEST
    assert not any(faults_of(seeded(7, 0, HONEST), calls))


def test_a_script_bends_the_calls_it_names_once_each() -> None:
    """In its order, method by method."""
    plan = scripted(("a", Fault.HTML), ("b", None), ("a", Fault.RESET))
    bent = faults_of(plan, ["b", "a", "c", "a", "a", "b"])
    assert bent == [None, Fault.HTML, None, Fault.RESET, None, None]


def test_plans_are_put_together() -> None:
    """The first that does anything wins; a plan may be kept to some methods."""
    plan = first_of(always(Fault.LIE, "a"), only(always(Fault.HTML), "b"), none_at_all)
    assert faults_of(plan, ["a", "b", "c"]) == [Fault.LIE, Fault.HTML, None]


def test_empty_keeps_the_shape() -> None:
    """A list becomes an empty list, a JSON-RPC object null, a Tron document {}."""
    call = described(0, "/", question(3))
    assert emptied(call, answer(3, [1, 2])) == answer(3, [])
    assert emptied(call, answer(3, {"hash": 1})) == answer(3, None)
    assert emptied(call, answer(3, [])) is None
    assert emptied(call, answer(3, "0x1")) is None
    assert emptied(call, {"blockID": "ab"}) == {}
    assert emptied(call, [{"id": "ab"}]) == []


def test_an_answer_to_another_question_can_look_like_ours() -> None:
    """Only its id is changed."""
    assert readdressed(described(0, "/", question(9)), answer(3, "x")) == answer(9, "x")


@pytest.mark.parametrize("seed", range(6))
def test_a_partial_batch_is_never_whole(seed: int) -> None:
    """One item is missing or an error."""
    items = [answer(number, number) for number in range(4)]
    spoiled = partial(items, random.Random(seed))
    assert spoiled is not None
    assert sum("result" in each for each in spoiled) == 3
    assert partial(answer(1, []), random.Random(seed)) is None


@pytest.mark.parametrize("seed", range(12))
def test_a_lie_differs_from_the_truth_and_leaves_it_alone(seed: int) -> None:
    """It changes a status, an amount or a log; the honest document is not touched."""
    call = described(0, "/", question(1, "eth_getBlockReceipts"))
    truth = answer(1, [RECEIPT])
    copy = msgspec.json.decode(msgspec.json.encode(truth))
    forged = lie(call, truth, Loot([PAYEE]), random.Random(seed))
    assert truth == copy
    assert forged not in (None, truth)


def test_a_lie_pays_a_payee() -> None:
    """What went to a stranger is said to have come to us."""
    call = described(0, "/", question(1, "eth_getBlockByNumber"))
    truth = answer(1, {"transactions": [{"to": STRANGER, "value": "0x0"}]})
    forged = lie(call, truth, Loot([PAYEE]), random.Random(1))
    assert forged is not None
    [paid] = forged["result"]["transactions"]
    assert paid["to"] == PAYEE
    assert int(paid["value"], 16) > 0
    assert lie(call, truth, Loot(), random.Random(1)) is None
    assert lie(described(0, "/", question(1)), truth, Loot([PAYEE]), random.Random(1)) is None


async def sent(proxy: Chaos, number: int = 1, method: str = "get") -> tuple[int, bytes, str]:
    """Ask once; return status, body and Retry-After."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(proxy.url, json=question(number, method)) as response,
    ):
        return response.status, await response.read(), response.headers.get("retry-after", "")


@pytest.mark.anyio
async def test_without_a_plan_every_byte_passes() -> None:
    """And is counted as a call, not as a fault."""
    async with serving(table(get=[1, 2])) as node, chaos(node.url) as proxy:
        status, body, _ = await sent(proxy, 5)
    assert (status, msgspec.json.decode(body)) == (200, answer(5, [1, 2]))
    assert (proxy.calls, proxy.faulted, proxy.methods["get"]) == (1, 0, 1)


@pytest.mark.anyio
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HALF_BODY])
async def test_a_torn_exchange_is_torn(fault: Fault) -> None:
    """The client sees a broken connection."""
    async with serving(table(get=[1, 2])) as node, chaos(node.url, plan=always(fault)) as proxy:
        with pytest.raises(aiohttp.ClientError):
            await sent(proxy)
        assert proxy.counts == {fault: 1}


@pytest.mark.anyio
async def test_answers_that_are_none() -> None:
    """A page, broken JSON, and 429 with and without a pause."""
    async with serving(table(get=[1, 2])) as node, chaos(node.url, retry_after_s=7) as proxy:
        proxy.plan = always(Fault.HTML)
        assert await sent(proxy) == (200, PAGE, "")
        proxy.plan = always(Fault.THROTTLED)
        assert await sent(proxy) == (429, b"", "")
        proxy.plan = always(Fault.THROTTLED_FOR)
        assert await sent(proxy) == (429, b"", "7")
        proxy.plan = always(Fault.WRONG_JSON)
        status, body, _ = await sent(proxy)
        assert status == 200
        with pytest.raises(msgspec.DecodeError):
            msgspec.json.decode(body)
        assert proxy.faulted == 4


@pytest.mark.anyio
async def test_a_stale_answer_is_an_older_one_to_the_same_question() -> None:
    """Under the id of the new question."""
    async with serving(table(get="old")) as node, chaos(node.url) as proxy:
        await sent(proxy, 1)
        node.answer = table(get="new")
        proxy.plan = always(Fault.STALE)
        _, body, _ = await sent(proxy, 2)
        assert msgspec.json.decode(body) == answer(2, "old")


@pytest.mark.anyio
async def test_a_swapped_answer_belongs_to_another_question() -> None:
    """Under its own id or under ours."""
    async with serving(table(get="mine", other="theirs")) as node, chaos(node.url) as proxy:
        await sent(proxy, 1, "other")
        proxy.plan = always(Fault.SWAPPED)
        seen = {(await sent(proxy, number))[1] for number in range(2, 30)}
        results = [msgspec.json.decode(body) for body in seen]
        assert {each["result"] for each in results} == {"theirs"}
        assert answer(1, "theirs") in results
        assert len(results) > 1


@pytest.mark.anyio
async def test_a_forked_head_comes_from_the_other_node() -> None:
    """The same question, another chain's answer."""
    async with (
        serving(table(get="here")) as node,
        serving(table(get="there")) as fork,
        chaos(node.url, fork=fork.url, plan=always(Fault.FORKED)) as proxy,
    ):
        _, body, _ = await sent(proxy)
        assert msgspec.json.decode(body) == answer(1, "there")
        assert proxy.counts == {Fault.FORKED: 1}
