"""An admin, or who runs the machine, takes every second factor from somebody who lost them."""

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.service import record
from gateway.db import acting_for
from gateway.domain.actor import Actor
from gateway.domain.errors import NotFound
from gateway.domain.moment import Moment
from gateway.factors import letters, repository
from gateway.factors.repository import Gone
from gateway.notifications import post


async def reset(session: AsyncSession, actor: Actor, user_id: str, moment: Moment) -> None:
    """Remove the factors, end the sessions, put it on record and tell the person.

    Nobody resets the own ones: who is signed in can remove them one by one.
    """
    token = actor.session.token_hash
    gone = await repository.reset_factors(session, token, user_id, moment.at)
    if gone is None:
        raise NotFound(f"there is no user {user_id[:64]}")
    async with acting_for(session, gone.merchant_id or actor.key_id):
        await _told(session, actor, gone, moment)


async def reset_at_the_machine(
    session: AsyncSession, actor: Actor, email: str, moment: Moment
) -> None:
    """Do the same as gw_owner: for the only admin, whom no other can help."""
    gone = await repository.drop_factors(session, email, moment.at)
    if gone is None:
        raise NotFound("there is nobody with this address")
    await _told(session, actor, gone, moment)


async def _told(session: AsyncSession, actor: Actor, gone: Gone, moment: Moment) -> None:
    await record(
        session,
        actor,
        moment,
        action="factors.reset",
        subject=gone.user_id,
        merchant_id=gone.merchant_id,
        before={"second_factor": gone.had},
        after={"second_factor": False},
    )
    letter = letters.factor_letter(gone.email, gone.merchant_id, letters.RESET)
    await post(session, letter, moment)
