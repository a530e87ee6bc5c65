"""What merchants ask of the API, by hour and by day."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey


class _Counts:
    """Requests of one key to one endpoint in one span of time.

    Latency is in microseconds; `le_N` counts requests of at most N milliseconds that took
    longer than the bound before it.
    """

    merchant_id: Mapped[TextKey]
    livemode: Mapped[bool] = mapped_column(primary_key=True)
    route: Mapped[TextKey]
    method: Mapped[TextKey]
    key_id: Mapped[TextKey]
    requests: Mapped[int]
    errors_4xx: Mapped[int]
    errors_5xx: Mapped[int]
    limited: Mapped[int]
    micros_sum: Mapped[int]
    micros_max: Mapped[int]
    le_5: Mapped[int]
    le_10: Mapped[int]
    le_25: Mapped[int]
    le_50: Mapped[int]
    le_100: Mapped[int]
    le_250: Mapped[int]
    le_500: Mapped[int]
    le_1000: Mapped[int]
    le_2500: Mapped[int]
    le_5000: Mapped[int]
    slower: Mapped[int]


class UsageHour(_Counts, Table):
    """One hour, UTC; kept for 90 days."""

    __tablename__ = "usage_hour"
    hour: Mapped[datetime] = mapped_column(primary_key=True)


class UsageDay(_Counts, Table):
    """One day, UTC, summed up from its hours; kept for three years."""

    __tablename__ = "usage_day"
    day: Mapped[datetime] = mapped_column(primary_key=True)
