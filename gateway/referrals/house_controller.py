"""The house's side of referrals, for operators: its rates, its fees, codes of one's own choice."""

from litestar import Controller, Response, get, post, put
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.paging import PageRequest
from gateway.referrals import repository, service
from gateway.referrals.controller import office
from gateway.referrals.documents import (
    ProcessingFeeDocument,
    ReferralCodeDocument,
    ScheduleDocument,
    schedule_document,
)
from gateway.referrals.schemas import CreateHouseSchedule, GiveCode, SetFee


class HouseScheduleController(Controller):
    """The rates at which the house shares its fees with merchants that refer merchants."""

    path = "/house/referral_schedules"

    @post("/", guards=[requires("merchants:write", step_up=True, shared=True)])
    async def create(self, call: Call, data: CreateHouseSchedule) -> Response[ScheduleDocument]:
        """Set rates from now on, or from a later time on."""

        async def work(session: AsyncSession) -> ScheduleDocument:
            begins = data.effective_from
            return await service.set_rates(office(call, session), data.rates, None, begins)

        return await call.once(work)

    @get("/", guards=[requires("merchants:write")])
    async def index(self, call: Call, page: PageRequest) -> Page[ScheduleDocument]:
        """List schedules, newest first; the one in force began last."""
        async with call.transaction() as session:
            found = await repository.schedule_page(session, None, page)
        return page_of(found, page, schedule_document, lambda row: row.id)


class MerchantFeeController(Controller):
    """What the house keeps of one merchant's payments."""

    path = "/merchants/{merchant_id:str}/processing_fee"

    @get("/", guards=[requires("merchants:write")])
    async def show(self, call: Call, merchant_id: str) -> ProcessingFeeDocument:
        """Show the fee."""
        async with call.transaction() as session:
            return await service.fee_of(session, merchant_id)

    @put("/", guards=[requires("merchants:write", step_up=True, shared=True)])
    async def change(self, call: Call, merchant_id: str, data: SetFee) -> ProcessingFeeDocument:
        """Set the fee of payments that become final from now on."""
        async with call.transaction() as session:
            return await service.set_fee(office(call, session), merchant_id, data.basis_points)


class GivenCodeController(Controller):
    """Codes of one's own choice."""

    path = "/merchants/{merchant_id:str}/referral_codes"

    @post("/", guards=[requires("merchants:write", step_up=True, shared=True)])
    async def create(
        self, call: Call, merchant_id: str, data: GiveCode
    ) -> Response[ReferralCodeDocument]:
        """Give a merchant a code of one's own choice."""

        async def work(session: AsyncSession) -> ReferralCodeDocument:
            return await service.give_code(office(call, session), merchant_id, data.code)

        return await call.once(work)
