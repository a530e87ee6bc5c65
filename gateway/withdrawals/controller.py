"""Withdrawals over HTTP, for the merchant's keys."""

from typing import Any

from litestar import Controller, Response, get, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import Unavailable
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.idempotency import A_MONTH, KEY_REQUIRED
from gateway.http.paging import Page, page_of
from gateway.http.parts import CreatedBefore, CreatedFrom, in_utc
from gateway.paging import PageRequest
from gateway.questions.service import SILENT, Questions
from gateway.withdrawals import service
from gateway.withdrawals.destinations import look
from gateway.withdrawals.documents import WithdrawalDocument, withdrawal_document
from gateway.withdrawals.estimate import estimate_document, sketch
from gateway.withdrawals.estimate_documents import EstimateDocument
from gateway.withdrawals.incoming import findings, payout_of
from gateway.withdrawals.repository import currencies_of, withdrawal_of, withdrawal_page
from gateway.withdrawals.request import request_withdrawal
from gateway.withdrawals.schemas import (
    CreateWithdrawal,
    EstimateWithdrawal,
    IdParameter,
    MethodParameter,
    ReferenceParameter,
    RejectWithdrawal,
    Status,
    TxHashParameter,
)
from gateway.withdrawals.service import Gate


async def provide_filter(
    *,
    status: Status | None = None,
    payment_method: MethodParameter = None,
    reference: ReferenceParameter = None,
    batch_id: IdParameter = None,
    invoice_id: IdParameter = None,
    customer_id: IdParameter = None,
    tx_hash: TxHashParameter = None,
    created_from: CreatedFrom = None,
    created_before: CreatedBefore = None,
) -> dict[str, Any]:
    """Read the filters of a list."""
    given = {
        "status": status,
        "payment_method": payment_method,
        "reference": reference,
        "batch_id": batch_id,
        "invoice_id": invoice_id,
        "customer_id": customer_id,
        "tx_hash": tx_hash,
        "created_from": in_utc(created_from),
        "created_before": in_utc(created_before),
    }
    return {name: value for name, value in given.items() if value is not None}


class WithdrawalController(Controller):
    """Payouts from the merchant's balance."""

    path = "/withdrawals"
    dependencies = {"wanted": provide_filter}  # noqa: RUF012 - Litestar reads it from the class

    @post(
        "/",
        guards=[requires("withdrawals:create", step_up=True)],
        opt=KEY_REQUIRED,
    )
    async def create(
        self, call: Call, questions: Questions, data: CreateWithdrawal
    ) -> Response[WithdrawalDocument]:
        """Ask for a payout; amount and fee are held at once. Needs an `Idempotency-Key`."""
        payout = payout_of(data)
        [finding] = await findings(call, questions, [payout])

        async def work(session: AsyncSession) -> WithdrawalDocument:
            return await request_withdrawal(_gate(call, session), payout, finding)

        return await call.once(work, lifetime=A_MONTH)

    @post("/estimate", guards=[requires("withdrawals:read")], status_code=200)
    async def estimate(
        self, call: Call, questions: Questions, data: EstimateWithdrawal
    ) -> EstimateDocument:
        """Say what a payout would cost, and who would decide; nothing is held."""
        actor = call.actor
        async with call.transaction() as session:
            drawn = await sketch(
                session,
                actor,
                call.moment,
                payment_method=data.payment_method,
                amount=data.amount,
                destination=data.destination,
                customer_id=data.customer_id,
                reference=data.reference,
            )
        finding = None
        if drawn.prospect is not None:
            network = drawn.network.id
            [finding] = await look(questions, actor, network, [drawn.prospect], call.moment)
            if finding is None and data.require_answer:
                raise Unavailable(f"the watcher of {network} does not answer", code=SILENT)
        return estimate_document(drawn, finding, actor)

    @get("/", guards=[requires("withdrawals:read")])
    async def index(
        self, call: Call, page: PageRequest, wanted: dict[str, Any]
    ) -> Page[WithdrawalDocument]:
        """List withdrawals, newest first."""
        actor = call.actor
        async with call.transaction() as session:
            found = await withdrawal_page(
                session, actor.tenant, page, wanted, livemode=actor.livemode
            )
            currencies = await currencies_of(session, found.rows)
        return page_of(
            found,
            page,
            lambda row: withdrawal_document(row, *currencies[row.currency_id]),
            lambda row: row.id,
        )

    @get("/{withdrawal_id:str}", guards=[requires("withdrawals:read")])
    async def show(self, call: Call, withdrawal_id: str) -> WithdrawalDocument:
        """Show one withdrawal."""
        actor = call.actor
        async with call.transaction() as session:
            row = await withdrawal_of(
                session, actor.tenant, withdrawal_id, livemode=actor.livemode
            )
            currencies = await currencies_of(session, [row])
        return withdrawal_document(row, *currencies[row.currency_id])

    @post(
        "/{withdrawal_id:str}/approve",
        guards=[requires("withdrawals:approve", step_up=True)],
        status_code=200,
    )
    async def approve(self, call: Call, withdrawal_id: str) -> Response[WithdrawalDocument]:
        """Approve a pending withdrawal, with another key than the one that asked for it."""

        async def work(session: AsyncSession) -> WithdrawalDocument:
            return await service.approve(_gate(call, session), withdrawal_id)

        return await call.once(work, status=200)

    @post(
        "/{withdrawal_id:str}/reject",
        guards=[requires("withdrawals:approve", step_up=True)],
        status_code=200,
    )
    async def reject(
        self, call: Call, withdrawal_id: str, data: RejectWithdrawal | None = None
    ) -> Response[WithdrawalDocument]:
        """Reject a withdrawal that is not signed yet; the held money is free again."""
        reason = None if data is None else data.reason

        async def work(session: AsyncSession) -> WithdrawalDocument:
            return await service.reject(_gate(call, session), withdrawal_id, reason)

        return await call.once(work, status=200)

    @post(
        "/{withdrawal_id:str}/cancel",
        guards=[requires("withdrawals:create", step_up=True)],
        status_code=200,
    )
    async def cancel(self, call: Call, withdrawal_id: str) -> Response[WithdrawalDocument]:
        """Take back a withdrawal that is not signed yet; the held money is free again."""

        async def work(session: AsyncSession) -> WithdrawalDocument:
            return await service.cancel(_gate(call, session), withdrawal_id)

        return await call.once(work, status=200)


def _gate(call: Call, session: AsyncSession) -> Gate:
    return Gate(session, call.actor, call.moment)
