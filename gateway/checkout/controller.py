"""The public door: the page of an invoice, its state for programs, and choosing how to pay."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import msgspec
from litestar import Controller, MediaType, Request, Response, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, Parameter
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses.service import AddressUnverified, alarm
from gateway.checkout.branding import COLOR_PATH, color_sheet, image_sources
from gateway.checkout.documents import status_document
from gateway.checkout.following import script_policy
from gateway.checkout.frame import problem_page
from gateway.checkout.page import checkout_page, follows
from gateway.checkout.service import opened, payer_of, standing_of
from gateway.checkout.visitors import Visitors
from gateway.checkout.words import sentence
from gateway.db import Database
from gateway.domain.actor import Actor
from gateway.domain.errors import NotFound, Refusal, TooMany
from gateway.domain.moment import Moment
from gateway.http.errors import HANDLERS, REQUEST_ID
from gateway.invoices.activation import choose
from gateway.invoices.repository import locked
from gateway.settings import Settings

CSS_PATH = "/i/checkout.css"
A_YEAR_SECONDS = 31_536_000
POLICY = "Content-Security-Policy"
HEADERS = {
    POLICY: (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
FOR_EVERYBODY = {"Access-Control-Allow-Origin": "*"}
"""A shop's own page may follow an invoice: who knows its id may see it, and no cookie is read."""
REFUSED_FOR_EVERYBODY = {**FOR_EVERYBODY, "Access-Control-Expose-Headers": "Retry-After"}
"""It may also read when to come again."""
Method = Annotated[str | None, Parameter(max_length=64)]


class Choice(msgspec.Struct):
    """The form of the page; without a method it chooses one that no invoice has."""

    payment_method: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """One look at one invoice, by somebody who knows its id."""

    database: Database
    settings: Settings
    moment: Moment
    payer: Actor
    invoice_id: str

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open a transaction inside the invoice's tenant; an altered address raises the alarm."""
        async with (
            alarm(self.database, self.payer, self.moment),
            self.database.unit_of_work(self.payer.tenant) as session,
        ):
            yield session

    async def page(
        self, *, wanted: str | None = None, refusal: Refusal | None = None
    ) -> Response[str]:
        """Answer with the invoice's page, and with a line about what was refused."""
        async with self.transaction() as session:
            checkout = await opened(session, self.settings, self.invoice_id, self.moment.at)
        notice = None if refusal is None else _notice(refusal)
        page = checkout_page(checkout, css=css_link(), wanted=wanted, notice=notice)
        status = HTTPStatus.OK if refusal is None else refusal.status
        images = image_sources(checkout.brand)
        return page_response(page, status, images=images, scripted=follows(checkout))


async def provide_visit(
    request: Request[Any, Any, Any],
    database: Database,
    settings: Settings,
    moment: Moment,
    *,
    visitors: Visitors,
    invoice_id: str,
) -> Visit:
    """Find out whose invoice it is; 404 where there is none, 429 to who asks too often."""
    scope: Mapping[str, Any] = request.scope
    address = request.client.host if request.client else None
    visitors.admit(address, moment.at)
    payer = replace(
        await payer_of(database, invoice_id),
        address=address,
        endpoint=f"{request.method} {scope['path']}",
        request_id=scope[REQUEST_ID],
    )
    return Visit(database, settings, moment, payer, invoice_id)


def refused_page(_: Request[Any, Any, Any], refusal: Refusal) -> Response[str]:
    """Tell a refusal to a person, not to a program."""
    title = {
        HTTPStatus.NOT_FOUND: "There is no such invoice",
        HTTPStatus.CONFLICT: "This is not possible any more",
        HTTPStatus.TOO_MANY_REQUESTS: "Too many at once: please wait a little",
    }.get(HTTPStatus(refusal.status), "This page cannot be shown now")
    nowhere = isinstance(refusal, NotFound)
    detail = "please check the link, or ask the shop for it" if nowhere else refusal.detail
    page = page_response(problem_page(title, sentence(detail), css=css_link()), refusal.status)
    if isinstance(refusal, TooMany):
        page.headers["Retry-After"] = str(refusal.retry_after_seconds)
    return page


def refused_for_everybody(request: Request[Any, Any, Any], refusal: Refusal) -> Response[Any]:
    """Tell a refusal to a program, a shop's page in a browser among them."""
    answer = HANDLERS[Refusal](request, refusal)
    answer.headers.update(REFUSED_FOR_EVERYBODY)
    return answer


class StyleController(Controller):
    """The style sheet of the pages."""

    path = CSS_PATH
    include_in_schema = False

    @get("/")
    async def show(self) -> Response[str]:
        """Serve it; its address changes with its content."""
        return Response(
            _css(),
            media_type="text/css",
            headers={"Cache-Control": f"public, max-age={A_YEAR_SECONDS}, immutable"},
        )


class ColorController(Controller):
    """The style sheet of a merchant's own colour."""

    path = COLOR_PATH
    include_in_schema = False

    @get("/{name:str}")
    async def show(self, name: str) -> Response[str]:
        """Serve it; its address says what is in it."""
        sheet = color_sheet(name)
        if sheet is None:
            raise NotFound("there is no such colour")
        return Response(
            sheet,
            media_type="text/css",
            headers={"Cache-Control": f"public, max-age={A_YEAR_SECONDS}, immutable"},
        )


class CheckoutController(Controller):
    """What a payer sees of one invoice. Whoever knows its id may see it."""

    path = "/i/{invoice_id:str}"
    include_in_schema = False
    dependencies = {"visit": provide_visit}  # noqa: RUF012 - Litestar reads it from the class

    @get("/", exception_handlers={Refusal: refused_page})
    async def show(self, visit: Visit, method: Method = None) -> Response[str]:
        """Show the page."""
        return await visit.page(wanted=method)

    @get("/status", exception_handlers={Refusal: refused_for_everybody})
    async def status(self, request: Request[Any, Any, Any], visit: Visit) -> Response[bytes]:
        """Tell the state to a program; `If-None-Match` with the last `ETag` answers 304."""
        async with visit.transaction() as session:
            invoice = await standing_of(session, visit.settings, visit.invoice_id)
        body = msgspec.json.encode(status_document(invoice, visit.moment.at))
        etag = f'"{sha256(body).hexdigest()[:32]}"'
        headers = {"ETag": etag, "Cache-Control": "no-cache", **FOR_EVERYBODY}
        if request.headers.get("If-None-Match") == etag:
            return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(body, media_type=MediaType.JSON, headers=headers)

    @post("/choose", status_code=303, exception_handlers={Refusal: refused_page})
    async def choose(
        self,
        visit: Visit,
        data: Annotated[Choice, Body(media_type=RequestEncodingType.URL_ENCODED)],
    ) -> Response[str]:
        """Give the chosen method its address and show it; a refusal is told on the page.

        No token guards the form: all it can do is have an address assigned.
        """
        method = data.payment_method
        try:
            async with visit.transaction() as session:
                invoice = await locked(session, visit.invoice_id)
                await choose(session, visit.settings, invoice, method, visit.moment)
        except AddressUnverified:
            raise
        except Refusal as refusal:
            return await visit.page(refusal=refusal)
        there = {"Location": f"/i/{visit.invoice_id}?method={method}"}
        return Response("", status_code=HTTPStatus.SEE_OTHER, headers=there)


def _notice(refusal: Refusal) -> str:
    if isinstance(refusal, NotFound):
        return "This invoice cannot be paid in this way."
    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
        return "This way to pay is not available at the moment. Please choose another one."
    return sentence(refusal.detail)


def page_response(
    page: str, status: int, *, images: str = "", scripted: bool = False
) -> Response[str]:
    """Send a page with what browsers must keep to; `images` are further sources of pictures.

    A page that follows its invoice may run the one script that does it.
    """
    policy = HEADERS[POLICY].replace("img-src 'self' data:", f"img-src 'self' data:{images}")
    if scripted:
        policy = f"{policy}; {script_policy()}"
    headers = {**HEADERS, POLICY: policy}
    return Response(page, status_code=status, media_type=MediaType.HTML, headers=headers)


@lru_cache(maxsize=1)
def _css() -> str:
    return (Path(__file__).parent / "checkout.css").read_text()


def css_link() -> str:
    """Return the address of the style sheet as it is now."""
    return f"{CSS_PATH}?v={sha256(_css().encode()).hexdigest()[:12]}"
