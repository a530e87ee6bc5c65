"""Every change of a holding that our rows know of, as one relation: arrivals, payments, fees."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select, union_all

from gateway.deposits.arrival import FORGOTTEN
from gateway.deposits.leaving import NOT_SHOWN
from gateway.models import ApplicationWallet, Attempt, Currency, Deposit
from watchers.chain import asset_of
from watchers.network import NATIVE
from watchers.reconcile.inside import inside
from watchers.reconcile.landed import intended, intended_asset, ours

__all__ = ["COUNTED_AS_BALANCE", "OWN_TRANSACTION", "every_move"]

COUNTED_AS_BALANCE = "counted_as_balance"
"""Reason of a transfer whose money a balance difference has credited before."""
OWN_TRANSACTION = "own_transaction"
"""Reason of a transfer that was seen before it was known that we made it."""


def every_move(
    network: str,
    currencies: Sequence[Currency],
    addresses: Sequence[str] | None,
    *,
    fee_is_alone: bool,
) -> Select[str, str, int, int, bool, bool]:
    """Select every known change: arrivals, what we sent with its fee, what stays in the house."""
    parts = [
        _arrivals(network, currencies, addresses),
        _spent(network, addresses, fee_is_alone=fee_is_alone),
        _tokens_sent(network, addresses),
        _set_up(network, addresses),
        *inside(network, currencies, addresses),
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
    """Select deposits that brought something; a balance difference may have counted one before."""
    names = {currency.id: asset_of(currency) for currency in currencies}
    asset = case(names, value=Deposit.currency_id)
    again = and_(
        Deposit.status == "rejected",
        Deposit.reason.in_([COUNTED_AS_BALANCE, OWN_TRANSACTION, NOT_SHOWN, FORGOTTEN]),
    )
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
    units: ColumnElement[int] = (
        func.coalesce(Attempt.payer_spent_units, 0) - Attempt.payer_gained_units
    )
    if fee_is_alone:
        sent = and_(Attempt.success.is_(True), Attempt.intent["asset"].astext == NATIVE)
        units = units + case((sent, intended("units")), else_=0)
    return ours(network, literal(NATIVE), -units, Attempt.sender, addresses)


def _tokens_sent(
    network: str, addresses: Sequence[str] | None
) -> Select[str, str, int, int, bool, bool]:
    """Select the tokens that our successful transactions paid."""
    query = ours(network, intended_asset(), -intended("units"), Attempt.sender, addresses)
    undecided = Attempt.success.is_(None)
    sent = and_(Attempt.intent["asset"].astext != NATIVE, ~Attempt.intent.has_key("sources"))
    return query.where(sent, or_(Attempt.success.is_(True), undecided))


def _set_up(
    network: str, addresses: Sequence[str] | None
) -> Select[str, str, int, int, bool, bool]:
    """Select what setting up a lane moved into the lane's own account."""
    lane = (
        select(ApplicationWallet.address)
        .where(ApplicationWallet.network_id == network, ApplicationWallet.purpose == "nonce")
        .order_by(ApplicationWallet.id)
        .limit(1)
        .scalar_subquery()
    )
    # Set-ups of the time when there was one lane do not name it.
    made = func.coalesce(Attempt.nonce_account, lane)
    query = ours(network, literal(NATIVE), intended("lamports"), made, addresses)
    return query.where(Attempt.purpose == "setup", Attempt.success.is_(True))
