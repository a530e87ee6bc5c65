"""Subscriptions over HTTP, for the merchant's keys."""

from collections.abc import Awaitable, Callable

from litestar import Controller, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.http.parts import given
from gateway.invoices.service import Desk
from gateway.paging import PageRequest
from gateway.settings import Settings
from gateway.subscriptions import service
from gateway.subscriptions.documents import (
    PeriodDocument,
    SubscriptionDocument,
    period_document,
    subscription_document,
)
from gateway.subscriptions.package_controller import desk_of
from gateway.subscriptions.repository import (
    cursor_of,
    period_page,
    subscription_of,
    subscription_page,
)
from gateway.subscriptions.schemas import (
    CancelSubscription,
    ChangePlan,
    CreateSubscription,
    IdParameter,
    Status,
)

Act = Callable[[Desk], Awaitable[SubscriptionDocument]]


async def provide_subscription_filter(
    customer_id: IdParameter = None,
    package_id: IdParameter = None,
    status: Status | None = None,
) -> dict[str, str]:
    """Read the filters of a list."""
    given = {"customer_id": customer_id, "package_id": package_id, "status": status}
    return {name: value for name, value in given.items() if value is not None}


class SubscriptionController(Controller):
    """Customers who are billed period by period."""

    path = "/subscriptions"
    dependencies = {"wanted": provide_subscription_filter}  # noqa: RUF012 - Litestar's way

    @post("/", guards=[requires("subscriptions:write")])
    async def create(
        self, call: Call, settings: Settings, data: CreateSubscription
    ) -> Response[SubscriptionDocument]:
        """Make a customer a member of a package; its first invoice follows at once."""

        async def work(session: AsyncSession) -> SubscriptionDocument:
            return await service.subscribe(desk_of(call, session, settings), given(data))

        return await call.once(work)

    @get("/", guards=[requires("subscriptions:read")])
    async def index(
        self, call: Call, page: PageRequest, wanted: dict[str, str]
    ) -> Page[SubscriptionDocument]:
        """List subscriptions, newest first; a customer's live one says what it is a member of."""
        actor = call.actor
        async with call.transaction() as session:
            found = await subscription_page(
                session, actor.tenant, page, wanted, livemode=actor.livemode
            )
        return page_of(
            found,
            page,
            lambda row: subscription_document(row, call.moment.at),
            lambda row: row.id,
        )

    @get("/{subscription_id:str}", guards=[requires("subscriptions:read")])
    async def show(self, call: Call, subscription_id: str) -> SubscriptionDocument:
        """Show one subscription."""
        actor = call.actor
        async with call.transaction() as session:
            row = await subscription_of(
                session, actor.tenant, subscription_id, livemode=actor.livemode
            )
        return subscription_document(row, call.moment.at)

    @get("/{subscription_id:str}/periods", guards=[requires("subscriptions:read")])
    async def periods(
        self, call: Call, page: PageRequest, subscription_id: str
    ) -> Page[PeriodDocument]:
        """List billed periods with their invoices, newest first; a period's start is its cursor."""
        actor = call.actor
        async with call.transaction() as session:
            row = await subscription_of(
                session, actor.tenant, subscription_id, livemode=actor.livemode
            )
            found = await period_page(session, row.id, page)
        return page_of(found, page, period_document, cursor_of)

    @post(
        "/{subscription_id:str}/cancel",
        guards=[requires("subscriptions:write")],
        status_code=200,
    )
    async def cancel(
        self,
        call: Call,
        settings: Settings,
        subscription_id: str,
        data: CancelSubscription | None = None,
    ) -> Response[SubscriptionDocument]:
        """End it now, or with what is paid."""
        late = data is not None and data.at_period_end
        return await _act(
            call,
            settings,
            lambda desk: service.cancel(desk, subscription_id, at_period_end=late),
        )

    @post(
        "/{subscription_id:str}/pause",
        guards=[requires("subscriptions:write")],
        status_code=200,
    )
    async def pause(
        self, call: Call, settings: Settings, subscription_id: str
    ) -> Response[SubscriptionDocument]:
        """Bill nothing more until it is resumed."""
        return await _act(call, settings, lambda desk: service.pause(desk, subscription_id))

    @post(
        "/{subscription_id:str}/resume",
        guards=[requires("subscriptions:write")],
        status_code=200,
    )
    async def resume(
        self, call: Call, settings: Settings, subscription_id: str
    ) -> Response[SubscriptionDocument]:
        """Go on billing: after a pause, instead of an end, or where a bill was called off."""
        return await _act(call, settings, lambda desk: service.resume(desk, subscription_id))

    @post(
        "/{subscription_id:str}/change_plan",
        guards=[requires("subscriptions:write")],
        status_code=200,
    )
    async def change_plan(
        self, call: Call, settings: Settings, subscription_id: str, data: ChangePlan
    ) -> Response[SubscriptionDocument]:
        """Bill another package from the next period on."""
        return await _act(
            call,
            settings,
            lambda desk: service.change_plan(desk, subscription_id, data.package_id),
        )


async def _act(call: Call, settings: Settings, act: Act) -> Response[SubscriptionDocument]:
    async def work(session: AsyncSession) -> SubscriptionDocument:
        return await act(desk_of(call, session, settings))

    return await call.once(work, status=200)
