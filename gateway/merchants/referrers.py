"""Refusing a referral code, for merchants and customers about to be born with one."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import Invalid

_WORDS = {
    "unknown_referral_code": "no such referral code is in force",
    "self_referral": "nobody refers himself",
}


async def require_referrer(
    session: AsyncSession, code: str, email: str | None, *, tenant: str | None, livemode: bool
) -> None:
    """Refuse a code that is not in force, or that is one's own; `tenant` is a customer's merchant."""
    query = select(func.referral_refusal(code, tenant, livemode, email))
    refusal = await session.scalar(query)
    if refusal is not None:
        raise _refused(refusal)


@contextmanager
def attributed() -> Iterator[None]:
    """Answer what the database itself refuses: the code was revoked since it was looked at."""
    try:
        yield
    except IntegrityError as fault:
        found = re.search(r"^referral of \S+: (\w+)", str(fault.orig))
        if found is None:
            raise
        raise _refused(found[1]) from fault


def _refused(refusal: str) -> Invalid:
    return Invalid.field("/referral_code", refusal, _WORDS[refusal])
