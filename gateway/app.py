"""Composition root of the API: settings and database become one ASGI application."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from litestar import Litestar
from litestar.datastructures import State
from litestar.types import ASGIApp

from gateway.accounts.keys import hashed, is_well_formed
from gateway.accounts.repository import KeyUse, actor_of
from gateway.catalog.published import SHELF, Shelf
from gateway.checkout.listeners import Listeners
from gateway.checkout.visitors import Visitors
from gateway.db import Database
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.exports.streaming import Exports
from gateway.factors.secrets import FactorSecrets
from gateway.http.auth import Credentials, Identify
from gateway.http.envelope import Envelope, Metrics
from gateway.http.idempotency import Seal
from gateway.measured import measure
from gateway.notifications.outbox import SEALING
from gateway.notifications.sealing import Sealing
from gateway.questions.service import Questions
from gateway.routes import litestar
from gateway.sessions import tokens
from gateway.sessions.passwords import Passwords
from gateway.sessions.repository import SessionUse, person_of
from gateway.settings import Settings
from gateway.usage.counting import Usage
from gateway.webhooks.outbox import API_VERSION
from gateway.webhooks.secrets import EndpointSecrets

Clock = Callable[[], Moment]


@dataclass(frozen=True, slots=True)
class Api:
    """The application in its envelope, and Litestar's part of it by itself."""

    asgi: ASGIApp
    litestar: Litestar
    usage: Usage


def now() -> Moment:
    """Return the real moment."""
    return Moment(datetime.now(UTC), os.urandom)


def create_api(settings: Settings, database: Database, clock: Clock = now) -> Api:
    """Wire the application; whoever made the database closes it."""
    pepper = settings.secret("api.key_pepper_file")
    master = settings.secret("webhooks.master_secret_file")
    database.info[SHELF] = Shelf(settings.api.offers_milliseconds / 1000, time.monotonic)
    database.info[SEALING] = Sealing(master)
    metrics = Metrics()
    measure(database.engine, metrics.registry)
    parts = {
        "clock": clock,
        "database": database,
        "endpoint_secrets": EndpointSecrets(master),
        "exports": Exports(),
        "factor_secrets": FactorSecrets(pepper),
        "identify": _identify(database, pepper, clock, settings),
        "listeners": Listeners(database),
        "metrics": metrics,
        "passwords": Passwords(settings.people),
        "pepper": pepper,
        "public_url": settings.api.public_url,
        "questions": Questions(database),
        "seal": Seal(pepper),
        "settings": settings,
        "visitors": Visitors(settings.api.visits_per_minute),
    }
    usage, routes = Usage(), litestar()
    envelope = Envelope(routes, State(parts), usage=usage.count, version=API_VERSION)
    return Api(envelope, routes, usage)


def _identify(database: Database, pepper: str, clock: Clock, settings: Settings) -> Identify:
    quota = settings.api.requests_per_minute
    idle = timedelta(minutes=settings.people.session_idle_minutes)
    # One statement that is its own transaction: half the round trips of a unit of work.
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")

    async def identify(given: Credentials) -> Actor | None:
        if tokens.is_token(given.secret, tokens.SESSION):
            shown, at = SessionUse(tokens.hashed(given.secret), given.address), clock().at
            async with engine.connect() as connection:
                return await person_of(connection, shown, at, idle=idle, quota=quota)
        if not is_well_formed(given.secret):
            return None
        digest = hashed(pepper, given.secret)
        use = KeyUse(digest, given.address, given.nonce, given.nonce_until)
        return await actor_of(database, use, clock().at, quota)

    return identify
