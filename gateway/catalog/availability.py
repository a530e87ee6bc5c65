"""What makes a payment method available; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.models import Currency, Network, NetworkHealth

POOL_EMPTY = "pool_empty"
NETWORK_LAGGING = "network_lagging"
PRICE_STALE = "price_stale"
ASSET_SUSPENDED = "asset_suspended"
"""The token changed, or is none that may be listed: an operator has to look at it."""
ASSET_PAUSED = "asset_paused"
"""The token's issuer has stopped its transfers."""
SUSPENDING = {"changed": ASSET_SUSPENDED, "refused": ASSET_SUSPENDED, "paused": ASSET_PAUSED}
"""Which causes of a hold take a method out of the offer; a drift holds payouts alone."""


@dataclass(frozen=True, slots=True)
class MethodAvailability:
    """One currency on one network; `reason` is None exactly where it can be paid with now."""

    currency: Currency
    network: Network
    reason: str | None

    @property
    def available(self) -> bool:
        """Tell whether an invoice may offer it now."""
        return self.reason is None


def is_lagging(health: NetworkHealth | None, at: datetime, lag_seconds_max: int) -> bool:
    """Tell whether a watcher is silent, in trouble, or its node behind the world."""
    if health is None or health.trouble is not None:
        return True
    oldest = at - timedelta(seconds=lag_seconds_max)
    return health.updated_at < oldest or (
        health.head_time is not None and health.head_time < oldest
    )
