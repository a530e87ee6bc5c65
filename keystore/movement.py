"""What an intent does to the house's money, told from its addresses and not from its word. Pure.

A payout leaves the house. Every other kind moves money inside it, or to a cold address that the
policy lists; where its addresses do not fit a kind it is refused, with and without a policy.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, assert_never

import msgspec

from keystore.derivation import INDEX_END
from keystore.intents import (
    EthereumIntent,
    Intent,
    SolanaAdvanceIntent,
    SolanaIntent,
    SolanaSweepIntent,
    TronIntent,
    TronResourceIntent,
)
from keystore.networks.scheme import whole
from keystore.refusal import Refused
from keystore.shapes import Purpose

Kind = Literal[
    "payout", "sweep", "top_up", "refill", "cold", "cancel", "stake", "resource", "nonce"
]
"""Hot to somebody else; pool to hot; gas to pool; hot to gas or gas to hot; hot to a listed cold
address; nothing to the sender itself, or a nonce advanced for nothing; the gas wallet's TRX, and
the energy that they yield; a nonce account of the hot wallet."""

SOURCES_MAX = 10
"""More signers than a Solana transaction of 1,232 bytes holds."""
_POOL = re.compile(r"pool/(0|[1-9][0-9]{0,9})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """A wallet of the house: `index` is its place in the pool, 0 for hot and gas."""

    purpose: Purpose
    index: int = 0


HOT, GAS = Source("hot"), Source("gas")


class House(msgspec.Struct, frozen=True):
    """The addresses that one network's intents may name."""

    hot: str
    gas: str
    own: frozenset[str]
    """Hot, gas and what else is ours and never a destination."""
    pool: Callable[[int], str]
    """The address at a place of the pool, derived from the seed."""

    def address(self, source: Source) -> str:
        """Return the address of a source."""
        if source.purpose == "pool":
            return self.pool(source.index)
        return self.hot if source.purpose == "hot" else self.gas


class Movement(msgspec.Struct, frozen=True):
    """An intent understood. `units` leave `source`; lent energy moves none.

    `signers` are the wallets whose keys sign; the first pays the network. `sender` is its address.
    """

    kind: Kind
    source: Purpose
    signers: tuple[Source, ...]
    sender: str
    asset: str
    to: str
    units: int


Cold = Callable[[str, str], bool]
"""Whether the policy lists this asset's destination for the house's own money."""


def source_of(text: str) -> Source:
    """Read `hot`, `gas` or `pool/INDEX` in its one spelling; raise `Refused` (`bad_source`)."""
    if text == "hot":
        return HOT
    if text == "gas":
        return GAS
    found = _POOL.fullmatch(text)
    if found is None or int(found[1]) >= INDEX_END:
        raise Refused("bad_source", "source: neither hot, gas nor pool/INDEX")
    return Source("pool", int(found[1]))


def understood(intent: Intent, house: House, cold: Cold) -> Movement:
    """Return what the intent does.

    Raises `Refused`: `bad_source`, `not_our_pool_address`, `own_destination`, `bad_amount`,
    `bad_field`, `too_large`.
    """
    match intent:
        case EthereumIntent() | TronIntent():
            return _paid(intent, source_of(intent.source), intent.pool_index, house, cold)
        case SolanaIntent():
            return _paid(intent, HOT, None, house, cold)
        case TronResourceIntent():
            return _lent(intent, house)
        case SolanaSweepIntent():
            return _swept(intent, house)
        case SolanaAdvanceIntent():
            return Movement("cancel", "hot", (HOT,), house.hot, "native", house.hot, 0)
        case _:
            assert_never(intent)


def _paid(
    intent: EthereumIntent | TronIntent | SolanaIntent,
    source: Source,
    pool_index: int | None,
    house: House,
    cold: Cold,
) -> Movement:
    units = whole(intent.units, "units", bits=256)
    sender = house.address(source)
    kind: Kind
    if isinstance(intent, EthereumIntent) and _cancels(intent, sender):
        kind = "cancel"
    elif units == 0:
        raise Refused("bad_amount", "units: must be above 0")
    elif pool_index is not None:
        kind = _top_up(intent, source, pool_index, house)
    else:
        kind = _by_ends(intent, source, house, cold)
    return Movement(kind, source.purpose, (source,), sender, intent.asset, intent.to, units)


def _cancels(intent: EthereumIntent, sender: str) -> bool:
    nothing = intent.asset == "native" and intent.units == "0"
    return nothing and intent.to == sender and intent.pool_index is None


def _top_up(
    intent: EthereumIntent | TronIntent | SolanaIntent,
    source: Source,
    pool_index: int,
    house: House,
) -> Kind:
    if source != GAS or intent.asset != "native":
        raise Refused("bad_source", "pool_index: only gas tops up, and only the network's coin")
    _require_pool(house, pool_index, intent.to, "to")
    return "top_up"


def _by_ends(
    intent: EthereumIntent | TronIntent | SolanaIntent,
    source: Source,
    house: House,
    cold: Cold,
) -> Kind:
    if source == HOT:
        if intent.to == house.gas and intent.asset == "native":
            return "refill"
        if intent.to in house.own:
            raise Refused("own_destination", "to: is an application wallet of this keystore")
        return "cold" if cold(intent.asset, intent.to) else "payout"
    if intent.to != house.hot:
        raise Refused("bad_source", f"source: {source.purpose} pays the hot wallet and nobody")
    return "sweep" if source.purpose == "pool" else "refill"


def _lent(intent: TronResourceIntent, house: House) -> Movement:
    units = whole(intent.units, "units", bits=63)
    if units == 0:
        raise Refused("bad_amount", "units: must be above 0")
    if intent.action != "stake":
        _require_pool(house, intent.pool_index, intent.to, "to")
    elif intent.to or intent.pool_index is not None:
        raise Refused("bad_field", "to, pool_index: empty for a stake")
    kind: Kind = "stake" if intent.action == "stake" else "resource"
    moved = units if kind == "stake" else 0
    return Movement(kind, "gas", (GAS,), house.gas, "native", intent.to, moved)


def _swept(intent: SolanaSweepIntent, house: House) -> Movement:
    if len(intent.sources) > SOURCES_MAX:
        raise Refused("too_large", f"sources: more than {SOURCES_MAX} never fit a transaction")
    if not intent.sources:
        raise Refused("bad_field", "sources: at least one")
    if len({each.index for each in intent.sources}) != len(intent.sources):
        raise Refused("bad_field", "sources: one of them twice")
    units = 0
    for place, each in enumerate(intent.sources):
        amount = whole(each.units, f"sources.{place}.units", bits=64)
        if amount == 0:
            raise Refused("bad_amount", f"sources.{place}.units: must be above 0")
        _require_pool(house, each.index, each.address, f"sources.{place}.address")
        units += amount
    signers = (HOT, *(Source("pool", each.index) for each in intent.sources))
    to = _gathered_at(intent) or house.hot
    return Movement("sweep", "pool", signers, house.hot, intent.asset, to, units)


def _gathered_at(intent: SolanaSweepIntent) -> str | None:
    """Return whose canonical account the tokens of another of his reach; None for the hot wallet's."""
    beside = [each.address for each in intent.sources if each.account]
    if not beside:
        return None
    if intent.asset == "native" or len(intent.sources) > 1:
        raise Refused("bad_field", "sources: an account beside the canonical one goes alone")
    return beside[0]


def _require_pool(house: House, index: int | None, address: str, field: str) -> None:
    """Raise `Refused` unless the keystore itself derives this address at this place."""
    if index is None or not 0 <= index < INDEX_END or house.pool(index) != address:
        raise Refused("not_our_pool_address", f"{field}: not the pool's address at that index")
