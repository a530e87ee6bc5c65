"""The end of a turn: the three figures of every asset, and whether its payouts must wait."""

from collections.abc import Sequence

import structlog
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.models import AddressDrift, Currency, Cursor, Reconciliation, SignatureDrift
from watchers.chain import asset_of
from watchers.clock import now
from watchers.pay import holds
from watchers.reconcile import books, signature_rows
from watchers.reconcile.balances import Holding
from watchers.reconcile.rules import Borne, Figures, State, Tally, standing

Drifts = tuple[Sequence[AddressDrift], Sequence[SignatureDrift]]
"""Addresses that hold something else than our rows say, and signatures that our rows deny."""

log = structlog.get_logger()


async def note(
    session: AsyncSession, currency: Currency, address: str, units: int, reason: str
) -> None:
    """Write down that an address drifts; what was acknowledged before stays acknowledged."""
    statement = insert(AddressDrift).values(
        currency_id=currency.id,
        network_id=currency.network_id,
        address=address,
        units=units,
        acknowledged_units=0,
        reason=reason[: holds.REASON_MAX],
        since=now().at,
    )
    changed = {"units": statement.excluded.units, "reason": statement.excluded.reason}
    await session.execute(
        statement.on_conflict_do_update(index_elements=["currency_id", "address"], set_=changed)
    )


async def forget(
    session: AsyncSession, network: str, names: dict[str, Currency], right: Sequence[Holding]
) -> None:
    """Drop the drifts of holdings that were seen to be right."""
    query = select(AddressDrift.currency_id, AddressDrift.address).where(
        AddressDrift.network_id == network
    )
    known = {(row.currency_id, row.address) for row in await session.execute(query)}
    for holding in right:
        key = (names[holding.asset].id, holding.address)
        if key in known:
            await session.execute(
                delete(AddressDrift).where(
                    AddressDrift.currency_id == key[0], AddressDrift.address == key[1]
                )
            )


async def drifting(session: AsyncSession, network: str) -> list[AddressDrift]:
    """Return every drifting address of a network."""
    query = select(AddressDrift).where(AddressDrift.network_id == network)
    order = (AddressDrift.currency_id, AddressDrift.address)
    rows = await session.scalars(
        query.order_by(*order).execution_options(populate_existing=True)
    )
    return list(rows)


async def conclude(
    database: Database,
    network: str,
    currencies: Sequence[Currency],
    tally: Tally,
    *,
    fee_is_alone: bool,
) -> None:
    """Write every asset's figures and hold or release its payouts."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        # The scanner posts and moves the final height in one transaction: locked, both stand still.
        query = select(Cursor.final_height).where(Cursor.network_id == network)
        height = await session.scalar(query.with_for_update(read=True)) or 0
        totals = await books.totals(
            session, network, currencies, height, fee_is_alone=fee_is_alone
        )
        drifts = await drifting(session, network)
        signed = await signature_rows.disagreeing(session, network)
        for currency in currencies:
            asset = asset_of(currency)
            expected, ledger = totals[asset]
            figures = Figures(expected + tally.drift_of(asset), ledger, expected)
            own = of_currency(currency.id, drifts, signed)
            row = await _written(session, currency, figures, height, tally.addresses)
            await _judge(session, currency, row, figures, own, settled=asset not in tally.open)


async def _written(
    session: AsyncSession, currency: Currency, figures: Figures, height: int, addresses: int
) -> Reconciliation:
    values = {
        "height": height,
        "chain_units": figures.chain,
        "ledger_units": figures.ledger,
        "expected_units": figures.expected,
        "addresses": addresses,
        "checked_at": now().at,
    }
    statement = (
        insert(Reconciliation)
        .values(
            currency_id=currency.id,
            network_id=currency.network_id,
            acknowledged_units=0,
            **values,
        )
        .on_conflict_do_update(index_elements=["currency_id"], set_=values)
        .returning(Reconciliation)
    )
    rows = await session.scalars(statement.execution_options(populate_existing=True))
    return rows.one()


async def _judge(
    session: AsyncSession,
    currency: Currency,
    row: Reconciliation,
    figures: Figures,
    drifts: Drifts,
    *,
    settled: bool,
) -> None:
    state = standing(Borne(figures.unbooked, row.acknowledged_units), borne(drifts))
    if state is State.DRIFTING:
        reason = why(figures, drifts)
        if await holds.put(
            session, currency.network_id, currency.id, holds.DRIFT, reason, at=now().at
        ):
            log.error("payouts paused", payment_method=currency.id, reason=reason)
    elif settled and await holds.lift(session, currency.id, holds.DRIFT):
        log.info("payouts resumed", payment_method=currency.id, state=state)
    if state is State.AGREED and row.acknowledged_units:
        row.acknowledged_units = 0


def of_currency(
    currency_id: str, addresses: Sequence[AddressDrift], signed: Sequence[SignatureDrift]
) -> Drifts:
    """Return what drifts of one asset."""
    return (
        [drift for drift in addresses if drift.currency_id == currency_id],
        [drift for drift in signed if drift.currency_id == currency_id],
    )


def borne(drifts: Drifts) -> list[Borne]:
    """Return how much of each drift is borne; a signature's is borne whole or not at all."""
    addresses, signed = drifts
    return [
        *(Borne(drift.units, drift.acknowledged_units) for drift in addresses),
        *(Borne(1, int(drift.acknowledged)) for drift in signed),
    ]


def why(figures: Figures, drifts: Drifts) -> str:
    """Say what does not agree, for the people who wait."""
    addresses, signed = drifts
    parts = [f"{drift.address} {drift.units:+d}: {drift.reason}" for drift in addresses[:3]]
    if len(addresses) > 3:
        parts.append(f"{len(addresses) - 3} more addresses")
    if signed:
        parts.append(signature_rows.told(signed))
    if figures.unbooked:
        parts.append(
            f"the ledger owes {-figures.unbooked:+d} beyond what was received and sent"
        )
    return "chain and books differ: " + "; ".join(parts)


async def acknowledge(session: AsyncSession, currency_id: str) -> dict[str, str]:
    """Bear an asset's drift as it is now and let it pay again; return what was borne, by place.

    Raises `LookupError` where nothing drifts.
    """
    row = await session.get(Reconciliation, currency_id, with_for_update=True)
    query = select(AddressDrift).where(AddressDrift.currency_id == currency_id)
    drifts = (await session.scalars(query.with_for_update())).all()
    signatures = select(SignatureDrift).where(SignatureDrift.currency_id == currency_id)
    signed = (await session.scalars(signatures.with_for_update())).all()
    unbooked = 0 if row is None else row.expected_units - row.ledger_units
    if not (drifts or signed or unbooked):
        raise LookupError(f"{currency_id}: nothing drifts")
    accepted = {drift.address: str(drift.units) for drift in drifts}
    accepted |= {drift.tx_hash: drift.reason for drift in signed}
    for drift in drifts:
        drift.acknowledged_units = drift.units
    for each in signed:
        each.acknowledged = True
    if row is not None:
        row.acknowledged_units = unbooked
    if unbooked:
        accepted["ledger"] = str(unbooked)
    await holds.lift(session, currency_id, holds.DRIFT)
    return accepted
