"""What a merchant orders, and the desk where its requests are served."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.noting import Noting
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Order:
    """A merchant's wish. None takes the merchant's default, or every available method.

    Without an amount the invoice takes whatever comes. `reuse_pending` answers the pending
    invoice of the same `order_id` where it asks for the same.
    """

    amount: str | None
    currency: str
    payment_methods: Sequence[str] | None = None
    activate: Sequence[str] = ()
    order_id: str | None = None
    description: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    expires_in: timedelta | None = None
    tolerance_basis_points: int | None = None
    confirmations: int | None = None
    success_url: str | None = None
    cancel_url: str | None = None
    customer_id: str | None = None
    reuse_pending: bool = False


@dataclass(frozen=True, slots=True)
class Desk(Noting):
    """What every use case needs: the transaction, who asks, the rules, the moment."""

    session: AsyncSession
    actor: Actor
    settings: Settings
    moment: Moment
