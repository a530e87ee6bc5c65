"""What docs/webhooks.md tells a merchant to paste works on what we send."""

import asyncio
import os
import re
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import svix.webhooks

from devnet.tied import tied
from tests.conftest import FreshDatabase
from tests.gateway.worker.world import all_are, eventually, receiving, world

pytestmark = pytest.mark.anyio

MODULES = Path(__file__).parents[3] / "devnet" / "node_modules"
GUIDE = Path(__file__).parents[3] / "docs" / "webhooks.md"


def example() -> Any:
    """Return the function of the guide's only Python block."""
    [code] = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(GUIDE), "exec"), names)  # noqa: S102 - our own page
    return names["receive"]


async def test_the_python_example_accepts_ours_and_nothing_else(
    database: FreshDatabase,
) -> None:
    """A real delivery passes; one changed byte or another secret does not."""
    receive = example()
    async with world(database) as w, receiving() as shop:
        await w.endpoint(shop.url)
        [event_id] = await w.emit("inv_1")
        async with w.working():
            await eventually(all_are(w, "succeeded"))
        [sent] = shop.requests
        status, event = receive(w.secret(), sent.headers, sent.body)
        assert (status, event["id"]) == (204, event_id)
        assert receive(w.secret(), sent.headers, sent.body + b" ") == (401, None)
        assert receive(w.secret("whe_2"), sent.headers, sent.body) == (401, None)
        for broken in ("v1,%", "v1", "nothing"):
            headers = {**sent.headers, "webhook-signature": broken}
            assert receive(w.secret(), headers, sent.body) == (401, None)


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.webhooks.Webhook])
async def test_python_libraries_accept_ours_through_a_rotation(
    database: FreshDatabase, library: Callable[[str], Any]
) -> None:
    """Both secrets verify while both sign; afterwards the old one does not."""
    async with world(database) as w, receiving() as shop:
        old, new = library(w.secret(version=1)), library(w.secret(version=2))
        await w.endpoint(shop.url, version=2, overlap=timedelta(hours=1))
        async with w.working():
            await w.emit("inv_1")
            await eventually(all_are(w, "succeeded"))
            await w.execute("UPDATE webhook_endpoint SET previous_until = now()")
            await w.emit("inv_2")
            await eventually(all_are(w, "succeeded"))
        during, after = shop.requests
        old.verify(during.body, dict(during.headers))
        for sent in (during, after):
            new.verify(sent.body, dict(sent.headers))
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            old.verify(after.body, dict(after.headers))


@contextmanager
def served(home: Path, library: str, secret: str) -> Iterator[str]:
    """Run the guide's JavaScript example with one of the two libraries; yield its URL."""
    [code] = re.findall(r"```js\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (home / "hook.mjs").write_text(code.replace('"standardwebhooks"', f'"{library}"'))
    (home / "node_modules").symlink_to(MODULES)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)}
    process = subprocess.Popen(
        tied(["node", str(home / "hook.mjs")]), env=environment, stdout=subprocess.DEVNULL
    )
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    """Tell whether somebody listens there."""
    with suppress(OSError), caller(url):
        return True
    return False


_HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"


def hang_up(url: str) -> None:
    """Announce more than is sent, and reset the connection."""
    with caller(url) as line:
        line.sendall(_HEAD + b"abc")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def talk_on(url: str) -> None:
    """Send more than any event has, until we are answered or cut off."""
    with caller(url) as line, suppress(ConnectionError):
        line.sendall(_HEAD + b"x" * (1 << 21))
        line.recv(1)


def caller(url: str) -> socket.socket:
    """Connect to a receiver; whoever waits for it for longer than this has a `TimeoutError`."""
    host, port = url.removeprefix("http://").strip("/").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("library", ["standardwebhooks", "svix"])
async def test_the_javascript_example_accepts_ours_through_a_rotation(
    database: FreshDatabase, tmp_path: Path, library: str
) -> None:
    """The receiver holds the old secret while both sign; afterwards it refuses.

    Strangers who hang up in the middle or never end do not stop it.
    """
    async with world(database) as w:
        with served(tmp_path, library, w.secret(version=1)) as url:
            await eventually(lambda: answers(url))
            await asyncio.to_thread(hang_up, url)
            await asyncio.to_thread(talk_on, url)
            await w.endpoint(url, version=2, overlap=timedelta(hours=1), ed25519=True)
            async with w.working():
                await w.emit("inv_1")
                await eventually(all_are(w, "succeeded"))
                await w.execute("UPDATE webhook_endpoint SET previous_until = now()")
                await w.emit("inv_2")

                async def refused() -> bool:
                    return [row.response_status for row in await w.deliveries()] == [204, 401]

                await eventually(refused)
