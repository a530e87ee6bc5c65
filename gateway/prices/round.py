"""One round over all sources: ask side by side, keep what each said, agree on a price.

A source that does not answer is left out of this round; the age of the price that was agreed on
takes a payment method out of service where that goes on too long.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

import aiohttp
import structlog
from sqlalchemy import delete

from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.models import PriceHistory
from gateway.prices.market import Demands, Quote, agreed, usable
from gateway.prices.service import record_quotes
from gateway.prices.source import Source, Unreadable

TIMEOUT_SECONDS = 10
BODY_BYTES_MAX = 4 * 2**20
KEPT = timedelta(days=90)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Market:
    """The sources, the codes whose prices are wanted, and what makes a price."""

    sources: Sequence[Source]
    codes: Sequence[str]
    demands: Demands


async def market_round(database: Database, market: Market, moment: Moment) -> None:
    """Ask every source, write what each said and what is agreed on."""
    async with aiohttp.ClientSession(trust_env=False) as session:
        answers = await asyncio.gather(
            *(_asked(session, source, market.codes, moment) for source in market.sources)
        )
    said = [
        quote
        for answer in answers
        for quote in answer
        if usable(quote, moment.at, market.demands.max_age)
    ]
    prices = []
    for code in market.codes:
        price = agreed((q for q in said if q.code == code), moment.at, market.demands)
        if price is None:
            log.warning("no price", code=code, sources=_told(said, code))
        else:
            prices.append(price)
    async with database.unit_of_work(CROSS_TENANT) as unit:
        await record_quotes(unit, said, agreed=False)
        await record_quotes(unit, prices, agreed=True)
        await unit.execute(delete(PriceHistory).where(PriceHistory.at < moment.at - KEPT))


def _told(said: Sequence[Quote], code: str) -> dict[str, str]:
    return {quote.source: str(quote.price) for quote in said if quote.code == code}


async def _asked(
    session: aiohttp.ClientSession, source: Source, codes: Sequence[str], moment: Moment
) -> list[Quote]:
    request = source.request(codes)
    if request is None:
        return []
    try:
        async with session.get(
            request.url,
            params=dict(request.params),
            headers=dict(request.headers),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
        ) as response:
            body = await _body(response)
        return source.read(body, codes, moment.at)
    except (aiohttp.ClientError, TimeoutError, OSError, Unreadable) as trouble:
        log.warning("price source", source=source.name, reason=str(trouble)[:200])
        return []


async def _body(response: aiohttp.ClientResponse) -> bytes:
    if response.status != HTTPStatus.OK:
        raise Unreadable(f"status {response.status}")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise Unreadable(f"more than {BODY_BYTES_MAX} bytes")
    return bytes(body)
