"""policy.toml -> `Policy`. Read once at start; a bad line stops the process and is named.

The file belongs to an operator and not to the gateway: whoever may write it decides what leaves.
"""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec

from keystore.approvals import APPROVALS_MAX, Approver, Passkey, ed25519_key, p256_key
from keystore.networks.scheme import whole
from keystore.refusal import Refused, Unfit
from keystore.rules import Policy, Rule, Window
from keystore.shapes import Class, Purpose

HOURS_MAX = 24 * 366
Text = Annotated[str, msgspec.Meta(max_length=64)]
"""A name. With the bounds below, a published rule fits its line."""
Place = Annotated[str, msgspec.Meta(max_length=64, pattern=r"\A[0-9A-Za-z]+\Z")]
"""An address, a contract or a mint."""
Places = Annotated[list[Place], msgspec.Meta(max_length=100)]
Names = Annotated[list[Text], msgspec.Meta(max_length=20)]


class _Approver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[approvers]]`: `key` is Ed25519, `passkey` a P-256 point, both in hex."""

    name: Text
    key: str | None = None
    passkey: str | None = None
    relying_party: str | None = None
    origin: str | None = None
    subject: Text = ""
    subjects: Annotated[list[Text], msgspec.Meta(max_length=3)] = []
    merchant: Text | None = None


class _Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`window = { hours = 24, units = "..." }`."""

    hours: int
    units: str


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"kind": "class"}):
    """One `[[rules]]`, its amounts as decimal strings in base units."""

    name: Annotated[Text, msgspec.Meta(min_length=1, pattern=r"\A[^#]")]
    kind: Class
    networks: list[str] = []
    assets: Places = []
    destinations: list[Place] = []
    sources: list[Purpose] = []
    units_max: str | None = None
    window: _Window | None = None
    fee_max: str | None = None
    fee_window: _Window | None = None
    approvals: int = 0
    approvers: Names = []


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    approvers: list[_Approver] = []
    rules: list[_Rule] = []


def load(path: Path, networks: frozenset[str]) -> Policy:
    """Read and check the policy; `networks` are those of the settings.

    Raises `Unfit` with a line such as `policy.toml: rules.3.units_max: ...`.
    """
    try:
        content = _read(path)
        document = msgspec.convert(tomllib.loads(content.decode()), _File)
        approvers = _approvers(document.approvers)
        rules = tuple(
            _rule(f"rules.{place}", rule, approvers, networks)
            for place, rule in enumerate(document.rules, start=1)
        )
    except OSError as trouble:
        raise Unfit(f"{path.name}: cannot be read: {trouble.strerror}") from trouble
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as fault:
        raise Unfit(f"{path.name}: {fault}") from fault
    except Unfit as fault:
        raise Unfit(f"{path.name}: {fault}") from fault
    _require_order(path.name, rules)
    return Policy(rules, approvers, hashlib.sha256(content).hexdigest())


def _read(path: Path) -> bytes:
    if path.stat().st_mode & 0o022:
        raise Unfit("may be written by others; chmod 644 it or less")
    return path.read_bytes()


def _require_order(name: str, rules: tuple[Rule, ...]) -> None:
    last = rules[-1] if rules else None
    if last is None or last.kind != "block" or _selects(last):
        raise Unfit(f'{name}: rules: the last one must be class = "block" for everything')
    names = [rule.name for rule in rules]
    if len(set(names)) != len(names):
        raise Unfit(f"{name}: rules: two have the same name, and limits are counted by it")
    cold = frozenset().union(*(rule.destinations for rule in rules if rule.kind == "sweep"))
    for place, rule in enumerate(rules, start=1):
        if rule.kind not in {"sweep", "block"} and rule.destinations & cold:
            raise Unfit(
                f'{name}: rules.{place}.destinations: one is a cold address of a class = "sweep"'
            )


def _selects(rule: Rule) -> bool:
    return bool(
        rule.networks
        or rule.assets
        or rule.destinations
        or rule.sources
        or rule.units_max is not None
        or rule.window
    )


def _approvers(listed: list[_Approver]) -> dict[str, Approver]:
    known: dict[str, Approver] = {}
    proofs: set[bytes] = set()
    for place, each in enumerate(listed, start=1):
        key = f"approvers.{place}"
        if not each.name or each.name in known:
            raise Unfit(f"{key}.name: must be there once")
        approver = Approver(each.name, _proof(key, each), _subjects(each), each.merchant)
        if approver.public_key in proofs:
            raise Unfit(f"{key}: the same key as another approver: one person, one voice")
        proofs.add(approver.public_key)
        known[each.name] = approver
    return known


def _subjects(each: _Approver) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in (each.subject, *each.subjects) if text))


def _proof(key: str, each: _Approver) -> Any:
    if (each.key is None) == (each.passkey is None):
        raise Unfit(f"{key}: exactly one of key and passkey")
    try:
        if each.key is not None:
            return ed25519_key(each.key)
        point = p256_key(each.passkey or "")
    except ValueError as fault:
        raise Unfit(f"{key}: not a public key in hex: {fault}") from fault
    if not each.relying_party or not each.origin:
        raise Unfit(f"{key}: a passkey needs relying_party and origin")
    return Passkey(point, each.relying_party, each.origin)


def _rule(
    key: str, rule: _Rule, approvers: dict[str, Approver], networks: frozenset[str]
) -> Rule:
    for name in rule.networks:
        if name not in networks:
            raise Unfit(f"{key}.networks: {name!r} is not in the settings")
    for name in rule.approvers:
        if name not in approvers:
            raise Unfit(f"{key}.approvers: {name!r} is not an approver")
        if rule.kind == "approved" and not approvers[name].subjects:
            raise Unfit(f"{key}.approvers: {name!r} has no subject: he could approve his own")
    read = Rule(
        name=rule.name,
        kind=rule.kind,
        networks=frozenset(rule.networks),
        assets=frozenset(map(_spelled, rule.assets)),
        destinations=frozenset(map(_spelled, rule.destinations)),
        units_max=_amount(f"{key}.units_max", rule.units_max),
        window=_window(f"{key}.window", rule.window),
        fee_max=_amount(f"{key}.fee_max", rule.fee_max),
        fee_window=_window(f"{key}.fee_window", rule.fee_window),
        approvals=rule.approvals,
        approvers=frozenset(rule.approvers),
        sources=frozenset(rule.sources),
    )
    _require_whole(key, read)
    return read


def _require_whole(key: str, rule: Rule) -> None:
    """Refuse a rule that would let money out without the guard that its class promises."""
    if rule.kind == "block":
        return
    if rule.fee_max is None:
        raise Unfit(f"{key}.fee_max: without it the fee could take everything")
    if rule.kind in {"automatic", "sweep"} and rule.fee_window is None:
        raise Unfit(f"{key}.fee_window: without it many fees could take everything")
    if len(rule.networks) != 1:
        raise Unfit(f"{key}.networks: exactly one: fees are in its base units")
    if (rule.units_max is not None or rule.window is not None) and len(rule.assets) != 1:
        raise Unfit(f"{key}.assets: exactly one where there is an amount: units differ")
    _require_moves(key, rule)
    if rule.kind == "sweep":
        return
    if rule.kind == "automatic" and (rule.units_max is None or rule.window is None):
        raise Unfit(f"{key}: automatic payments need units_max and a window")
    if rule.kind == "automatic" and rule.approvals:
        raise Unfit(f'{key}.approvals: class = "approved" counts them')
    most = min(len(rule.approvers), APPROVALS_MAX)
    if rule.kind != "automatic" and not 1 <= rule.approvals <= most:
        raise Unfit(f"{key}.approvals: must lie between 1 and the number of approvers")


def _require_moves(key: str, rule: Rule) -> None:
    """Refuse what only the house's own movements have, and what they have not."""
    if rule.kind != "sweep":
        if rule.sources:
            raise Unfit(f'{key}.sources: class = "sweep" names them: payouts leave hot')
        return
    if rule.approvals or rule.approvers:
        raise Unfit(f'{key}.approvals: class = "sweep" asks nobody')
    if rule.destinations and rule.sources and "hot" not in rule.sources:
        raise Unfit(f'{key}.destinations: what goes to a cold address leaves "hot"')


def _window(key: str, window: _Window | None) -> Window | None:
    if window is None:
        return None
    if not 1 <= window.hours <= HOURS_MAX:
        raise Unfit(f"{key}.hours: must lie between 1 and {HOURS_MAX}")
    units = _amount(f"{key}.units", window.units)
    return Window(window.hours, units or 0)


def _amount(key: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return whole(text, key, bits=256)
    except Refused as fault:
        raise Unfit(fault.message) from fault


def _spelled(text: str) -> str:
    """Return an address as intents spell it: hex in lower case, base58 as it stands."""
    return text.lower() if text.startswith(("0x", "0X")) else text
