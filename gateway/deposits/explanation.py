"""What the world sees of why a transaction was or was not credited."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from gateway.domain.errors import Invalid


class GateDocument(msgspec.Struct, kw_only=True):
    """One question on the way to a balance, its answer and the facts behind it."""

    gate: str
    answer: Literal["yes", "no", "unknown"]
    detail: str
    evidence: dict[str, Any]


class ExplainedTransferDocument(msgspec.Struct, kw_only=True):
    """One transfer of the transaction; `units` in base units, `asset` as its chain names it."""

    kind: str
    position: int
    asset: str
    payment_method: str | None
    to: str
    units: str
    deposit_id: str | None
    status: str | None
    reason: str | None
    verdict: str
    gates: list[GateDocument]


class ExplanationDocument(msgspec.Struct, kw_only=True):
    """`gates` are the transaction's and those of its furthest transfer to you.

    `verdict` is `credited`, `waiting`, `unattributed`, `refunded`, `internal`, `not_credited` or
    `unknown`; `reason` names the first gate that is not open.
    """

    network: str
    tx: str
    height: int | None
    verdict: str
    reason: str
    gates: list[GateDocument]
    transfers: list[ExplainedTransferDocument]


def explanation_document(answer: Mapping[str, Any]) -> ExplanationDocument:
    """Read a watcher's answer; raise `Invalid` where the watcher calls the hash none."""
    if "fault" in answer:
        raise Invalid.field("/tx", "invalid_transaction", str(answer["fault"]))
    return msgspec.convert(answer["explanation"], ExplanationDocument)
