"""Who acts: one API key on one request."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from gateway.domain.errors import Forbidden

MERCHANT_SCOPES = frozenset(
    {
        "balances:read",
        "deposits:read",
        "events:read",
        "invoices:read",
        "invoices:write",
        "settings:read",
        "settings:write",
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
class Actor:
    """A key and where its request came from; `merchant_id` is None on an operator's key."""

    key_id: str
    merchant_id: str | None
    scopes: frozenset[str]
    livemode: bool
    allowed_ips: tuple[str, ...] = ()
    budget: Budget | None = None
    address: str | None = None
    endpoint: str | None = None
    request_id: str | None = None

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
