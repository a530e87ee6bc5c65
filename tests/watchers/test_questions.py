"""The API asks, the network's watcher answers: a request row, two seconds, and nobody's data but one's own."""

import asyncio
from dataclasses import replace

import httpx
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from gateway.db import CROSS_TENANT
from gateway.questions.service import PER_MINUTE
from tests.conftest import FreshDatabase
from tests.gateway.conftest import TestApi
from tests.watchers.asking import answering, answers, asking
from tests.watchers.world import DUE_UNITS, NETWORK, world
from watchers.health import Health
from watchers.loops import Loops

pytestmark = pytest.mark.anyio
NOWHERE = "0x" + "cd" * 32
PATH = "/v1/deposits/explain"


async def explain(api: TestApi, key: str, tx: str, network: str = NETWORK) -> httpx.Response:
    """Ask why."""
    return await api.call("GET", PATH, key, params={"network": network, "tx": tx})


async def test_a_watcher_answers_the_api(database: FreshDatabase) -> None:
    """The gates of the merchant's own payment, with the schema of the command."""
    async with world(database) as w, asking(database, w) as api, answering(w):
        tx_hash = await w.pay(w.assigned, DUE_UNITS)
        key = await api.key("mer_1")
        answer = await explain(api, key, tx_hash)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["verdict"], found["tx"], len(found["gates"])) == ("credited", tx_hash, 11)
        assert found["transfers"][0]["units"] == str(DUE_UNITS)
        again = await explain(api, key, tx_hash)
        assert again.json() == found
        rows = await api.rows("SELECT id FROM question")
        assert len(rows) == 1, "the same question within seconds is one"


async def test_an_operator_sees_whose_it_is_and_another_merchant_does_not(
    database: FreshDatabase,
) -> None:
    """Each asker has a question of its own; what is stored for a merchant holds nobody's data."""
    async with world(database) as w, asking(database, w) as api, answering(w):
        tx_hash = await w.pay(w.assigned, DUE_UNITS)
        other = await api.merchant("Other")
        seen = {}
        for name, merchant in (("owner", "mer_1"), ("other", other), ("operator", None)):
            key = await api.key(merchant)
            answer = await explain(api, key, tx_hash)
            assert answer.status_code == 200, answer.text
            seen[name] = answer.json()["verdict"]
        assert seen == {"owner": "credited", "other": "not_credited", "operator": "credited"}
        [row] = await api.rows(
            "SELECT answer::text FROM question WHERE asker = :asker", asker=other
        )
        assert "mer_1" not in row[0]
        assert "inv_1" not in row[0]


async def test_without_a_watcher_the_network_is_unavailable(database: FreshDatabase) -> None:
    """503 with Retry-After, and the question is nobody's once it has expired."""
    async with world(database) as w, asking(database, w) as api:
        key = await api.key("mer_1")
        answer = await explain(api, key, NOWHERE)
        assert (answer.status_code, answer.json()["code"]) == (503, "network_unavailable")
        assert "Retry-After" in answer.headers
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text("UPDATE question SET expires_at = now()"))
        assert not await (await answers(w)).waiting()


async def test_what_is_asked_must_be_a_hash_of_a_known_network(database: FreshDatabase) -> None:
    """Each parameter is refused by name; a live key knows no test network."""
    async with world(database) as w, asking(database, w) as api, answering(w):
        key = await api.key("mer_1")
        live = await api.key("mer_1", livemode=True)
        for who, network, tx, pointer in (
            (key, "nowhere", NOWHERE, "/network"),
            (live, NETWORK, NOWHERE, "/network"),
            (key, NETWORK, "12", "/tx"),
            (key, NETWORK, "a b", "/tx"),
            (key, NETWORK, "a" * 200, "/tx"),
        ):
            answer = await explain(api, who, tx, network)
            assert answer.status_code == 422, answer.text
            assert answer.json()["errors"][0]["pointer"] == pointer
        narrow = await api.key("mer_1", ["invoices:read"])
        assert (await explain(api, narrow, NOWHERE)).status_code == 403


async def test_a_merchant_may_not_ask_without_end(database: FreshDatabase) -> None:
    """30 a minute, then 429; another merchant is not held up."""
    async with world(database) as w, asking(database, w) as api, answering(w):
        other = await api.merchant("Other")
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                text(
                    "INSERT INTO question (id, asker, kind, network_id, body, operator)"
                    " SELECT 'q' || n, 'mer_1', 'explain', 'ethereum', '{}', false"
                    " FROM generate_series(1, :n) AS n"
                ),
                {"n": PER_MINUTE},
            )
            await session.execute(
                text("UPDATE question SET answer = '{}', answered_at = now()")
            )
        answer = await explain(api, await api.key("mer_1"), NOWHERE)
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert answer.headers["Retry-After"] == "60"
        assert (await explain(api, await api.key(other), NOWHERE)).status_code == 200


async def test_the_database_refuses_a_question_in_anothers_name(
    database: FreshDatabase,
) -> None:
    """Not as another merchant, not as an operator without an operator's key, not with an answer."""
    async with world(database) as w, asking(database, w) as api:
        insert = (
            "INSERT INTO question (id, asker, kind, network_id, body, operator)"
            " VALUES ('q', :asker, 'explain', 'ethereum', '{}', :operator)"
        )
        for asker, operator in (("mer_other", False), ("mer_1", True)):
            with pytest.raises(ProgrammingError, match="row-level security"):
                async with api.database.unit_of_work("mer_1") as session:
                    await session.execute(text(insert), {"asker": asker, "operator": operator})
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with api.database.unit_of_work("mer_1") as session:
                await session.execute(text("UPDATE question SET answer = '{}'"))


async def test_who_hears_again_waits_for_nothing(database: FreshDatabase) -> None:
    """Its round lasts as long as its connection: it is well as soon as there is one."""
    async with world(database) as w:
        loops = Loops(NETWORK, Health())
        loops.report("questions", ConnectionError("the connection broke"))
        served = await answers(w)
        serving = asyncio.create_task(served.serve(lambda: loops.recover("questions")))
        async with asyncio.timeout(10):
            while loops.health.troubles:
                assert not serving.done()
                await asyncio.sleep(0)
        serving.cancel()
        await asyncio.wait([serving])


async def test_a_broken_listening_connection_is_trouble_and_not_a_bug(
    database: FreshDatabase,
) -> None:
    """The server cut it: a `ConnectionError`, which the watcher's loop waits out."""
    async with world(database) as w:
        served = await answers(w)
        task = asyncio.create_task(served.serve())
        url = database.url("admin")
        cut = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        )
        with psycopg.connect(
            host=str(url.query["host"]), port=5432, dbname=url.database, user=url.username,
            password=url.password, autocommit=True,
        ) as admin:  # fmt: skip
            while not task.done():
                admin.execute(cut)
                await asyncio.sleep(0)
        with pytest.raises(ConnectionError, match="listening for questions"):
            await task
        assert replace(served).network == NETWORK


async def test_an_asker_that_insists_leaves_room_for_another(database: FreshDatabase) -> None:
    """Nobody answers, one merchant asks the same again and again: the other's question is put."""
    async with world(database) as w, asking(database, w) as api:
        other = await api.merchant("Other")
        key, others = await api.key("mer_1"), await api.key(other)
        insisting = [explain(api, key, NOWHERE) for _ in range(4)]
        told = await asyncio.gather(*insisting, explain(api, others, NOWHERE))
        assert {answer.status_code for answer in told} == {503}
        askers = await api.rows("SELECT asker FROM question ORDER BY asker")
        assert {row.asker for row in askers} == {"mer_1", other}
