"""The names of everything that can be heard."""

from gateway.notifications.kinds import ALERT

EVERYTHING = "*"
PING = "ping"
DEGRADED = "network.degraded"
RECOVERED = "network.recovered"
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
        "invoice.updated",
        "invoice.rate_refreshed",
        "customer.balance_changed",
        "deposit.detected",
        "deposit.confirmed",
        "deposit.reorged",
        "deposit.unmatched",
        "subscription.created",
        "subscription.billed",
        "subscription.activated",
        "subscription.renewed",
        "subscription.past_due",
        "subscription.changed",
        "subscription.paused",
        "subscription.resumed",
        "subscription.canceled",
        "subscription.ended",
        "withdrawal.created",
        "withdrawal.approved",
        "withdrawal.rejected",
        "withdrawal.canceled",
        "withdrawal.broadcast",
        "withdrawal.completed",
        "withdrawal.failed",
        "refund.created",
        "refund.completed",
        "commission.earned",
        "commission.reversed",
        DEGRADED,
        RECOVERED,
        "webhook_endpoint.disabled",
        ALERT,
        PING,
    }
)
