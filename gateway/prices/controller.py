"""Prices over HTTP, for any key."""

from datetime import timedelta

from litestar import Controller, get

from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, whole
from gateway.prices.documents import RateDocument, rate_document
from gateway.prices.service import newest
from gateway.settings import Settings


class RateController(Controller):
    """What coins are worth."""

    path = "/rates"

    @get("/", guards=[requires()])
    async def index(self, call: Call, settings: Settings) -> Page[RateDocument]:
        """List the newest price of every code in US dollars, and whether it is too old."""
        async with call.transaction() as session:
            prices = await newest(session, call.moment.at)
        oldest = call.moment.at - timedelta(seconds=settings.prices.max_age_seconds)
        return whole([rate_document(price, oldest) for price in prices])
