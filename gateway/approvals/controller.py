"""Orders over HTTP, for the people whom the keystore's policy names."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.approvals import service
from gateway.approvals.credentials import SCHEME, signed
from gateway.approvals.documents import OrderDocument, order_document
from gateway.approvals.door import admits, target_of
from gateway.approvals.schemas import ApproveOrder, RefuseOrder
from gateway.approvals.service import Case
from gateway.http.call import Call
from gateway.http.paging import Page, page_of
from gateway.paging import PageRequest


class ApprovalController(Controller):
    """What waits for a person's yes, and the yes itself."""

    path = "/approvals/orders"

    @get("/", guards=[admits("approvals:read")])
    async def index(self, call: Call, page: PageRequest) -> Page[OrderDocument]:
        """List the orders that wait for somebody, newest first."""
        async with call.transaction() as session:
            found, told = await service.waiting(_case(call, session), page)
        shaped = {each.row.id: order_document(each) for each in told}
        return page_of(found, page, lambda row: shaped[row.id], lambda row: row.id)

    @get("/{order_id:str}", guards=[admits("approvals:read")])
    async def show(self, call: Call, order_id: str) -> OrderDocument:
        """Show one order, whatever became of it."""
        async with call.transaction() as session:
            return await service.show(_case(call, session), order_id)

    @post(
        "/{order_id:str}/approve",
        guards=[admits("approvals:write", step_up=True)],
        status_code=200,
    )
    async def approve(
        self, call: Call, order_id: str, data: ApproveOrder
    ) -> Response[OrderDocument]:
        """Add the approver's proof; an operator's key may carry one that proves itself."""

        async def work(session: AsyncSession) -> OrderDocument:
            return await service.approve(_case(call, session), order_id, data.proof)

        return await call.once(work, status=200)

    @post(
        "/{order_id:str}/refuse",
        guards=[admits("approvals:write", step_up=True)],
        status_code=200,
    )
    async def refuse(
        self, call: Call, request: Request[Any, Any, Any], order_id: str, data: RefuseOrder
    ) -> Response[OrderDocument]:
        """Say no, signed by an approver: the withdrawal is rejected and its hold released."""
        evidence = _evidence(request, call.body)

        async def work(session: AsyncSession) -> OrderDocument:
            return await service.refuse(_case(call, session), order_id, data.reason, evidence)

        return await call.once(work, status=200)


def _evidence(request: Request[Any, Any, Any], body: bytes) -> dict[str, Any]:
    """Return the signed request as it can be checked again; empty on an operator's key."""
    header = request.headers.get("Authorization", "")
    if header.partition(" ")[0].lower() != SCHEME:
        return {}
    said = signed(header)
    return {
        "kind": "request",
        "method": request.method,
        "target": target_of(request),
        "body": body.decode(),
        "at": said.at,
        "signature": said.signature,
    }


def _case(call: Call, session: AsyncSession) -> Case:
    return Case(session, call.actor, call.moment)
