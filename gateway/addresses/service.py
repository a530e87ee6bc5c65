"""Claiming addresses, and the alarm when one was not made by the keystore."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.addresses import repository
from gateway.addresses.signature import SignedAddress, is_genuine
from gateway.audit.service import record
from gateway.db import Database
from gateway.domain.actor import Actor
from gateway.domain.errors import Unavailable
from gateway.domain.moment import Moment


class PoolEmpty(Unavailable):
    """Every address of this network has been given out."""

    code = "pool_empty"


class AddressUnverified(Unavailable):
    """An address whose signature is wrong: it was altered, or another keystore made it."""

    code = "address_unverified"

    def __init__(self, row: SignedAddress, subject: str) -> None:
        super().__init__("this address cannot be shown; the operator has been told")
        self.row = row
        self.subject = subject


def require_genuine(row: SignedAddress, public_key: str, subject: str) -> None:
    """Raise `AddressUnverified` about `subject` (an invoice or a customer) unless the keystore signed."""
    if not is_genuine(row, public_key):
        raise AddressUnverified(row, subject)


async def claim(
    session: AsyncSession, network: str, invoice_id: str, at: datetime, public_key: str
) -> SignedAddress:
    """Claim one genuine address.

    A row that is not genuine is refused and stays at the head of the queue: it must never
    belong to an invoice, because what arrives there would be credited.
    """
    row = await repository.claim(session, network, invoice_id, at)
    if row is None:
        raise PoolEmpty(f"no address is left on {network}")
    require_genuine(row, public_key, invoice_id)
    return row


async def claim_for_customer(
    session: AsyncSession, network: str, customer_id: str, at: datetime, public_key: str
) -> tuple[SignedAddress, bool]:
    """Return a customer's genuine address on a network, and whether it was claimed just now."""
    found = await repository.claim_for_customer(session, network, customer_id, at)
    if found is None:
        raise PoolEmpty(f"no address is left on {network}")
    require_genuine(found[0], public_key, customer_id)
    return found


@asynccontextmanager
async def alarm(database: Database, actor: Actor, moment: Moment) -> AsyncIterator[None]:
    """Put an unverified address on record outside the transaction that it has undone."""
    try:
        yield
    except AddressUnverified as fault:
        async with database.unit_of_work(actor.tenant) as session:
            await note(session, actor, moment, fault)
        raise


async def note(
    session: AsyncSession, actor: Actor, moment: Moment, fault: AddressUnverified
) -> None:
    """Write the alarm, in a transaction that is going to be committed."""
    about = {
        "network": fault.row.network,
        "index": fault.row.index,
        "path": fault.row.path,
        "address": fault.row.address,
    }
    structlog.get_logger().error("address_unverified", subject=fault.subject, **about)
    await record(
        session, actor, moment, action="address.unverified", subject=fault.subject, after=about
    )
