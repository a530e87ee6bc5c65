"""Who acts: one API key, or one person's session, on one request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network

from gateway.domain.errors import Forbidden

MERCHANT_SCOPES = frozenset(
    {
        "audit:read",
        "balances:read",
        "customers:read",
        "customers:write",
        "deposits:read",
        "events:read",
        "invoices:read",
        "invoices:write",
        "settings:read",
        "settings:write",
        "subscriptions:read",
        "subscriptions:write",
        "transfers:create",
        "webhooks:read",
        "webhooks:write",
        "withdrawals:approve",
        "withdrawals:create",
        "withdrawals:read",
    }
)
OPERATOR_SCOPES = frozenset(
    {
        "app_wallets:read",
        "approvals:read",
        "approvals:write",
        "deposits:read",
        "merchants:write",
        "pauses:read",
        "pauses:write",
        "unattributed:approve",
        "unattributed:read",
        "unattributed:resolve",
    }
)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a key may still ask: `left` of `quota` requests until `resets_in` seconds from now.

    `left` is below 0 on the request that is one too many.
    """

    quota: int
    left: int
    resets_in: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The session of a person; `token_hash` is SHA-256 of what was presented.

    With `factor_pending` it may do nothing but present the second factor.
    """

    id: str
    token_hash: bytes = field(repr=False)
    role: str
    factor_pending: bool
    stepped_up_at: datetime | None
    enrolled: bool = False
    """The person has a second factor."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A key and where its request came from; `merchant_id` is None on an operator's key.

    For a person `key_id` is the user's id, and `signed_in` the session.
    """

    key_id: str
    merchant_id: str | None
    scopes: frozenset[str]
    livemode: bool
    allowed_ips: tuple[str, ...] = ()
    merchant_ips: tuple[str, ...] = ()
    """Networks that the merchant allows, whoever calls."""
    suspended: bool = False
    """The merchant is: it may look and change nothing."""
    require_signature: bool = False
    public_key: bytes | None = None
    """Ed25519: who holds its private half signs this key's requests."""
    nonce_fresh: bool = True
    """False where a signed request came before."""
    signed: bool = False
    """This request carries the key's own signature."""
    budget: Budget | None = None
    address: str | None = None
    endpoint: str | None = None
    request_id: str | None = None
    signed_in: SignedIn | None = None

    @property
    def session_id(self) -> str | None:
        """Return the id of a person's session; None for a key."""
        return None if self.signed_in is None else self.signed_in.id

    @property
    def session(self) -> SignedIn:
        """Return the person's session; a key has none and is refused."""
        if self.signed_in is None:
            raise Forbidden("this is for people who signed in", code="session_required")
        return self.signed_in

    @property
    def tenant(self) -> str:
        """Return the merchant whose key this is; an operator's key has none and is refused."""
        if self.merchant_id is None:
            raise Forbidden("this needs a merchant's key", code="merchant_key_required")
        return self.merchant_id

    def sees(self, *, test: bool) -> bool:
        """Tell whether networks that are marked `test` (or are not) exist for this key."""
        return test != self.livemode


def may_come_from(address: str | None, allowed: Sequence[str]) -> bool:
    """Tell whether an address is in one of the allowed networks; an empty list allows all."""
    if not allowed:
        return True
    try:
        source = ip_address(address or "")
    except ValueError:
        return False
    if isinstance(source, IPv6Address) and source.ipv4_mapped:
        source = source.ipv4_mapped
    return any(source in ip_network(network, strict=False) for network in allowed)
