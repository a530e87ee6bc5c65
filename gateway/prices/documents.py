"""What the world sees of prices."""

from datetime import datetime

import msgspec

from gateway.domain.money import plain
from gateway.models import PriceHistory


class RateDocument(msgspec.Struct, kw_only=True):
    """Worth of one whole coin; with a `stale` one no invoice is made."""

    object: str
    code: str
    quote: str
    price: str
    source: str
    at: datetime
    stale: bool


def rate_document(price: PriceHistory, oldest: datetime) -> RateDocument:
    """Shape one price; what is older than `oldest` is stale."""
    return RateDocument(
        object="rate",
        code=price.code,
        quote=price.quote,
        price=plain(price.price),
        source=price.source,
        at=price.at,
        stale=price.at < oldest,
    )
