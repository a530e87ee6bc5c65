"""Every change of a holding that our rows know of, as one relation: arrivals, payments, fees."""

from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from gateway.models import ApplicationWallet, Attempt, Currency, Deposit
from gateway.models.columns import Units
from watchers.chain import asset_key
from watchers.network import NATIVE

COUNTED_AS_BALANCE = "counted_as_balance"
"""Reason of a transfer whose money a balance difference has credited before."""
LANDED = Attempt.block_height.is_not(None)


def asset_of(currency: Currency) -> str:
    """Return a currency's asset as blocks name it."""
    return NATIVE if currency.contract is None else asset_key(currency.contract)


def every_move(
    network: str,
    currencies: Sequence[Currency],
    addresses: Sequence[str] | None,
    *,
    fee_is_alone: bool,
) -> Select[str, str, int, int, bool, bool]:
    """Select every known change: arrivals, what we sent with its fee, what a set-up moved."""
    parts = [
        _arrivals(network, currencies, addresses),
        _spent(network, addresses, fee_is_alone=fee_is_alone),
        _tokens_sent(network, addresses),
        _set_up(network, addresses),
    ]
    moved = union_all(*parts).subquery()
    return select(
        moved.c.address,
        moved.c.asset,
        moved.c.height,
        moved.c.units,
        moved.c.in_flight,
        moved.c.undecided,
    )


def _arrivals(
    network: str, currencies: Sequence[Currency], addresses: Sequence[str] | None
) -> Select[str, str, int, int, bool, bool]:
    """Select deposits: those that a balance difference counted before are not counted again."""
    names = {currency.id: asset_of(currency) for currency in currencies}
    asset = case(names, value=Deposit.currency_id)
    again = and_(Deposit.status == "rejected", Deposit.reason == COUNTED_AS_BALANCE)
    query = select(
        Deposit.address.label("address"),
        asset.label("asset"),
        Deposit.block_height.label("height"),
        Deposit.units.label("units"),
        (Deposit.status == "pending").label("in_flight"),
        literal(False).label("undecided"),  # noqa: FBT003 - SQL
    ).where(Deposit.network_id == network, Deposit.status != "reorged", ~again)
    return query if addresses is None else query.where(Deposit.address.in_(addresses))


def _spent(
    network: str, addresses: Sequence[str] | None, *, fee_is_alone: bool
) -> Select[str, str, int, int, bool, bool]:
    """Select what our transactions took in the native coin."""
    units: ColumnElement[int] = func.coalesce(Attempt.payer_spent_units, 0)
    if fee_is_alone:
        sent = and_(Attempt.success.is_(True), Attempt.intent["asset"].astext == NATIVE)
        units = units + case((sent, _intended("units")), else_=0)
    return _ours(network, literal(NATIVE), -units, Attempt.sender, addresses)


def _tokens_sent(
    network: str, addresses: Sequence[str] | None
) -> Select[str, str, int, int, bool, bool]:
    """Select the tokens that our successful transactions paid."""
    contract = Attempt.intent["asset"].astext
    # As `asset_key` does it: hex in lower case, base58 as it stands.
    asset = case((contract.startswith("0x"), func.lower(contract)), else_=contract)
    query = _ours(network, asset, -_intended("units"), Attempt.sender, addresses)
    undecided = Attempt.success.is_(None)
    return query.where(contract != NATIVE, or_(Attempt.success.is_(True), undecided))


def _set_up(
    network: str, addresses: Sequence[str] | None
) -> Select[str, str, int, int, bool, bool]:
    """Select what setting up a lane moved into the lane's own account."""
    lane = (
        select(ApplicationWallet.address)
        .where(ApplicationWallet.network_id == network, ApplicationWallet.purpose == "nonce")
        .limit(1)
        .scalar_subquery()
    )
    query = _ours(network, literal(NATIVE), _intended("lamports"), lane, addresses)
    return query.where(Attempt.purpose == "setup", Attempt.success.is_(True))


def _ours(
    network: str,
    asset: ColumnElement[str],
    units: ColumnElement[int],
    address: ColumnElement[str] | InstrumentedAttribute[str],
    addresses: Sequence[str] | None,
) -> Select[str, str, int, int, bool, bool]:
    query = select(
        address.label("address"),
        asset.label("asset"),
        func.coalesce(Attempt.block_height, 0).label("height"),
        units.label("units"),
        (Attempt.state == "included").label("in_flight"),
        Attempt.success.is_(None).label("undecided"),
    ).where(Attempt.network_id == network, LANDED)
    return query if addresses is None else query.where(address.in_(addresses))


def _intended(name: str) -> ColumnElement[int]:
    return func.coalesce(cast(Attempt.intent[name].astext, Units), 0)
