"""Webhooks: whether a delivery is the gateway's, and which event it is."""

from collections.abc import Mapping

from standardwebhooks import Webhook, WebhookVerificationError

from cryptic_gateway.documents import Event
from cryptic_gateway.policy import decoded
from cryptic_gateway.problems import GatewayError


class WebhookRefused(GatewayError):
    """Not signed with this endpoint's secret, too old, or altered: answer 401."""


class Webhooks:
    """Verifies deliveries to one endpoint (Standard Webhooks).

    During a rotation give both secrets. Keep the ids of the events you have done: a delivery may
    come twice.
    """

    def __init__(self, *secrets: str) -> None:
        if not secrets:
            raise ValueError("an endpoint has a secret")
        self._verifiers = [Webhook(secret) for secret in secrets]

    def verified(self, headers: Mapping[str, str], body: bytes) -> Event:
        """Return the event of a genuine delivery; `body` is the bytes as they came in.

        Raises `Unintelligible` for a genuine one that this version cannot read.
        """
        lower = {name.lower(): value for name, value in headers.items()}
        for verifier in self._verifiers:
            # The library lets what cannot be read at all, such as a signature without a comma,
            # through as a `ValueError`: anybody can send that.
            try:
                verifier.verify(body, lower, json_parse=False)
            except (WebhookVerificationError, ValueError):
                continue
            return decoded(body, Event)
        raise WebhookRefused("no secret of this endpoint signed these bytes just now")
