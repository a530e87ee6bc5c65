"""What a merge took in: how the journal marks it, and which rules it counts under. Pure.

Signed bytes do not say which rule let them go. So a merged payment stands under a rule's name that
no policy's rule decides by: nobody raises its fee, for the ceiling that people approved is not
known any more, and a cancel goes under any rule of its network that bounds fees.
"""

from typing import get_args

from keystore.intents import Intent
from keystore.movement import Kind, source_of
from keystore.policy import speaks_of
from keystore.rules import Payment, Rule
from keystore.shapes import Purpose

KINDS: tuple[Kind, ...] = get_args(Kind)
_SOURCES: dict[Kind, Purpose] = {"sweep": "pool", "stake": "gas", "resource": "gas"}
"""Where an intent does not say what it is paid from; elsewhere it is `hot`."""


def mark(kind: Kind) -> str:
    """Return what stands in the place of a rule's name."""
    return f"#merged/{kind}"


def may_be_of(rule: Rule, kind: Kind, intent: Intent) -> bool:
    """Tell whether a rule may have let this payment go, whatever its amount and its approvals."""
    said = source_of(getattr(intent, "source", "hot")).purpose
    payment = Payment(
        network=intent.network,
        asset=getattr(intent, "asset", "native"),
        to=getattr(intent, "to", ""),
        units=0,
        fee=0,
        counted=0,
        kind=kind,
        source=_SOURCES.get(kind, said),
    )
    return speaks_of(rule, payment)
