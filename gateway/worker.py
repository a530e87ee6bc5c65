"""Composition root of the background worker: all that the clock and the queues set going."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import delete

from gateway.audit.chain import link
from gateway.catalog.troubles import Troubles
from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.invoices.expiry import close_round, expire_round
from gateway.measured import measure
from gateway.models import IdempotencyKey
from gateway.notifications.announcing import announce_changes, announce_events
from gateway.notifications.configured import courier_of
from gateway.notifications.courier import Courier
from gateway.payout_rules.runs import Rules
from gateway.postgres.url import role_url
from gateway.prices.configured import market_of
from gateway.prices.round import market_round
from gateway.prices.static import price_round, static_prices
from gateway.questions.service import Questions
from gateway.referrals.sharing import share_round
from gateway.referrals.undoing import undo_round
from gateway.rounds import PAUSE_SECONDS_MIN, TROUBLE, Loop, Waiting, ended_within
from gateway.scraped import served
from gateway.sessions.forgetting import forget_round
from gateway.settings import Settings
from gateway.subscriptions.billing import bill_round
from gateway.usage.rolling import roll_up
from gateway.webhooks.alerts import emit_alert
from gateway.webhooks.dialling import open_session
from gateway.webhooks.feed import place_events
from gateway.webhooks.guard import Guard
from gateway.webhooks.hearing import hear
from gateway.webhooks.line import Line
from gateway.webhooks.networks import news_round
from gateway.webhooks.secrets import EndpointSecrets
from gateway.webhooks.sender import Sender

CONNECTIONS_MIN = 4
"""One listens, one leases, one settles; the rest share what is left."""
IDLE_SECONDS = 1.0
"""A connection that rested for longer is asked whether it lives; a round that fails is repeated."""
EXPIRY_SECONDS = 1.0
SETTLE_SECONDS = 1.0
CLOSING_SECONDS = 60.0
SKIP_SECONDS = 5.0
CROWD_SECONDS = 1.0
AUDIT_SECONDS = 1.0
FEED_SECONDS = 0.5
NEWS_SECONDS = 10.0
FORGET_SECONDS = 3600.0
RULES_SECONDS = 5.0
NOTIFY_SECONDS = 1.0
TIDY_SECONDS = 60.0
USAGE_SECONDS = 60.0
SHARE_SECONDS = 2.0
BILLING_SECONDS = 5.0
WATCHED_SECONDS = 5.0
GRACE_SECONDS = 5.0
"""Beyond the webhook timeout, for writing the last results after SIGTERM; twice that for all else."""

log = structlog.get_logger()


def now() -> Moment:
    """Return the real moment."""
    return Moment(datetime.now(UTC), secrets.token_bytes)


async def run(
    settings: Settings, stop: asyncio.Event, clock: Callable[[], Moment] = now
) -> None:
    """Work until `stop` is set; then finish the requests in flight and write their results."""
    database = Database(
        role_url(settings, "worker"),
        pool_size=max(settings.database.pool_size, CONNECTIONS_MIN),
        slow_milliseconds=settings.database.slow_query_milliseconds,
        idle_seconds=IDLE_SECONDS,
    )
    clock_loops = _clock_loops(settings, database, clock)
    endpoint_secrets = EndpointSecrets(settings.secret("webhooks.master_secret_file"))
    timeout = settings.webhooks.timeout_seconds
    guard = Guard(settings.webhooks.allow_private)
    registry = CollectorRegistry()
    measure(database.engine, registry)
    troubles = Troubles(registry)
    try:
        async with (
            ended_within(timeout + 2 * GRACE_SECONDS, stop),
            served(settings.worker.metrics_host, settings.worker.metrics_port, registry),
            open_session(guard, timeout_seconds=timeout) as session,
        ):
            line = Line(session, guard, endpoint_secrets, clock)
            async with asyncio.TaskGroup() as tasks:
                sender = Sender(database, settings.webhooks, line, tasks)
                courier = courier_of(settings, database, clock, tasks, registry)
                loops = [
                    *_sender_loops(settings, sender),
                    *_courier_loops(database, courier, clock),
                    *clock_loops,
                    Loop("watched", lambda: troubles.round(database, clock()), WATCHED_SECONDS),
                ]
                ear = _listener(database, sender)
                registry.register(Waiting([*loops, ear]))
                listening = tasks.create_task(ear.run(stop))
                log.info("working", networks=sorted(settings.networks))
                await _until_told(loops, sender, stop, tasks, grace=timeout + GRACE_SECONDS)
                listening.cancel()
            await _settle_last(courier)
    finally:
        await database.aclose()
    log.info("stopped")


async def _settle_last(courier: Courier) -> None:
    """Write what came of the last messages; what cannot be written is sent once more."""
    courier.close()
    try:
        await courier.settle()
    except TROUBLE:
        log.warning("results not written: these messages will be sent again")


async def _until_told(
    loops: Sequence[Loop],
    sender: Sender,
    stop: asyncio.Event,
    tasks: asyncio.TaskGroup,
    *,
    grace: float,
) -> None:
    """Run the loops until `stop`; then let what is in flight land, and settle it."""
    settled = asyncio.Event()
    settling = Loop("settle", sender.settle_round, SETTLE_SECONDS, sender.landed)
    tasks.create_task(settling.run(settled))
    running = [tasks.create_task(loop.run(stop)) for loop in loops]
    await stop.wait()
    for loop in loops:
        loop.wake.set()
    await asyncio.wait(running)
    try:
        async with asyncio.timeout(grace):
            await sender.idle.wait()
    except TimeoutError:
        log.warning("results not written: these webhooks will be sent again")
    settled.set()
    settling.wake.set()


def _sender_loops(settings: Settings, sender: Sender) -> list[Loop]:
    poll = settings.webhooks.poll_milliseconds / 1000
    return [
        Loop("lease", sender.lease_round, poll, sender.wake),
        Loop("skip", sender.skip_round, SKIP_SECONDS, sender.unwanted),
        Loop("crowds", sender.crowd_round, CROWD_SECONDS),
    ]


def _courier_loops(
    database: Database, courier: Courier, clock: Callable[[], Moment]
) -> list[Loop]:
    return [
        Loop("notifications", courier.round, NOTIFY_SECONDS, courier.wake),
        Loop("announce", lambda: announce_events(database, clock()), NOTIFY_SECONDS),
        Loop("alerts", lambda: announce_changes(database, clock(), emit_alert), NOTIFY_SECONDS),
        Loop("tidy", courier.tidy, TIDY_SECONDS),
        Loop("usage", lambda: roll_up(database, clock()), USAGE_SECONDS),
    ]


def _clock_loops(
    settings: Settings, database: Database, clock: Callable[[], Moment]
) -> list[Loop]:
    prices = static_prices(settings)
    market = market_of(settings)
    rules = Rules(database, Questions(database), settings.withdrawals.unchecked)
    asked = (
        []
        if market is None
        else [
            Loop(
                "market",
                lambda: market_round(database, market, clock()),
                settings.prices.refresh_seconds,
            )
        ]
    )
    return [
        *asked,
        Loop("expiry", lambda: expire_round(database, settings, clock()), EXPIRY_SECONDS),
        Loop("closing", lambda: close_round(database, settings, clock()), CLOSING_SECONDS),
        Loop(
            "prices",
            lambda: price_round(database, prices, clock()),
            settings.prices.max_age_seconds / 3,
        ),
        Loop("audit", lambda: _link_audit(database), AUDIT_SECONDS),
        Loop("feed", lambda: _place(database), FEED_SECONDS),
        Loop("networks", lambda: news_round(database, settings, clock()), NEWS_SECONDS),
        Loop("rules", lambda: rules.round(clock()), RULES_SECONDS),
        Loop("billing", lambda: bill_round(database, settings, clock()), BILLING_SECONDS),
        Loop("commissions", lambda: share_round(database, clock()), SHARE_SECONDS),
        Loop("refunded", lambda: undo_round(database, clock()), SHARE_SECONDS),
        Loop("forget", lambda: _forget_keys(database, clock()), FORGET_SECONDS),
        Loop("spent", lambda: forget_round(database, clock()), FORGET_SECONDS),
    ]


def _listener(database: Database, sender: Sender) -> Loop:
    ear = Loop("listen", lambda: hear(database, sender, ear.recover), PAUSE_SECONDS_MIN)
    return ear


async def _link_audit(database: Database) -> bool:
    """Link new rows of the audit log; the log on the machine keeps each head."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        head = await link(session)
    if head is not None:
        log.info("audit", place=head.place, head=head.hash)
    return head is not None


async def _place(database: Database) -> bool:
    async with database.unit_of_work(CROSS_TENANT) as session:
        return await place_events(session)


async def _forget_keys(database: Database, moment: Moment) -> None:
    async with database.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            delete(IdempotencyKey).where(IdempotencyKey.expires_at < moment.at)
        )
