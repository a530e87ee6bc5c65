"""Named queries for merchants."""

from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.domain.errors import NotFound
from gateway.models import Merchant, Wallet
from gateway.paging import PageRequest, Slice, newest_first


@dataclass(frozen=True, slots=True)
class Search:
    """Which merchants an operator looks for; `words` in a name, an e-mail address or an id."""

    words: str | None = None
    status: str | None = None
    verification: str | None = None
    deleted: bool = False


async def merchant_of(
    session: AsyncSession, merchant_id: str, *, lock: bool = False, deleted: bool = False
) -> Merchant:
    """Return the merchant, with `deleted` one that is gone too.

    To a merchant it exists only inside its own tenant, to an operator everywhere.
    """
    query = select(Merchant).where(Merchant.id == merchant_id)
    if not deleted:
        query = query.where(Merchant.deleted_at.is_(None))
    row = (await session.scalars(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no merchant {merchant_id[:64]}")
    return row


async def merchant_page(
    session: AsyncSession, wanted: Search, page: PageRequest
) -> Slice[Merchant]:
    """Return one page of the merchants that fit, newest first, for operators."""
    gone = Merchant.deleted_at.is_not(None) if wanted.deleted else Merchant.deleted_at.is_(None)
    query = select(Merchant).where(gone)
    if wanted.words:
        query = query.where(
            or_(
                Merchant.id == wanted.words,
                Merchant.name.icontains(wanted.words, autoescape=True),
                Merchant.legal_name.icontains(wanted.words, autoescape=True),
                Merchant.email.icontains(wanted.words, autoescape=True),
            )
        )
    if wanted.status:
        query = query.where(Merchant.status == wanted.status)
    if wanted.verification:
        query = query.where(Merchant.verification == wanted.verification)
    return await newest_first(session, query, Merchant.id, page)


async def has_money(session: AsyncSession, merchant_id: str) -> bool:
    """Tell whether the merchant, or a customer of it, has anything left, within its tenant."""
    query = select(func.count()).where(
        Wallet.merchant_id == merchant_id, or_(Wallet.confirmed > 0, Wallet.locked > 0)
    )
    return bool(await session.scalar(query))
