"""The house's fee of a payment: a share of it that its merchant's account says."""

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from gateway.domain.posting import processing_fee
from gateway.models import Deposit, Merchant


async def charge(session: AsyncSession, credited: Sequence[Deposit]) -> None:
    """Write on deposits that are credited now what the house keeps of them.

    One look at their merchants, and one statement for all fees where anybody pays one.
    """
    owners = {deposit.merchant_id for deposit in credited if deposit.merchant_id is not None}
    if not owners:
        return
    rate = Merchant.processing_fee_basis_points
    found = await session.execute(select(Merchant.id, rate).where(Merchant.id.in_(owners)))
    rates = {row.id: row.processing_fee_basis_points for row in found}
    fees = [
        (deposit, fee)
        for deposit in credited
        if (fee := processing_fee(deposit.units, rates.get(deposit.merchant_id or "", 0)))
    ]
    if not fees:
        return
    await session.flush()
    units = [Decimal(fee) for _, fee in fees]
    await session.execute(_KEEP, {"ids": [deposit.id for deposit, _ in fees], "units": units})
    for deposit, fee in fees:
        set_committed_value(deposit, "fee_units", fee)


_KEEP = text("""
UPDATE deposit d SET fee_units = f.units
FROM unnest(CAST(:ids AS text[]), CAST(:units AS numeric[])) AS f (id, units) WHERE d.id = f.id
""")
