"""What the world sees of a simulation."""

from datetime import datetime

import msgspec

from gateway.models import Simulation


class SimulationDocument(msgspec.Struct, kw_only=True):
    """`status` is pending, running, done or failed (with its `reason`).

    One that is still pending after `expires_at` was heard by no watcher and never will be.
    """

    id: str
    object: str
    invoice_id: str
    case: str
    network: str
    payment_method: str
    status: str
    reason: str | None
    tx_hash: str | None
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None


def simulation_document(row: Simulation) -> SimulationDocument:
    """Shape one simulation from its row."""
    return SimulationDocument(
        id=row.id,
        object="simulation",
        invoice_id=row.invoice_id,
        case=row.scenario,
        network=row.network_id,
        payment_method=row.currency_id,
        status=row.status,
        reason=row.reason,
        tx_hash=row.tx_hash,
        created_at=row.created_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
    )
