"""What the house moves between its own addresses: it leaves one holding and reaches another.

What it stakes is still its own: a holding that no chain is asked for.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, and_, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB

from gateway.models import Attempt, Currency, Deposit, Transaction
from gateway.models.columns import Units
from watchers.chain import asset_of
from watchers.network import NATIVE
from watchers.reconcile.landed import intended, intended_asset, ours, recipient

STAKE = "staked"
"""The holding that staked coins lie in."""
INSIDE = ("sweep", "top_up", "refill", "cold")
"""Purposes whose recipient is an address of ours."""
BESIDE = Attempt.intent["sources"][0]
"""The source of a sweep; where it names an account, it is the only one."""


def inside(
    network: str, currencies: Sequence[Currency], addresses: Sequence[str] | None
) -> list[Select[str, str, int, int, bool, bool]]:
    """Select what our own transactions moved from one holding of ours to another."""
    return [
        _received(network, addresses),
        *_swept(network, addresses),
        *_staked(network, addresses),
        *_brought_back(network, currencies, addresses),
    ]


def _brought_back(
    network: str, currencies: Sequence[Currency], addresses: Sequence[str] | None
) -> list[Select[str, str, int, int, bool, bool]]:
    """Select what left cold storage for another wallet of ours, and what that cost."""
    names = {currency.id: asset_of(currency) for currency in currencies}
    no = literal(False)  # noqa: FBT003 - SQL

    def moved(
        asset: ColumnElement[str], units: ColumnElement[int]
    ) -> Select[str, str, int, int, bool, bool]:
        query = select(
            Deposit.sender.label("address"),
            asset.label("asset"),
            Deposit.block_height.label("height"),
            units.label("units"),
            (Deposit.status == "pending").label("in_flight"),
            no.label("undecided"),
        ).where(
            Deposit.network_id == network,
            Deposit.purpose == "internal",
            Deposit.status.in_(["pending", "confirmed"]),
        )
        return query if addresses is None else query.where(Deposit.sender.in_(addresses))

    fee = moved(literal(NATIVE), -Transaction.payer_spent_units).join(
        Transaction,
        and_(
            Transaction.network_id == Deposit.network_id, Transaction.tx_hash == Deposit.tx_hash
        ),
    )
    # One fee for each transaction, however many transfers it made.
    first = select(func.min(Deposit.id)).where(
        Deposit.network_id == network, Deposit.purpose == "internal"
    )
    alone = Deposit.id.in_(first.group_by(Deposit.tx_hash))
    return [moved(case(names, value=Deposit.currency_id), -Deposit.units), fee.where(alone)]


def _received(
    network: str, addresses: Sequence[str] | None
) -> Select[str, str, int, int, bool, bool]:
    """Select what reached an address of ours: one sender, one recipient."""
    query = ours(network, intended_asset(), intended("units"), recipient(), addresses)
    return query.where(
        Attempt.purpose.in_(INSIDE), Attempt.success.is_(True), Attempt.intent.has_key("to")
    )


def _swept(
    network: str, addresses: Sequence[str] | None
) -> list[Select[str, str, int, int, bool, bool]]:
    """Select what several addresses lost in one transaction, and the tokens their payer gained.

    The coins that he gained are in his own change already. Tokens that lay beside an address's
    canonical account were no holding, and are a deposit where they arrive.
    """
    source = (
        func.jsonb_array_elements(Attempt.intent["sources"])
        .table_valued("value", joins_implicitly=True)
        .alias("source")
    )
    value = cast(source.c.value, JSONB)
    units = cast(value["units"].astext, Units)
    landed = and_(
        Attempt.success.is_(True), Attempt.intent.has_key("sources"), ~BESIDE.has_key("account")
    )
    lost = ours(network, intended_asset(), -units, value["address"].astext, addresses).where(
        landed
    )
    gained = ours(network, intended_asset(), units, Attempt.sender, addresses)
    return [lost, gained.where(landed, Attempt.intent["asset"].astext != NATIVE)]


def _staked(
    network: str, addresses: Sequence[str] | None
) -> list[Select[str, str, int, int, bool, bool]]:
    """Select coins that the gas wallet staked: they left its balance and are still ours."""
    stake = and_(Attempt.success.is_(True), Attempt.intent["action"].astext == "stake")
    coin, units = literal(NATIVE), intended("units")
    away = ours(network, coin, -units, Attempt.sender, addresses).where(stake)
    return [away, ours(network, coin, units, literal(STAKE), addresses).where(stake)]
