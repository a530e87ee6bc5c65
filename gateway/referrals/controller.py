"""Referrals over HTTP: codes, who came through them, a merchant's own rates, commissions."""

from typing import Any

from litestar import Controller, Response, delete, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.catalog.repository import currencies
from gateway.domain.errors import Forbidden
from gateway.http.auth import require_live_key, requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of, whole
from gateway.http.parts import CreatedBefore, CreatedFrom, in_utc
from gateway.paging import PageRequest
from gateway.referrals import repository, service
from gateway.referrals.documents import (
    CommissionDocument,
    ProcessingFeeDocument,
    ReferralCodeDocument,
    ReferralDocument,
    ScheduleDocument,
    TotalDocument,
    WaitingDocument,
    code_document,
    commission_document,
    referral_document,
    schedule_document,
    total_document,
    waiting_document,
)
from gateway.referrals.schemas import (
    CreateCode,
    CreateSchedule,
    Id,
    Period,
    Programme,
    Status,
)
from gateway.referrals.service import Office

SHARING = "transfers:create"
"""What it takes to promise customers a share of the merchant's deposits."""


async def provide_filter(
    *,
    status: Status | None = None,
    programme: Programme | None = None,
    payment_method: Id = None,
    referral: Id = None,
    account: Id = None,
    created_from: CreatedFrom = None,
    created_before: CreatedBefore = None,
) -> dict[str, Any]:
    """Read the filters of commissions; a time without an offset is UTC."""
    given = {
        "status": status,
        "programme": programme,
        "currency_id": payment_method,
        "referral_id": referral,
        "account": account,
        "created_from": in_utc(created_from),
        "created_before": in_utc(created_before),
    }
    return {name: value for name, value in given.items() if value is not None}


class ReferralCodeController(Controller):
    """Codes that a merchant, or a customer of it, gives away."""

    path = "/referral_codes"

    @post("/", guards=[requires("settings:write", step_up=True)])
    async def create(self, call: Call, data: CreateCode) -> Response[ReferralCodeDocument]:
        """Draw a code; one of the merchant itself counts for real money."""
        if data.customer is None:
            require_live_key(call.actor, call.settings)

        async def work(session: AsyncSession) -> ReferralCodeDocument:
            return await service.draw_code(office(call, session), data.customer)

        return await call.once(work)

    @get("/", guards=[requires("settings:read")])
    async def index(
        self, call: Call, page: PageRequest, customer: Id = None
    ) -> Page[ReferralCodeDocument]:
        """List codes, newest first."""
        async with call.transaction() as session:
            found = await repository.code_page(session, call.actor.tenant, page, customer)
        return page_of(found, page, code_document, lambda row: row.id)

    @delete(
        "/{code_id:str}", guards=[requires("settings:write", step_up=True)], status_code=200
    )
    async def revoke(self, call: Call, code_id: str) -> ReferralCodeDocument:
        """Take a code out of force; who came through it stays."""
        async with call.transaction() as session:
            if not await service.is_of_mode(office(call, session), code_id):
                require_live_key(call.actor, call.settings)
            return await service.revoke_code(office(call, session), code_id)


class ReferralController(Controller):
    """Who came through the merchant's codes, and those of its customers."""

    path = "/referrals"

    @get("/", guards=[requires("balances:read")])
    async def index(
        self,
        call: Call,
        page: PageRequest,
        programme: Programme | None = None,
        referrer: Id = None,
        code: Id = None,
    ) -> Page[ReferralDocument]:
        """List referrals, newest first."""
        given = {"programme": programme, "referrer_id": referrer, "code_id": code}
        wanted = {name: value for name, value in given.items() if value is not None}
        async with call.transaction() as session:
            found = await repository.referral_page(session, call.actor.tenant, page, wanted)
        return page_of(found, page, referral_document, lambda row: row.id)


class ReferralScheduleController(Controller):
    """The rates of the merchant's own programme for its customers."""

    path = "/referral_schedules"

    @post("/", guards=[requires("settings:write", step_up=True, shared=True)])
    async def create(self, call: Call, data: CreateSchedule) -> Response[ScheduleDocument]:
        """Set rates from now on, or from a later time on; who may, moves the merchant's money."""
        if SHARING not in call.actor.scopes:
            raise Forbidden(f"sharing deposits with customers needs {SHARING}")

        async def work(session: AsyncSession) -> ScheduleDocument:
            desk = office(call, session)
            share, begins = data.share_basis_points, data.effective_from
            return await service.set_rates(desk, data.rates, share, begins)

        return await call.once(work)

    @get("/", guards=[requires("settings:read")])
    async def index(self, call: Call, page: PageRequest) -> Page[ScheduleDocument]:
        """List schedules, newest first; the one in force began last."""
        async with call.transaction() as session:
            found = await repository.schedule_page(session, call.actor.tenant, page)
        return page_of(found, page, schedule_document, lambda row: row.id)


class CommissionController(Controller):
    """What the merchant and its customers earned by referring."""

    path = "/commissions"
    dependencies = {"wanted": provide_filter}  # noqa: RUF012 - Litestar reads it from the class

    @get("/", guards=[requires("balances:read")])
    async def index(
        self, call: Call, page: PageRequest, wanted: dict[str, Any]
    ) -> Page[CommissionDocument]:
        """List commissions, newest first."""
        actor = call.actor
        async with call.transaction() as session:
            found = await repository.commission_page(
                session, actor.tenant, page, wanted, livemode=actor.livemode
            )
            known = await currencies(session)
        return page_of(
            found,
            page,
            lambda row: commission_document(row, known[row.currency_id]),
            lambda row: row.id,
        )

    @get("/totals", guards=[requires("balances:read")])
    async def totals(
        self, call: Call, wanted: dict[str, Any], period: Period = "month"
    ) -> Page[TotalDocument]:
        """Add commissions up per period (UTC), account and payment method; 1000 lines at most."""
        actor = call.actor
        async with call.transaction() as session:
            found = await repository.totals(
                session, actor.tenant, period, wanted, livemode=actor.livemode
            )
        return whole([total_document(row) for row in found])

    @get("/waiting", guards=[requires("balances:read")])
    async def waiting(self, call: Call) -> Page[WaitingDocument]:
        """List payments of the merchant's own programme that are not shared yet, and why."""
        actor = call.actor
        async with call.transaction() as session:
            found = await repository.waiting(session, actor.tenant, livemode=actor.livemode)
            known = await currencies(session)
        return whole([waiting_document(row, known[row.currency_id]) for row in found])

    @get("/{commission_id:str}", guards=[requires("balances:read")])
    async def show(self, call: Call, commission_id: str) -> CommissionDocument:
        """Show one commission."""
        actor = call.actor
        async with call.transaction() as session:
            row = await repository.commission_of(
                session, actor.tenant, commission_id, livemode=actor.livemode
            )
            known = await currencies(session)
        return commission_document(row, known[row.currency_id])


class OwnFeeController(Controller):
    """What the house keeps of the merchant's payments."""

    path = "/merchant/processing_fee"

    @get("/", guards=[requires("settings:read")])
    async def show(self, call: Call) -> ProcessingFeeDocument:
        """Show the fee."""
        async with call.transaction() as session:
            return await service.fee_of(session, call.actor.tenant)


def office(call: Call, session: AsyncSession) -> Office:
    """Gather what every use case needs."""
    return Office(session, call.actor, call.moment)
