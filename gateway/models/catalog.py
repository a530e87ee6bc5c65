"""Networks, currencies and what is published about them."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey, UnitsColumn


class Network(Table):
    """One configured chain."""

    __tablename__ = "network"
    id: Mapped[TextKey]
    family: Mapped[str]
    display_name: Mapped[str]
    identity: Mapped[str]
    test: Mapped[bool]
    local: Mapped[bool]
    enabled: Mapped[bool]
    disabled_reason: Mapped[str | None]
    final_confirmations: Mapped[int | None]


class Currency(Table):
    """One coin or token on one network: a payment method such as `USDT-TRON`."""

    __tablename__ = "currency"
    id: Mapped[TextKey]
    network_id: Mapped[str]
    code: Mapped[str]
    contract: Mapped[str | None]
    token_program: Mapped[str | None]
    decimals: Mapped[int]
    minimum_deposit_units: Mapped[UnitsColumn]
    withdrawal_fee_units: Mapped[UnitsColumn]
    automatic_approval_below_units: Mapped[UnitsColumn]
    fee_on_transfer: Mapped[bool] = mapped_column(default=False)
    enabled: Mapped[bool]


class NetworkHealth(Table):
    """How far a watcher has come, published every few seconds.

    `trouble` is the scan's, which payment methods hang on; `troubles` are those of other tasks:
    {task: {"reason", "since"}}.
    """

    __tablename__ = "network_health"
    network_id: Mapped[TextKey]
    head_height: Mapped[int]
    scanned_height: Mapped[int]
    final_height: Mapped[int]
    head_time: Mapped[datetime | None]
    trouble: Mapped[str | None]
    troubles: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    updated_at: Mapped[datetime]


class NetworkCondition(Table):
    """What merchants were last told of a network; `doubted_since` while it looks otherwise."""

    __tablename__ = "network_condition"
    network_id: Mapped[TextKey]
    degraded: Mapped[bool]
    since: Mapped[datetime]
    doubted_since: Mapped[datetime | None]


class PriceHistory(Table):
    """Price of one whole coin in a fiat currency: what a source said, or what was agreed on."""

    __tablename__ = "price_history"
    code: Mapped[TextKey]
    quote: Mapped[TextKey]
    source: Mapped[TextKey]
    price: Mapped[Decimal]
    at: Mapped[datetime] = mapped_column(primary_key=True)
    agreed: Mapped[bool]
