"""Chain against ledger: what the newest look at each asset found, and what holds it back."""

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey, UnitsColumn


class Reconciliation(Table):
    """The three figures of one asset at one final block, in base units."""

    __tablename__ = "reconciliation"
    currency_id: Mapped[TextKey]
    network_id: Mapped[str]
    height: Mapped[int]
    chain_units: Mapped[UnitsColumn]
    ledger_units: Mapped[UnitsColumn]
    expected_units: Mapped[UnitsColumn]
    acknowledged_units: Mapped[UnitsColumn]
    addresses: Mapped[int]
    checked_at: Mapped[datetime]


class AddressDrift(Table):
    """One address that holds something else than our rows say."""

    __tablename__ = "address_drift"
    currency_id: Mapped[TextKey]
    network_id: Mapped[str]
    address: Mapped[TextKey]
    units: Mapped[UnitsColumn]
    acknowledged_units: Mapped[UnitsColumn]
    reason: Mapped[str]
    since: Mapped[datetime]


class ReconciliationMark(Table):
    """Up to when a network's expired invoices were looked at once more."""

    __tablename__ = "reconciliation_mark"
    network_id: Mapped[TextKey]
    expiries_through: Mapped[datetime]


class SignatureDrift(Table):
    """One transaction of which the keystore's journal and our rows do not say the same.

    `number` is the keystore's, None where its journal has none; amounts are of this currency, by
    the journal and by our rows.
    """

    __tablename__ = "signature_drift"
    currency_id: Mapped[TextKey]
    network_id: Mapped[str]
    tx_hash: Mapped[TextKey]
    order_id: Mapped[str]
    number: Mapped[int | None]
    signed_units: Mapped[UnitsColumn]
    known_units: Mapped[UnitsColumn]
    acknowledged: Mapped[bool]
    reason: Mapped[str]
    since: Mapped[datetime]


class SignatureMark(Table):
    """Up to which number a network's signatures were compared on the way through the journal."""

    __tablename__ = "signature_mark"
    network_id: Mapped[TextKey]
    number: Mapped[int]
    checked_at: Mapped[datetime]


class AssetHold(Table):
    """Why payouts of an asset wait; `address` is empty where the whole asset is meant."""

    __tablename__ = "asset_hold"
    currency_id: Mapped[TextKey]
    network_id: Mapped[str]
    cause: Mapped[TextKey]
    address: Mapped[TextKey]
    reason: Mapped[str]
    since: Mapped[datetime]


class AssetCheck(Table):
    """An asset as it was when it was last right."""

    __tablename__ = "asset_check"
    currency_id: Mapped[TextKey]
    network_id: Mapped[str]
    decimals: Mapped[int]
    fingerprint: Mapped[dict[str, Any]]
    findings: Mapped[list[Any]] = mapped_column(JSONB)
    checked_at: Mapped[datetime]
