"""Batches of withdrawals over HTTP: one call in, a result per item out."""

from litestar import Controller, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.idempotency import A_MONTH, KEY_REQUIRED
from gateway.http.paging import Page, page_of
from gateway.http.parts import CreatedBefore, CreatedFrom, in_utc
from gateway.paging import PageRequest
from gateway.questions.service import Questions
from gateway.withdrawals import service
from gateway.withdrawals.batch_documents import (
    BatchDocument,
    BatchSummaryDocument,
    summary_document,
)
from gateway.withdrawals.batches import (
    act_on_batch,
    batch_of,
    batch_page,
    request_batch,
    statuses_of,
)
from gateway.withdrawals.documents import WithdrawalDocument
from gateway.withdrawals.incoming import findings, payout_of
from gateway.withdrawals.schemas import CreateBatch, RejectWithdrawal
from gateway.withdrawals.service import Gate


class WithdrawalBatchController(Controller):
    """Payouts that are asked for and decided about together."""

    @post(
        "/withdrawals/batch",
        guards=[requires("withdrawals:create", step_up=True)],
        opt=KEY_REQUIRED,
    )
    async def create(
        self, call: Call, questions: Questions, data: CreateBatch
    ) -> Response[BatchDocument]:
        """Ask for up to 100 payouts, each by itself. Needs an `Idempotency-Key`."""
        payouts = [payout_of(item) for item in data.items]
        found = await findings(call, questions, payouts)

        async def work(session: AsyncSession) -> BatchDocument:
            return await request_batch(_gate(call, session), payouts, found)

        return await call.once(work, lifetime=A_MONTH)

    @get("/withdrawal_batches", guards=[requires("withdrawals:read")])
    async def index(
        self,
        call: Call,
        page: PageRequest,
        created_from: CreatedFrom = None,
        created_before: CreatedBefore = None,
    ) -> Page[BatchSummaryDocument]:
        """List batches, newest first, each with how far it is."""
        times = {"created_from": in_utc(created_from), "created_before": in_utc(created_before)}
        async with call.transaction() as session:
            found = await batch_page(_gate(call, session), page, times)
            statuses = await statuses_of(session, found.rows)
        return page_of(
            found,
            page,
            lambda row: summary_document(row, statuses[row.id]),
            lambda row: row.id,
        )

    @get("/withdrawal_batches/{batch_id:str}", guards=[requires("withdrawals:read")])
    async def show(self, call: Call, batch_id: str) -> BatchSummaryDocument:
        """Show a batch and how far it is; its withdrawals: `?batch_id=` in their list."""
        async with call.transaction() as session:
            batch = await batch_of(_gate(call, session), batch_id)
            statuses = await statuses_of(session, [batch])
        return summary_document(batch, statuses[batch.id])

    @post(
        "/withdrawal_batches/{batch_id:str}/approve",
        guards=[requires("withdrawals:approve", step_up=True)],
        status_code=200,
    )
    async def approve(self, call: Call, batch_id: str) -> Response[BatchDocument]:
        """Approve every pending withdrawal of a batch, with another key than asked for it."""

        async def work(session: AsyncSession) -> BatchDocument:
            return await act_on_batch(_gate(call, session), batch_id, service.approve)

        return await call.once(work, status=200)

    @post(
        "/withdrawal_batches/{batch_id:str}/reject",
        guards=[requires("withdrawals:approve", step_up=True)],
        status_code=200,
    )
    async def reject(
        self, call: Call, batch_id: str, data: RejectWithdrawal | None = None
    ) -> Response[BatchDocument]:
        """Reject every withdrawal of a batch that is not signed yet."""
        reason = None if data is None else data.reason

        async def reject(gate: Gate, withdrawal_id: str) -> WithdrawalDocument:
            return await service.reject(gate, withdrawal_id, reason)

        async def work(session: AsyncSession) -> BatchDocument:
            return await act_on_batch(_gate(call, session), batch_id, reject)

        return await call.once(work, status=200)


def _gate(call: Call, session: AsyncSession) -> Gate:
    return Gate(session, call.actor, call.moment)
