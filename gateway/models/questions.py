"""What the API wants to know of a node, and what the network's watcher answered."""

from datetime import datetime
from typing import Any

from sqlalchemy import FetchedValue
from sqlalchemy.orm import Mapped, mapped_column

from gateway.models.columns import Table, TextKey


class Question(Table):
    """One question; `asker` is a merchant's id or an operator's key."""

    __tablename__ = "question"
    id: Mapped[TextKey]
    asker: Mapped[str]
    kind: Mapped[str]
    network_id: Mapped[str]
    body: Mapped[dict[str, Any]]
    operator: Mapped[bool]
    asked_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())
    expires_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())
    answer: Mapped[dict[str, Any] | None]
    answered_at: Mapped[datetime | None]
