"""Hours become days: the worker sums them up again and again until a day is over for good."""

from datetime import timedelta

from sqlalchemy import DateTime, bindparam, delete, func, literal_column, select
from sqlalchemy.dialects.postgresql import Insert, insert

from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.models import UsageDay, UsageHour
from gateway.usage.counting import HISTOGRAM

KEPT = timedelta(days=90)
"""How long hours are kept; days stay."""
LATE = timedelta(days=1)
"""A day is summed up until one more day is over: what was counted late still finds its way."""
SUMS = ("requests", "errors_4xx", "errors_5xx", "limited", "micros_sum", *HISTOGRAM)
KEYS = ("merchant_id", "livemode", "route", "method", "key_id")

_DAY = func.date_trunc("day", UsageHour.hour, literal_column("'UTC'"))


async def roll_up(database: Database, moment: Moment) -> None:
    """Sum up every day that is not over for good; forget hours that are long over."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        last = await session.scalar(select(func.max(UsageDay.day)))
        since = moment.at - KEPT - LATE if last is None else last - LATE
        await session.execute(_ROLL_UP, {"since": since})
        await session.execute(delete(UsageHour).where(UsageHour.hour < moment.at - KEPT))


def _statement() -> Insert:
    keys = [getattr(UsageHour, name) for name in KEYS]
    sums = [func.sum(getattr(UsageHour, name)).label(name) for name in SUMS]
    worst = func.max(UsageHour.micros_max).label("micros_max")
    hours = (
        select(*keys, _DAY.label("day"), *sums, worst)
        .where(UsageHour.hour >= bindparam("since", type_=DateTime(timezone=True)))
        .group_by(*keys, _DAY)
    )
    days = insert(UsageDay.metadata.tables[UsageDay.__tablename__]).from_select(
        [*KEYS, "day", *SUMS, "micros_max"], hours
    )
    changed = {name: days.excluded[name] for name in (*SUMS, "micros_max")}
    return days.on_conflict_do_update(
        index_elements=["merchant_id", "day", "livemode", "route", "method", "key_id"],
        set_=changed,
    )


_ROLL_UP = _statement()
