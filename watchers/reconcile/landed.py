"""Our landed transactions as a relation of changes: one row for each holding that they touch."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Select, case, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute

from gateway.models import Attempt
from gateway.models.columns import Units

LANDED = Attempt.block_height.is_not(None)


def ours(
    network: str,
    asset: ColumnElement[str],
    units: ColumnElement[int],
    address: ColumnElement[str] | InstrumentedAttribute[str],
    addresses: Sequence[str] | None,
) -> Select[str, str, int, int, bool, bool]:
    """Select one change of every landed transaction of ours, or of these addresses."""
    query = select(
        address.label("address"),
        asset.label("asset"),
        func.coalesce(Attempt.block_height, 0).label("height"),
        units.label("units"),
        (Attempt.state == "included").label("in_flight"),
        Attempt.success.is_(None).label("undecided"),
    ).where(Attempt.network_id == network, LANDED)
    return query if addresses is None else query.where(address.in_(addresses))


def intended_asset() -> ColumnElement[str]:
    """Return an intent's asset as `asset_key` writes it: hex in lower case, base58 as it stands."""
    return _one_spelling(Attempt.intent["asset"].astext)


def recipient() -> ColumnElement[str]:
    """Return whom an intent pays, in the same spelling."""
    return _one_spelling(Attempt.intent["to"].astext)


def _one_spelling(text: ColumnElement[str]) -> ColumnElement[str]:
    return case((text.startswith("0x"), func.lower(text)), else_=text)


def intended(name: str) -> ColumnElement[int]:
    """Return a number of an intent, 0 where it says none."""
    return func.coalesce(cast(Attempt.intent[name].astext, Units), 0)
