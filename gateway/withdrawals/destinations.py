"""What the network's watcher says of a destination, before anything is held for it.

Asked outside the transaction that holds money. Where the watcher is silent, or its node is, a
withdrawal is not taken (503, to be tried again), unless the operator wants it unchecked: the payer
simulates every payment again before it is signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from gateway.domain.actor import Actor
from gateway.domain.errors import Invalid, TooMany, Unavailable
from gateway.domain.moment import Moment
from gateway.questions.service import SILENT, Questions


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What stands at a destination; `refusal` is a stable code, None where it can receive.

    `create_units` is what `creates` costs the operator, in the network's own coin.
    """

    kind: Literal["wallet", "contract", "new"]
    refusal: str | None
    detail: str
    field: Literal["destination", "amount"]
    creates: Literal["activation", "token_account"] | None
    create_units: str


@dataclass(frozen=True, slots=True)
class Prospect:
    """A payment that may be asked for; `destination` as addresses are stored."""

    currency_id: str
    destination: str
    units: int


UNHEARD = Finding(
    kind="wallet",
    refusal=SILENT,
    detail="the network does not say now whether the destination can receive",
    field="destination",
    creates=None,
    create_units="0",
)
"""Nobody answered for a destination in time: it is not known to be able to receive."""
UNASKED = msgspec.structs.replace(
    UNHEARD, refusal=TooMany.code, detail="too many destinations were asked about this minute"
)
"""The merchant asked too often: its destination was not looked at."""
UNLOOKED = msgspec.structs.replace(UNHEARD, detail="the destination was not looked at")
"""It was refused before anybody was asked; where nothing refuses it any more, that is for another time."""
MORE_SECONDS = 0.1
"""How much longer an answer may take for each destination: a batch is one question."""


class _Answer(msgspec.Struct):
    findings: list[Finding | None]


async def look(
    questions: Questions,
    actor: Actor,
    network: str,
    prospects: Sequence[Prospect],
    moment: Moment,
) -> list[Finding | None]:
    """Return what is known of each, in order; None where nobody said anything in time.

    Raises `TooMany` where the merchant has asked too often.
    """
    unknown: list[Finding | None] = [None] * len(prospects)
    if not prospects or not await questions.is_heard(actor, network):
        return unknown
    payments = [
        {"method": each.currency_id, "to": each.destination, "units": str(each.units)}
        for each in prospects
    ]
    try:
        answer = await questions.ask(
            actor,
            "destination",
            network,
            {"payments": payments},
            moment,
            more_seconds=MORE_SECONDS * len(payments),
        )
    except Unavailable:
        return unknown
    return _read(answer, unknown)


async def findings_of(
    questions: Questions,
    actor: Actor,
    network: str,
    prospects: Sequence[Prospect],
    moment: Moment,
    *,
    unchecked: bool,
) -> list[Finding | None]:
    """Return what a request is judged by: `UNHEARD` or `UNASKED` for what is not known.

    None where the operator takes it `unchecked`.
    """
    answers: Sequence[Finding | None] = [None] * len(prospects)
    silence = UNHEARD
    try:
        answers = await look(questions, actor, network, prospects, moment)
    except TooMany:
        silence = UNASKED  # told after the key was looked up: a replay is no question
    return [answer or (None if unchecked else silence) for answer in answers]


def _read(answer: dict[str, Any], unknown: list[Finding | None]) -> list[Finding | None]:
    if "fault" in answer:
        return unknown
    found = msgspec.convert(answer, _Answer).findings
    return found if len(found) == len(unknown) else unknown


def require_receiver(finding: Finding | None) -> None:
    """Refuse what the network says cannot receive, by the field that would have to change.

    Raises `Unavailable` for what it says nothing of, `TooMany` for what it was not asked.
    """
    if finding is UNASKED:
        raise TooMany(finding.detail)
    if finding is UNHEARD or finding is UNLOOKED:
        raise Unavailable(finding.detail, code=SILENT)
    if finding is not None and finding.refusal is not None:
        raise Invalid.field(f"/{finding.field}", finding.refusal, finding.detail)
