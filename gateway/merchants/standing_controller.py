"""What operators decide about a merchant, over HTTP."""

from collections.abc import Awaitable, Callable

from litestar import Controller, Response, delete, post
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.http.auth import requires
from gateway.http.call import Call
from gateway.merchants import standing
from gateway.merchants.documents import MerchantDocument
from gateway.merchants.schemas import Suspend, Verify

_OPERATOR = requires("merchants:write", step_up=True, shared=True)


class MerchantStandingController(Controller):
    """Verification, suspension and the end of an account, for operators."""

    path = "/merchants/{merchant_id:str}"

    @post("/verification", guards=[_OPERATOR], status_code=200)
    async def verify(
        self, call: Call, merchant_id: str, data: Verify
    ) -> Response[MerchantDocument]:
        """Write down what was found out about the merchant."""
        found = (data.verification, data.note)
        return await _done(
            call,
            lambda session: standing.verify_merchant(
                session, call.actor, merchant_id, found, call.moment
            ),
        )

    @post("/suspend", guards=[_OPERATOR], status_code=200)
    async def suspend(
        self, call: Call, merchant_id: str, data: Suspend
    ) -> Response[MerchantDocument]:
        """Let the merchant look and change nothing; payments to it are credited on."""
        return await _done(
            call,
            lambda session: standing.suspend_merchant(
                session, call.actor, merchant_id, data.reason, call.moment
            ),
        )

    @post("/unsuspend", guards=[_OPERATOR], status_code=200)
    async def unsuspend(self, call: Call, merchant_id: str) -> Response[MerchantDocument]:
        """End a suspension."""
        return await _done(
            call,
            lambda session: standing.unsuspend_merchant(
                session, call.actor, merchant_id, call.moment
            ),
        )

    @delete("/", guards=[_OPERATOR], status_code=200)
    async def end(self, call: Call, merchant_id: str) -> MerchantDocument:
        """End the account of a merchant without money; everything stays on record."""
        async with call.transaction() as session:
            return await standing.delete_merchant(session, call.actor, merchant_id, call.moment)

    @post("/restore", guards=[_OPERATOR], status_code=200)
    async def restore(self, call: Call, merchant_id: str) -> Response[MerchantDocument]:
        """Take the end of an account back."""
        return await _done(
            call,
            lambda session: standing.restore_merchant(
                session, call.actor, merchant_id, call.moment
            ),
        )


async def _done(
    call: Call, work: Callable[[AsyncSession], Awaitable[MerchantDocument]]
) -> Response[MerchantDocument]:
    return await call.once(work, status=200)
