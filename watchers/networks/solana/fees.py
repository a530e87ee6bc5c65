"""Pure: compute unit limits and prices, and the lamports they come to."""

from collections.abc import Sequence

SIGNATURE_LAMPORTS = 5_000
# A local node used 600, 555 and up to 21 600 units; older token programs take ten times the
# second. A limit too low burns the nonce and pays nobody, hence the room.
UNITS_NATIVE = 5_000
UNITS_ADVANCE = 2_000
UNITS_TOKEN = 60_000
UNITS_TOKEN_AND_ACCOUNT = 150_000
# Micro-lamports per unit. The floor keeps a payment ahead of those that offer nothing.
PRICE_MIN = 1_000
PRICE_MAX = 1_000_000

_MICRO = 1_000_000


def unit_price(recent: Sequence[int]) -> int:
    """Return the price to offer, micro-lamports per unit: 75th percentile within our bounds."""
    if not recent:
        return PRICE_MIN
    rank = -(-3 * len(recent) // 4)
    return min(PRICE_MAX, max(PRICE_MIN, sorted(recent)[rank - 1]))


def lamports(limit: int, price: int) -> int:
    """Return what one signature and the priority cost; the chain rounds a fraction up."""
    return SIGNATURE_LAMPORTS + -(-limit * price // _MICRO)
