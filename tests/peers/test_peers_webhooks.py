"""What others tell with their webhooks beside the event, looked for in ours."""

import pytest

from tests.conftest import FreshDatabase
from tests.gateway.worker.world import all_are, eventually, receiving, world

pytestmark = pytest.mark.anyio

ALLOWED = {
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "content-type",
    "content-length",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
}


async def test_peer_m6_a_webhook_carries_no_key_of_ours(database: FreshDatabase) -> None:
    """SHKeeper sends its one API key, which is also the signing secret, to every address."""
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url)
        await w.emit("inv_1")
        async with w.working():
            await eventually(all_are(w, "succeeded"))
        [request] = shop.requests
        request.verify(w.secret())
        assert set(request.headers) <= ALLOWED
        sent = repr(request.headers).encode() + request.body
        master = w.settings.secret("webhooks.master_secret_file")
        for secret in (w.secret(), master, "gw_live_", "gw_test_", "whsec_", "Bearer"):
            assert secret.encode() not in sent
