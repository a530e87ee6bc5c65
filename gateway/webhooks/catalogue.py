"""The names of everything that can be heard."""

EVERYTHING = "*"
PING = "ping"
EVENT_TYPES = frozenset(
    {
        "invoice.created",
        "invoice.payment_detected",
        "invoice.partially_paid",
        "invoice.processing",
        "invoice.payment_confirmed",
        "invoice.settled",
        "invoice.overpaid",
        "invoice.expired",
        "invoice.paid_late",
        "invoice.invalid",
        "invoice.canceled",
        "deposit.detected",
        "deposit.confirmed",
        "deposit.reorged",
        "deposit.unmatched",
        "withdrawal.created",
        "withdrawal.approved",
        "withdrawal.rejected",
        "withdrawal.canceled",
        "withdrawal.broadcast",
        "withdrawal.completed",
        "withdrawal.failed",
        "webhook_endpoint.disabled",
        PING,
    }
)
