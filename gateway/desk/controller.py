"""The operator's desk over HTTP: what is nobody's, requests about it, and decisions."""

from litestar import Controller, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.catalog.repository import currencies
from gateway.desk import repository, service
from gateway.desk.documents import (
    ResolutionDocument,
    SuppressedDocument,
    UnattributedDocument,
    suppressed_document,
    unattributed_document,
)
from gateway.desk.schemas import (
    AssignDeposit,
    Decision,
    Reason,
    RefundDeposit,
    Status,
    Text,
)
from gateway.desk.service import Case
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.paging import Page, page_of, whole
from gateway.paging import PageRequest


async def provide_filter(
    reason: Reason | None = None,
    network: Text = None,
    payment_method: Text = None,
    address: Text = None,
    tx_hash: Text = None,
) -> dict[str, str]:
    """Read the filters of the list; addresses are compared as they are stored."""
    given = {
        "reason": reason,
        "network": network,
        "payment_method": payment_method,
        "address": address,
        "tx_hash": tx_hash,
    }
    return {name: value for name, value in given.items() if value is not None}


class UnattributedController(Controller):
    """For operators: deposits without an owner, and what they may become."""

    path = "/deposits"
    dependencies = {"wanted": provide_filter}  # noqa: RUF012 - Litestar reads it from the class

    @get("/unattributed", guards=[requires("unattributed:read")])
    async def index(
        self, call: Call, page: PageRequest, wanted: dict[str, str]
    ) -> Page[UnattributedDocument]:
        """List what arrived and is nobody's, newest first, each with its reason."""
        async with call.transaction() as session:
            found = await repository.unattributed_page(
                session, page, wanted, livemode=call.actor.livemode
            )
            known = await currencies(session)
            latest = await repository.latest(session, [row.id for row in found.rows])
        return page_of(
            found,
            page,
            lambda row: unattributed_document(row, known, latest.get(row.id)),
            lambda row: row.id,
        )

    @get("/suppressed", guards=[requires("unattributed:read")])
    async def suppressed(self, call: Call, address: Text = None) -> Page[SuppressedDocument]:
        """List days on which an address got more unlisted tokens than have rows."""
        async with call.transaction() as session:
            found = await repository.suppressed(session, address, livemode=call.actor.livemode)
        return whole([suppressed_document(row) for row in found])

    @post("/{deposit_id:str}/assign", guards=[requires("unattributed:resolve", step_up=True)])
    async def assign(
        self, call: Call, deposit_id: str, data: AssignDeposit
    ) -> Response[ResolutionDocument]:
        """Ask that a deposit be a merchant's; another operator has to approve it."""

        async def work(session: AsyncSession) -> ResolutionDocument:
            return await service.request_assignment(
                _case(call, session), deposit_id, data.merchant_id, data.invoice_id, data.reason
            )

        return await call.once(work)

    @post("/{deposit_id:str}/refund", guards=[requires("unattributed:resolve", step_up=True)])
    async def refund(
        self, call: Call, deposit_id: str, data: RefundDeposit
    ) -> Response[ResolutionDocument]:
        """Ask that a deposit be paid out to an address; another operator has to approve it."""

        async def work(session: AsyncSession) -> ResolutionDocument:
            return await service.request_refund(
                _case(call, session), deposit_id, data.destination, data.reason
            )

        return await call.once(work)


async def provide_resolution_filter(
    status: Status | None = None, deposit_id: Text = None
) -> dict[str, str]:
    """Read the filters of the list."""
    given = {"status": status, "deposit_id": deposit_id}
    return {name: value for name, value in given.items() if value is not None}


class ResolutionController(Controller):
    """For operators: requests about deposits of nobody, decided by another operator."""

    path = "/resolutions"
    dependencies = {"wanted": provide_resolution_filter}  # noqa: RUF012 - as above

    @get("/", guards=[requires("unattributed:read")])
    async def index(
        self, call: Call, page: PageRequest, wanted: dict[str, str]
    ) -> Page[ResolutionDocument]:
        """List requests, newest first."""
        async with call.transaction() as session:
            found = await repository.resolution_page(
                session, page, wanted, livemode=call.actor.livemode
            )
            documents = {d.id: d for d in await repository.shaped(session, found.rows)}
        return page_of(found, page, lambda row: documents[row.id], lambda row: row.id)

    @get("/{resolution_id:str}", guards=[requires("unattributed:read")])
    async def show(self, call: Call, resolution_id: str) -> ResolutionDocument:
        """Show one request."""
        async with call.transaction() as session:
            row = await repository.resolution_of(
                session, resolution_id, livemode=call.actor.livemode
            )
            [document] = await repository.shaped(session, [row])
        return document

    @post(
        "/{resolution_id:str}/approve",
        guards=[requires("unattributed:approve", step_up=True)],
        status_code=200,
    )
    async def approve(
        self, call: Call, resolution_id: str, data: Decision
    ) -> Response[ResolutionDocument]:
        """Approve another operator's request; the network's watcher carries it out."""
        return await _decided(call, resolution_id, data, approve=True)

    @post(
        "/{resolution_id:str}/reject",
        guards=[requires("unattributed:approve", step_up=True)],
        status_code=200,
    )
    async def reject(
        self, call: Call, resolution_id: str, data: Decision
    ) -> Response[ResolutionDocument]:
        """Reject another operator's request; the deposit is open again."""
        return await _decided(call, resolution_id, data, approve=False)


async def _decided(
    call: Call, resolution_id: str, data: Decision, *, approve: bool
) -> Response[ResolutionDocument]:
    async def work(session: AsyncSession) -> ResolutionDocument:
        case = _case(call, session)
        return await service.decide(case, resolution_id, data.reason, approve=approve)

    return await call.once(work, status=200)


def _case(call: Call, session: AsyncSession) -> Case:
    return Case(session, call.actor, call.moment)
