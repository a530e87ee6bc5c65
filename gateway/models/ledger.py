"""Double entry: wallets, journals, and the postings that are the only way to change a wallet."""

from datetime import datetime

from sqlalchemy import FetchedValue
from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import SerialKey, Table, Units, UnitsColumn


class Wallet(Table):
    """Balance of one account in one currency; only the database's trigger writes it."""

    __tablename__ = "wallet"
    id: Mapped[SerialKey]
    account: Mapped[str]
    merchant_id: Mapped[str | None]
    currency_id: Mapped[str]
    confirmed: Mapped[UnitsColumn]
    locked: Mapped[UnitsColumn]
    version: Mapped[int]
    head_hash: Mapped[bytes | None]


class Journal(Table):
    """One event in the world; `(kind, ref)` is unique for good."""

    __tablename__ = "journal"
    id: Mapped[SerialKey]
    kind: Mapped[str]
    ref: Mapped[str]
    merchant_id: Mapped[str | None]
    at: Mapped[datetime]


class BalanceHistory(Table):
    """One posting. The trigger fills wallet, before, after and hash."""

    __tablename__ = "balance_history"
    wallet_id: Mapped[int] = mapped_column(primary_key=True, server_default=FetchedValue())
    version: Mapped[int] = mapped_column(primary_key=True, server_default=FetchedValue())
    journal_id: Mapped[int]
    account: Mapped[str]
    merchant_id: Mapped[str | None] = mapped_column(server_default=FetchedValue())
    currency_id: Mapped[str]
    change_type: Mapped[str]
    delta_confirmed: Mapped[UnitsColumn]
    delta_locked: Mapped[UnitsColumn]
    confirmed_before: Mapped[int] = mapped_column(Units, server_default=FetchedValue())
    confirmed_after: Mapped[int] = mapped_column(Units, server_default=FetchedValue())
    locked_before: Mapped[int] = mapped_column(Units, server_default=FetchedValue())
    locked_after: Mapped[int] = mapped_column(Units, server_default=FetchedValue())
    previous_hash: Mapped[bytes | None] = mapped_column(server_default=FetchedValue())
    hash: Mapped[bytes] = mapped_column(server_default=FetchedValue())
    at: Mapped[datetime]
