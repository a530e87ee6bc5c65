"""The real courier against a real mail server on 127.0.0.1: taken, refused, hung up on, killed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from gateway.db import CROSS_TENANT, Database
from gateway.notifications import Message, post
from gateway.notifications.configured import courier_of
from gateway.notifications.courier import Courier
from gateway.notifications.delivery import ATTEMPTS_MAX
from gateway.notifications.outbox import SEALING
from gateway.notifications.sealing import Sealing
from gateway.settings import Settings
from tests.conftest import FreshDatabase
from tests.gateway.notifications.smtp import HANG, MailServer, mail_server
from tests.gateway.worker.world import MERCHANT, Clock, eventually

pytestmark = pytest.mark.anyio


@dataclass
class Post:
    """A merchant with a mail server and a courier that is moved by hand."""

    server: MailServer
    bare: Settings
    """Without a mail server."""
    settings: Settings
    owner: Database
    worker: Database
    clock: Clock
    courier: Courier
    registry: CollectorRegistry

    async def say(
        self,
        recipient: str,
        *,
        secret: bool = False,
        kind: str = "test",
        merchant_id: str | None = MERCHANT,
    ) -> None:
        """Write one message."""
        message = Message(merchant_id, recipient, kind, "Hello", "the body", secret=secret)
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            await post(session, message, self.clock())

    async def until(self, *expected: str) -> None:
        """Go round until the states of all messages, in order, are these."""

        async def reached() -> bool:
            await self.courier.round()
            return await self.states() == list(expected)

        await eventually(reached, str(expected))

    async def rows(self, statement: str) -> list[Any]:
        """Read as the database's administrator."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return list((await session.execute(text(statement))).all())

    async def states(self) -> list[str]:
        """Return the states in the order of writing."""
        rows = await self.rows("SELECT status FROM notification ORDER BY id")
        return [row.status for row in rows]


@asynccontextmanager
async def posting(shared: FreshDatabase, **section: int) -> AsyncIterator[Post]:
    """Begin with an empty queue and a courier of one's own."""
    async with (
        aclosing(Database(shared.url("admin"), pool_size=2)) as owner,
        aclosing(Database(shared.url("worker"), pool_size=4)) as worker,
        mail_server() as server,
    ):
        owner.info[SEALING] = Sealing(shared.settings.secret("webhooks.master_secret_file"))
        await _emptied(owner)
        notifications = msgspec.structs.replace(
            shared.settings.notifications, url=server.url, **section
        )
        settings = msgspec.structs.replace(shared.settings, notifications=notifications)
        clock, registry = Clock(), CollectorRegistry()
        async with asyncio.TaskGroup() as tasks:
            courier = courier_of(settings, worker, clock, tasks, registry)
            try:
                yield Post(
                    server, shared.settings, settings, owner, worker, clock, courier, registry
                )
            finally:
                server.hang_up()
                courier.close()


async def _emptied(owner: Database) -> None:
    async with owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text("DELETE FROM notification"))
        await session.execute(
            text(
                "INSERT INTO merchant (id, name, created_at) VALUES (:id, 'x', now()) ON CONFLICT DO NOTHING"
            ),
            {"id": MERCHANT},
        )


async def test_a_message_is_sent_once_and_a_secret_is_wiped(shared: FreshDatabase) -> None:
    """Under an id that stays its own; what was sealed is gone when it was sent."""
    async with posting(shared) as p:
        await p.say("ann@shop.example")
        await p.say("bob@shop.example", secret=True)
        await p.until("sent", "sent")
        for _ in range(3):
            await p.courier.round()
        said = sorted((str(m["To"]), str(m["Subject"])) for m in p.server.messages)
        assert said == [("ann@shop.example", "Hello"), ("bob@shop.example", "Hello")]
        assert {m.as_string().rpartition("\n\n")[2].strip() for m in p.server.messages} == {
            "the body"
        }
        ids = {row.id for row in await p.rows("SELECT id FROM notification")}
        assert {str(m["Message-ID"]) for m in p.server.messages} == {
            f"<{each}@house.example>" for each in ids
        }
        [row] = await p.rows("SELECT body, sealed FROM notification WHERE secret")
        assert tuple(row) == (None, None)


async def test_a_passing_fault_is_tried_again_and_a_refusal_is_not(
    shared: FreshDatabase,
) -> None:
    """4yz now, 250 later; 550 is for good, and the merchant reads why."""
    async with posting(shared) as p:
        p.server.answers = {"busy@x.example": [450, 250], "gone@x.example": [550]}
        await p.say("busy@x.example")
        await p.say("gone@x.example")
        await p.until("retrying", "failed")
        p.clock.put_forward(minutes=1)
        await p.until("sent", "failed")
        assert p.server.asked == {"busy@x.example": 2, "gone@x.example": 1}
        [row] = await p.rows("SELECT error FROM notification WHERE status = 'failed'")
        assert row.error == "the mail server refused the recipient (550)"
        failed = {"channel": "email", "outcome": "failed"}
        assert p.registry.get_sample_value("gateway_notifications_total", failed) == 1


async def test_a_refused_message_is_not_sent_either(shared: FreshDatabase) -> None:
    """Also where the server takes the recipient and refuses the text; two are no recipient."""
    async with posting(shared) as p:
        p.server.data_code = 554
        await p.say("ann@x.example")
        await p.say("a@x.example, b@x.example")
        await p.until("failed", "failed")
        assert p.server.asked == {"ann@x.example": 1}


@pytest.mark.parametrize("address", ["=?utf-8?q?=0aBcc=3a?=@x.example", "=?x?b?'}=$_'?=@?/"])
async def test_an_address_that_pretends_to_be_encoded_is_refused(
    shared: FreshDatabase, address: str
) -> None:
    """The mail library would decode it (RFC 2047) and break; the worker sends on to the others."""
    async with posting(shared) as p:
        await p.say(address)
        await p.say("ann@x.example")
        await p.until("failed", "sent")
        [row] = await p.rows("SELECT error FROM notification WHERE status = 'failed'")
        assert row.error == "this is not one e-mail address"


async def test_ten_attempts_are_enough(shared: FreshDatabase) -> None:
    """Within a day; then it has failed, and its secret is wiped."""
    async with posting(shared) as p:
        p.server.answers = {"busy@x.example": [451]}
        begun = p.clock().at
        await p.say("busy@x.example", secret=True)
        for number in range(1, ATTEMPTS_MAX + 1):
            await eventually(partial(_asked, p, number))
            p.clock.put_forward(hours=10)
        await p.until("failed")
        assert p.server.asked["busy@x.example"] == ATTEMPTS_MAX
        [row] = await p.rows("SELECT sealed, ended_at, attempts FROM notification")
        assert (row.sealed, row.attempts) == (None, ATTEMPTS_MAX)
        assert row.ended_at > begun


async def _asked(p: Post, number: int) -> bool:
    await p.courier.round()
    [row] = await p.rows("SELECT attempts, leased_until FROM notification")
    return p.server.asked["busy@x.example"] == number and row.leased_until is None


async def test_a_server_that_hangs_holds_up_nobody_else(shared: FreshDatabase) -> None:
    """The one conversation waits; the others go on beside it."""
    async with posting(shared) as p:
        p.server.answers = {"slow@x.example": [HANG]}
        await p.say("slow@x.example")
        await p.say("slow@x.example")
        for name in "abcdefghijkl":
            await p.say(f"{name}@x.example")
        await p.until("scheduled", "scheduled", *["sent"] * 12)
        await _one_waits(p)


async def _one_waits(p: Post) -> None:
    """One conversation with the slow mailbox is under way, or about to be; a second is not."""
    [row] = await p.rows("SELECT count(leased_until) AS leased FROM notification")
    assert row.leased == 1
    await eventually(lambda: p.server.asked["slow@x.example"])
    assert p.server.asked["slow@x.example"] == 1


async def test_who_gets_too_many_gets_the_others_later(shared: FreshDatabase) -> None:
    """So many an hour, whatever the spelling; a secret message has an hour of its own."""
    async with posting(shared, per_recipient_hour=2) as p:
        for spelling in ("ann@x.example", "Ann@x.example", "ANN@x.example"):
            await p.say(spelling)
        await p.until("sent", "sent", "scheduled")
        await p.say("ann@x.example", secret=True)
        await p.until("sent", "sent", "scheduled", "sent")
        p.clock.put_forward(minutes=11)
        await p.courier.round()
        assert len(p.server.messages) == 3
        p.clock.put_forward(minutes=51)
        await p.until("sent", "sent", "sent", "sent")


async def test_killed_between_sending_and_writing_it_is_sent_once_more(
    shared: FreshDatabase,
) -> None:
    """The lease runs out, another courier takes over, and both copies have one id."""
    async with posting(shared) as p:
        await p.say("ann@x.example")
        await p.courier.round()
        await eventually(lambda: len(p.server.messages) == 1)
        # Nothing settles any more: to the database the first courier is dead.
        async with asyncio.TaskGroup() as tasks:
            second = courier_of(p.settings, p.worker, p.clock, tasks, CollectorRegistry())
            await second.round()
            assert await p.states() == ["scheduled"]
            p.clock.put_forward(seconds=91)

            async def sent() -> bool:
                await second.round()
                return await p.states() == ["sent"]

            await eventually(sent)
            second.close()
        await p.courier.settle()
        assert len({str(m["Message-ID"]) for m in p.server.messages}) == 1
        assert len(p.server.messages) == 2
        [row] = await p.rows("SELECT attempts FROM notification")
        assert row.attempts == 2


async def test_what_cannot_be_sent_in_two_days_has_failed(shared: FreshDatabase) -> None:
    """It is said, and nobody gets it when it is of no use any more."""
    async with posting(shared) as p:
        await p.say("ann@x.example", secret=True)
        p.clock.put_forward(days=2, seconds=1)
        await p.courier.tidy()
        assert await p.states() == ["failed"]
        await p.courier.round()
        assert p.server.messages == []
        p.clock.put_forward(days=91)
        await p.courier.tidy()
        assert await p.states() == []


async def test_without_a_mail_server_a_message_fails_with_a_reason(
    shared: FreshDatabase,
) -> None:
    """Not in silence, and not for days."""
    async with posting(shared) as p, asyncio.TaskGroup() as tasks:
        bare = courier_of(p.bare, p.worker, p.clock, tasks, CollectorRegistry())
        await p.say("ann@x.example")
        await p.say("phone")
        await bare.round()

        async def failed() -> bool:
            await bare.round()
            return await p.states() == ["failed", "failed"]

        await eventually(failed)
        bare.close()
        rows = await p.rows("SELECT error FROM notification ORDER BY id")
        assert [row.error for row in rows] == [
            "no mail server is configured",
            "the target's address cannot be used any more",
        ]


async def test_no_other_merchant_fills_the_hour_of_a_mailbox(shared: FreshDatabase) -> None:
    """Whoever gives a neighbour's address as the own one holds none of its alerts back."""
    async with posting(shared, per_recipient_hour=2) as p:
        for _ in range(3):
            await p.say("ann@x.example", merchant_id=None)
        await p.until("sent", "sent", "scheduled")
        await p.say("ann@x.example")
        await p.until("sent", "sent", "scheduled", "sent")


async def test_a_queue_without_end_holds_up_nobody_else(shared: FreshDatabase) -> None:
    """A merchant's thousands of messages to one mailbox stand before its own next one alone."""
    async with posting(shared) as p:
        p.server.answers = {"slow@x.example": [HANG]}
        await p.say("slow@x.example")
        await p.rows(
            "INSERT INTO notification (id, merchant_id, recipient, kind, subject, body, secret,"
            " next_attempt_at, created_at) SELECT 'ntf_0' || n, merchant_id, recipient, kind, subject,"
            " body, secret, next_attempt_at, created_at FROM notification, generate_series(1, 1100) n"
            " RETURNING 1"
        )
        await p.say("ann@x.example")

        async def sent() -> bool:
            await p.courier.round()
            [row] = await p.rows(
                "SELECT count(*) AS sent FROM notification WHERE status = 'sent'"
            )
            return bool(row.sent == 1)

        await eventually(sent, "the other message to be sent")
        await _one_waits(p)
