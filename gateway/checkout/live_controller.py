"""More of the public door: an invoice's moves as they come, and the receipt of what was paid."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Controller, Request, Response, get
from litestar.response import Stream

from gateway.checkout.controller import (
    FOR_EVERYBODY,
    Visit,
    css_link,
    page_response,
    provide_visit,
    refused_for_everybody,
    refused_page,
)
from gateway.checkout.documents import status_document
from gateway.checkout.frame import problem_page
from gateway.checkout.listeners import Listeners
from gateway.checkout.receipt import receipt_page
from gateway.checkout.service import opened, standing_of
from gateway.domain.errors import Refusal
from gateway.domain.moment import Moment
from gateway.http.wiring import parts_of
from gateway.invoices.documents import InvoiceDocument

HEARTBEAT_SECONDS = 15.0
"""Shorter than the patience of the usual proxies."""
BEATS_MAX = 40
"""After so many heartbeats the stream ends; a browser comes again by itself."""
RETRY_MILLISECONDS = 5000


class LiveController(Controller):
    """What happens to one invoice, for those who know its id."""

    path = "/i/{invoice_id:str}"
    include_in_schema = False
    dependencies = {"visit": provide_visit}  # noqa: RUF012 - Litestar reads it from the class

    @get("/events", exception_handlers={Refusal: refused_for_everybody})
    async def events(
        self, visit: Visit, listeners: Listeners, request: Request[Any, Any, Any]
    ) -> Stream:
        """Send the state whenever it changes (server-sent events), until it is final.

        Where too many listen the answer is 503: the state can be polled at `status`.
        """
        listeners.require_room(visit.invoice_id)
        return Stream(
            _moves(visit, listeners, parts_of(request).clock),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", **FOR_EVERYBODY},
        )

    @get("/receipt", exception_handlers={Refusal: refused_page})
    async def receipt(self, visit: Visit) -> Response[str]:
        """Show the receipt of a settled invoice."""
        async with visit.transaction() as session:
            checkout = await opened(session, visit.settings, visit.invoice_id, visit.moment.at)
        if checkout.invoice.status != "settled":
            page = problem_page(
                "There is no receipt yet", "The invoice is not paid.", css=css_link()
            )
            return page_response(page, HTTPStatus.CONFLICT)
        return page_response(receipt_page(checkout, css=css_link()), HTTPStatus.OK)


async def _moves(
    visit: Visit, listeners: Listeners, clock: Callable[[], Moment]
) -> AsyncIterator[bytes]:
    """Yield the state, then every other one; a comment as heartbeat where nothing has changed."""
    yield b"retry: %d\n\n" % RETRY_MILLISECONDS
    last = b""
    with listeners.joined(visit.invoice_id) as news:
        for _ in range(BEATS_MAX):
            news.clear()
            async with visit.transaction() as session:
                invoice = await standing_of(session, visit.settings, visit.invoice_id)
            now = clock().at
            body = msgspec.json.encode(status_document(invoice, now))
            yield b": still here\n\n" if body == last else b"event: status\ndata: %s\n\n" % body
            last = body
            if invoice.final:
                return
            try:
                async with asyncio.timeout(_patience(invoice, now)):
                    await news.wait()
            except TimeoutError:
                continue


def _patience(invoice: InvoiceDocument, now: datetime) -> float:
    """Return the seconds until the next look: the end of an invoice's time is a move that nobody makes."""
    left = (invoice.expires_at - now).total_seconds()
    return min(left, HEARTBEAT_SECONDS) if left > 0 else HEARTBEAT_SECONDS
