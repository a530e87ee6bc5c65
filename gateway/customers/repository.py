"""Named queries for customers, their permanent addresses and transfers."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from gateway.domain.actor import Actor
from gateway.domain.errors import Invalid, NotFound
from gateway.models import (
    AddressPool,
    Currency,
    Customer,
    CustomerTransfer,
    Network,
)
from gateway.paging import PageRequest, Slice, cut, is_id, newest_first, windowed

LAST = "\U0010ffff"
"""No text goes on with a letter behind this one."""


async def customer_of(
    session: AsyncSession,
    merchant_id: str,
    customer_id: str,
    *,
    livemode: bool,
    lock: bool = False,
    living: bool = False,
) -> Customer:
    """Return the merchant's customer; raise `NotFound` where there is none.

    A deleted one is there too, unless a `living` one is asked for.
    """
    query = select(Customer).where(
        Customer.id == customer_id,
        Customer.merchant_id == merchant_id,
        Customer.livemode == livemode,
    )
    if living:
        query = query.where(Customer.deleted_at.is_(None))
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise NotFound(f"there is no customer {customer_id[:64]}")
    return row


async def require_customer(
    session: AsyncSession, actor: Actor, customer_id: str, *, living: bool = False
) -> Customer:
    """Return a customer that a body names; raise `Invalid` where this caller has no such one.

    With `living` a deleted one is none: it may be emptied, and nothing more is asked of it.
    """
    try:
        return await customer_of(
            session, actor.tenant, customer_id, livemode=actor.livemode, living=living
        )
    except NotFound as fault:
        raise Invalid.field("/customer_id", "unknown_customer", fault.detail) from fault


async def customer_page(
    session: AsyncSession,
    merchant_id: str,
    page: PageRequest,
    wanted: Mapping[str, str],
    *,
    livemode: bool,
) -> Slice[Customer]:
    """Return one page of the merchant's standing customers."""
    query = customers_found(merchant_id, wanted, livemode=livemode)
    return await newest_first(session, query, Customer.id, page)


def customers_found(
    merchant_id: str, wanted: Mapping[str, str], *, livemode: bool
) -> Select[Customer]:
    """Return the statement that selects the merchant's standing customers of this kind.

    `reference` and `email` are compared whole, `search` is how one of the texts begins; small and
    capital letters are the same but in `reference`.
    """
    query = select(Customer).where(
        Customer.merchant_id == merchant_id,
        Customer.livemode == livemode,
        Customer.deleted_at.is_(None),
    )
    if (reference := wanted.get("reference")) is not None:
        query = query.where(Customer.reference == reference)
    if (email := wanted.get("email")) is not None:
        query = query.where(Customer.email_key == func.lower(email))
    if (text := wanted.get("search")) is not None:
        keys = (Customer.reference_key, Customer.email_key, Customer.name_key)
        query = query.where(or_(*(_begins(each, text) for each in keys)))
    return query


def _begins(key: InstrumentedAttribute[str | None], text: str) -> ColumnElement[bool]:
    """Match texts that begin so, as a range: no index serves LIKE under row-level security."""
    first, end = func.lower(text), func.lower(text + LAST)
    return and_(key.bool_op("~>=~")(first), key.bool_op("~<~")(end))


async def networks_of_mode(session: AsyncSession, *, livemode: bool) -> dict[str, Network]:
    """Return the enabled networks of the mode, by id."""
    query = select(Network).where(Network.enabled, Network.test != livemode)
    return {row.id: row for row in await session.scalars(query)}


async def address_page(
    session: AsyncSession,
    merchant_id: str,
    page: PageRequest,
    *,
    livemode: bool,
    customer_id: str | None = None,
) -> Slice[AddressPool]:
    """Return one page of the permanent addresses of a merchant's customers, by customer and network.

    Those are the cursor: the same address may be on several networks of a family.
    """
    query = (
        select(AddressPool)
        .join(Customer, Customer.id == AddressPool.customer_id)
        .where(
            AddressPool.merchant_id == merchant_id,
            Customer.merchant_id == merchant_id,
            Customer.livemode == livemode,
        )
    )
    if customer_id is not None:
        query = query.where(AddressPool.customer_id == customer_id)
    edge = None if page.cursor is None else _place(page)
    place = (AddressPool.customer_id, AddressPool.network_id)
    found = (await session.scalars(windowed(query, place, edge, page))).all()
    return cut(found, page.limit, backwards=page.backwards)


def address_cursor(row: AddressPool) -> str:
    """Return where an address stands in the list of all."""
    return f"{row.customer_id}:{row.network_id}"


def _place(page: PageRequest) -> tuple[str, str]:
    customer_id, colon, network = (page.cursor or "").partition(":")
    if not colon or not is_id(customer_id, "cus"):
        raise page.unknown_cursor()
    return customer_id, network


async def methods_of(
    session: AsyncSession, network_ids: Collection[str]
) -> dict[str, list[str]]:
    """Return the enabled payment methods of these networks."""
    query = (
        select(Currency.network_id, Currency.id)
        .where(Currency.network_id.in_(network_ids), Currency.enabled)
        .order_by(Currency.id)
    )
    found: dict[str, list[str]] = {each: [] for each in network_ids}
    for network_id, currency_id in await session.execute(query):
        found[network_id].append(currency_id)
    return found


async def currency_of_mode(
    session: AsyncSession, currency_id: str, *, livemode: bool
) -> Currency:
    """Return a listed currency of the mode, one that is switched off too: balances outlive it."""
    query = (
        select(Currency)
        .join(Network, Network.id == Currency.network_id)
        .where(Currency.id == currency_id, Network.test != livemode)
    )
    row = (await session.scalars(query)).one_or_none()
    if row is None:
        raise Invalid.field(
            "/payment_method",
            "unknown_payment_method",
            f"{currency_id}: no payment method of this mode",
        )
    return row


async def transfer_page(
    session: AsyncSession, customer: Customer, page: PageRequest
) -> tuple[Slice[CustomerTransfer], dict[str, Currency]]:
    """Return one page of a customer's transfers and the currencies they are in."""
    query = select(CustomerTransfer).where(
        CustomerTransfer.customer_id == customer.id,
        CustomerTransfer.merchant_id == customer.merchant_id,
    )
    found = await newest_first(session, query, CustomerTransfer.id, page)
    return found, await _currencies(session, found.rows)


async def _currencies(
    session: AsyncSession, rows: Sequence[CustomerTransfer]
) -> dict[str, Currency]:
    ids = {row.currency_id for row in rows}
    found = await session.scalars(select(Currency).where(Currency.id.in_(ids)))
    return {row.id: row for row in found}
