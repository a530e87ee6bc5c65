"""The outbox of messages: a message is written in the transaction that it tells of."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.models import Notification
from gateway.notifications.sealing import Sealing

SEALING = "sealing"
"""Where `Database.info`, and so every session of it, carries the `Sealing`."""
SUBJECT_CHARACTERS_MAX = 200
# `=?` begins an encoded word (RFC 2047): the mail library would decode it into anything, or break.
_MAIL_ADDRESS = re.compile(r"(?!.*=\?)[^\s@<>,;:\"()\[\]\\]{1,64}@[^\s@<>,;:\"()\[\]\\]{1,189}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Message:
    """What is said to whom.

    `recipient` is an e-mail address, or the name of one of the merchant's targets; `kind` is a
    dotted name. A `secret` body is sealed at once and wiped when it was sent. `livemode` is None
    where the message concerns a person and no mode.
    """

    merchant_id: str | None
    recipient: str
    kind: str
    subject: str
    body: str
    secret: bool = False
    livemode: bool | None = None
    event_id: str | None = None


async def post(session: AsyncSession, message: Message, moment: Moment) -> str:
    """Write the message into the caller's transaction; return its id."""
    row = row_of(message, moment, session.info.get(SEALING))
    await session.execute(insert(Notification).values(**row))
    return str(row["id"])


def row_of(message: Message, moment: Moment, sealing: Sealing | None) -> dict[str, Any]:
    """Return the columns of a message; a secret one needs the sealing."""
    message_id = moment.id("ntf")
    row: dict[str, Any] = {
        "id": message_id,
        "merchant_id": message.merchant_id,
        "livemode": message.livemode,
        "recipient": message.recipient,
        "kind": message.kind,
        "subject": one_line(message.subject),
        "secret": message.secret,
        "next_attempt_at": moment.at,
        "created_at": moment.at,
    }
    if message.event_id is not None:
        row["event_id"] = message.event_id
    if not message.secret:
        return {**row, "body": message.body.replace("\x00", "")}
    if sealing is None:
        raise RuntimeError("this process seals nothing: secret messages are the API's")
    return {**row, "sealed": sealing.close(message.body, message_id, moment.randomness)}


def one_line(text: str) -> str:
    """Return a text without what ends or colours a line: names in it are strangers' words."""
    return _CONTROL.sub(" ", text).strip()[:SUBJECT_CHARACTERS_MAX] or "-"


def is_mail_address(text: str) -> bool:
    """Tell whether a text is one plain address: no list, no name beside it, no line's end."""
    return _MAIL_ADDRESS.fullmatch(text) is not None
