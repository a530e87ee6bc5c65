"""Whether a token may be listed, and whether it is still the one that was: pure rules, one socket."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

FEE_ON_TRANSFER = "fee_on_transfer"
EXTENSION = "extension:"
"""Beginning of a finding about a Token-2022 extension; its name follows."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about an asset that a person should know; `refuses` keeps it from being listed."""

    code: str
    text: str
    refuses: bool = True


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a chain says about a contract or mint.

    `fingerprint` names what decides how it behaves (code, implementation, authorities) and must
    not change unseen. `frozen` are those of the asked addresses that its issuer has frozen.
    """

    decimals: int | None
    fingerprint: Mapping[str, str]
    findings: Sequence[Finding] = ()
    paused: bool = False
    frozen: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Terms:
    """What the configuration pins and what it accepts."""

    decimals: int
    fee_on_transfer: bool = False
    allowed_extensions: frozenset[str] = frozenset()


class AssetInspector(Protocol):
    """Looks at tokens of one network."""

    async def inspect(self, asset: str, holders: Sequence[str]) -> Inspection:
        """Look at a contract or mint and at whether it has frozen any of `holders`."""
        ...


def judged(inspection: Inspection, terms: Terms) -> list[Finding]:
    """Return what speaks against an asset under these terms; what they accept only warns."""
    findings = [_under(finding, terms) for finding in inspection.findings]
    if inspection.decimals is None:
        return [Finding("decimals", "it does not say its decimals"), *findings]
    if inspection.decimals != terms.decimals:
        text = f"it has {inspection.decimals} decimals, the configuration {terms.decimals}"
        return [Finding("decimals", text), *findings]
    return findings


def _under(finding: Finding, terms: Terms) -> Finding:
    name = finding.code.removeprefix(EXTENSION)
    accepted = (finding.code == FEE_ON_TRANSFER and terms.fee_on_transfer) or (
        finding.code.startswith(EXTENSION) and name in terms.allowed_extensions
    )
    return replace(finding, refuses=False) if accepted else finding


def refusals(findings: Sequence[Finding]) -> str:
    """Join what refuses an asset; empty where nothing does."""
    return "; ".join(f"{each.code}: {each.text}" for each in findings if each.refuses)


def changes(decimals: int, fingerprint: Mapping[str, str], now: Inspection) -> str:
    """Say what is no longer as it was when the asset was accepted; empty where all is."""
    parts = []
    if now.decimals != decimals:
        parts.append(f"decimals were {decimals} and are {now.decimals}")
    for name in sorted(fingerprint.keys() | now.fingerprint.keys()):
        before, after = fingerprint.get(name, "none"), now.fingerprint.get(name, "none")
        if before != after:
            parts.append(f"{name} was {before} and is {after}")
    return "; ".join(parts)
