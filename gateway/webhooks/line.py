"""What the sender sends over, and as whom: judge the URL, sign, ask once, say what follows."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hmac import HMAC

from gateway.domain.moment import Moment
from gateway.webhooks.attempt import attempt
from gateway.webhooks.delivery import Answer, Delivery, Tried, judge
from gateway.webhooks.guard import Guard
from gateway.webhooks.secrets import EndpointSecrets
from gateway.webhooks.signing import headers, key_of

CACHED_MAX = 4096
"""Keys and judged URLs that are kept; both are pure functions of what they are kept for."""


class Line:
    """One attempt at a time of any delivery; it knows of no queue and of no database."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        guard: Guard,
        secrets: EndpointSecrets,
        clock: Callable[[], Moment],
    ) -> None:
        self.clock = clock
        self._session = session
        self._secrets = secrets
        self._keys = lru_cache(CACHED_MAX)(self._derive_keys)
        self._signers = lru_cache(CACHED_MAX)(self._derive_signers)
        self._url_fault = lru_cache(CACHED_MAX)(guard.url_fault)

    async def send(self, delivery: Delivery, moment: Moment) -> Tried:
        """Make the next attempt."""
        answer = await self._answer(delivery, moment)
        landed = self.clock()
        verdict = judge(answer, delivery.attempts + 1, landed.at, landed.randomness)
        return Tried(delivery, answer, landed.at, verdict)

    async def _answer(self, delivery: Delivery, moment: Moment) -> Answer:
        if (fault := self._url_fault(delivery.url)) is not None:
            return Answer(0, error=fault)
        whose = (delivery.endpoint_id, delivery.secret_version, delivery.previous_signs)
        signers = self._signers(*whose) if delivery.ed25519 else ()
        signature = headers(
            self._keys(*whose), delivery.event_id, moment.at, delivery.body, signers
        )
        return await attempt(self._session, delivery, signature, moment)

    def _derive_keys(self, endpoint_id: str, last: int, previous: bool) -> Sequence[HMAC]:  # noqa: FBT001 - from a row
        secret = self._secrets.of
        return [key_of(secret(endpoint_id, each)) for each in _signing(last, previous=previous)]

    def _derive_signers(
        self,
        endpoint_id: str,
        last: int,
        previous: bool,  # noqa: FBT001 - from a row
    ) -> Sequence[Ed25519PrivateKey]:
        signer = self._secrets.signer
        return [signer(endpoint_id, each) for each in _signing(last, previous=previous)]


def _signing(last: int, *, previous: bool) -> Sequence[int]:
    """Return the versions of a secret that sign, newest first."""
    return (last, last - 1) if previous and last > 1 else (last,)
