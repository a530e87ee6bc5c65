"""The courier as the configuration file wants it."""

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from gateway.db import Database
from gateway.domain.moment import Moment
from gateway.notifications.courier import Courier, Lines, Send
from gateway.notifications.delivery import Letter, Outcome
from gateway.notifications.mail import Relay, relay_of, send_mail
from gateway.notifications.sealing import Sealing
from gateway.notifications.services import send_through
from gateway.settings import Settings

NO_SERVER = Outcome("refused", "no mail server is configured")


def relay_in(settings: Settings) -> Relay | None:
    """Return the mail server of the file; raise `SettingsError` where it cannot be one."""
    section = settings.notifications
    password = (
        None
        if section.password_file is None
        else settings.secret("notifications.password_file")
    )
    return relay_of(section, password)


def courier_of(
    settings: Settings,
    database: Database,
    clock: Callable[[], Moment],
    tasks: asyncio.TaskGroup,
    registry: CollectorRegistry,
) -> Courier:
    """Make the worker's courier."""
    return Courier(
        database,
        Sealing(settings.secret("webhooks.master_secret_file")),
        Lines(mail=_mail_line(relay_in(settings)), target=lambda each, _: send_through(each)),
        clock,
        tasks,
        per_hour=settings.notifications.per_recipient_hour,
        registry=registry,
    )


def _mail_line(relay: Relay | None) -> Send:
    def send(letter: Letter, moment: Moment) -> Outcome:
        return NO_SERVER if relay is None else send_mail(relay, letter, moment)

    return send
