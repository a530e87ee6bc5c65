"""What operators see of a pause."""

from datetime import datetime

import msgspec

from gateway.models import Pause


class PauseDocument(msgspec.Struct, kw_only=True):
    """Payouts that wait: those that fit all of network, payment method and merchant.

    Null means any. The reason stands on the withdrawals that wait, where merchants read it.
    """

    id: str
    object: str
    livemode: bool
    network: str | None
    payment_method: str | None
    merchant_id: str | None
    reason: str
    active: bool
    created_by: str
    created_at: datetime
    lifted_by: str | None
    lifted_at: datetime | None


def pause_document(row: Pause) -> PauseDocument:
    """Shape one pause."""
    return PauseDocument(
        id=row.id,
        object="pause",
        livemode=row.livemode,
        network=row.network_id,
        payment_method=row.currency_id,
        merchant_id=row.merchant_id,
        reason=row.reason,
        active=row.lifted_at is None,
        created_by=row.created_by,
        created_at=row.created_at,
        lifted_by=row.lifted_by,
        lifted_at=row.lifted_at,
    )
