"""Alerts are not led away in silence: whoever turns them off is told of where they went before."""

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.moment import Moment
from gateway.notifications.outbox import Message, is_mail_address, post

_BODY = (
    "From now on this merchant's security alerts go somewhere else, or nowhere.\n\n"
    "If this was nobody of yours, revoke the key or session and change the password.\n"
)


async def alerts_moved(
    session: AsyncSession, merchant_id: str, email: str | None, moment: Moment
) -> None:
    """Write to the mailbox that was the merchant's until now."""
    if email is None or not is_mail_address(email):
        return
    subject = "Your security alerts were moved"
    message = Message(merchant_id, email, "security.alerts_moved", subject, _BODY)
    await post(session, message, moment)
