"""Operators' wishes that a transaction which waits be taken back."""

from datetime import datetime

from sqlalchemy.orm import Mapped

from gateway.models.columns import Table, TextKey


class CancelRequest(Table):
    """One wish; `answer` says what became of it once it has ended."""

    __tablename__ = "cancel_request"
    id: Mapped[TextKey]
    network_id: Mapped[str]
    order_id: Mapped[str]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    answer: Mapped[str | None]
    ended_at: Mapped[datetime | None]
