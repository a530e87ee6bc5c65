"""Refunds of invoices over HTTP."""

from litestar import Controller, Response, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import Refusal
from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.http.idempotency import A_MONTH, KEY_REQUIRED
from gateway.questions.service import Questions
from gateway.refunds.schemas import CreateRefund
from gateway.refunds.service import Refund, drawn, request_refund
from gateway.withdrawals.destinations import Finding
from gateway.withdrawals.documents import WithdrawalDocument
from gateway.withdrawals.incoming import findings
from gateway.withdrawals.service import Gate


class RefundController(Controller):
    """Withdrawals that pay an invoice back."""

    path = "/invoices/{invoice_id:str}/refunds"

    @post(
        "/",
        guards=[requires("withdrawals:create", step_up=True)],
        opt=KEY_REQUIRED,
    )
    async def create(
        self, call: Call, questions: Questions, invoice_id: str, data: CreateRefund
    ) -> Response[WithdrawalDocument]:
        """Pay back all, the excess or the remainder. Needs an `Idempotency-Key`."""
        wanted = Refund(
            kind=data.kind,
            destination=data.destination,
            reason=data.reason,
            amount=data.amount,
            payment_method=data.payment_method,
            reference=data.reference,
            metadata=data.metadata,
        )
        finding = await _finding(call, questions, invoice_id, wanted)

        async def work(session: AsyncSession) -> WithdrawalDocument:
            gate = Gate(session, call.actor, call.moment)
            return await request_refund(gate, invoice_id, wanted, finding)

        return await call.once(work, lifetime=A_MONTH)


async def _finding(
    call: Call, questions: Questions, invoice_id: str, wanted: Refund
) -> Finding | None:
    """Return what the network says of the destination; a refund that cannot be is not asked about."""
    try:
        async with call.transaction() as session:
            _, payout = await drawn(session, call.actor, invoice_id, wanted)
    except Refusal:
        return None
    [finding] = await findings(call, questions, [payout])
    return finding
