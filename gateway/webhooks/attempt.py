"""One attempt: a signed POST, and the answer in our own words.

The answer's bytes come from a stranger: at most 16 KiB are read, at most 2 KiB are kept.
"""

import asyncio

import aiohttp
from yarl import URL

from gateway.domain.moment import Moment
from gateway.webhooks.delivery import Answer, Delivery, retry_after
from gateway.webhooks.guard import AddressRefused

READ_BYTES_MAX = 16 * 1024
KEPT_BYTES_MAX = 2 * 1024

_FIXED_HEADERS = {
    "content-type": "application/json",
    "accept-encoding": "identity",
    "user-agent": "cryptic-gateway/1",
}


async def attempt(
    session: aiohttp.ClientSession,
    delivery: Delivery,
    signature: dict[str, str],
    moment: Moment,
) -> Answer:
    """Send once to a URL that was judged; every trouble on the way is an answer too."""
    loop = asyncio.get_running_loop()
    begun = loop.time()

    def elapsed() -> int:
        return round((loop.time() - begun) * 1000)

    try:
        async with session.post(
            URL(delivery.url),
            data=aiohttp.BytesPayload(delivery.body),
            headers={**_FIXED_HEADERS, **signature},
            allow_redirects=False,
        ) as response:
            return Answer(
                elapsed(),
                status=response.status,
                body=await _body(response),
                retry_after=retry_after(response.headers.get("retry-after"), moment.at),
            )
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as trouble:
        return Answer(elapsed(), error=in_words(trouble))


async def _body(response: aiohttp.ClientResponse) -> str | None:
    """Return the beginning of the body; the status has spoken, so its loss is no failure."""
    kept = bytearray()
    try:
        while len(kept) < READ_BYTES_MAX:
            chunk = await response.content.read(READ_BYTES_MAX - len(kept))
            kept += chunk
            if not chunk or response.content.at_eof():
                break
        else:
            response.close()  # the rest of it is not waited for, nor the connection kept
    except (aiohttp.ClientError, TimeoutError, OSError):
        response.close()
    # PostgreSQL's text holds no zero byte.
    text = kept[:KEPT_BYTES_MAX].decode("utf-8", "replace").replace("\x00", "\ufffd")
    return text or None


def in_words(trouble: Exception) -> str:
    """Say what went wrong without quoting it: addresses inside our network stay unsaid."""
    if isinstance(trouble, aiohttp.ClientConnectorError) and isinstance(
        trouble.os_error, AddressRefused
    ):
        return str(trouble.os_error)
    for kind, words in _WORDS:
        if isinstance(trouble, kind):
            return words
    return "the request failed"


_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "no answer in time"),
    (aiohttp.ClientConnectorDNSError, "the host name cannot be resolved"),
    (aiohttp.ClientConnectorCertificateError, "the certificate is not valid for this host"),
    (aiohttp.ClientSSLError, "there is no TLS connection to be had"),
    (aiohttp.ClientConnectorError, "the connection was refused"),
    (aiohttp.InvalidURL, "this is not a URL"),
    (aiohttp.ServerDisconnectedError, "the connection was closed without an answer"),
    (aiohttp.ClientOSError, "the connection broke"),
    (aiohttp.ClientResponseError, "the answer is not HTTP"),
)
