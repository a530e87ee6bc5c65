"""SMS and chat: only services at an address of their own, whatever a merchant writes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from gateway.notifications.delivery import Letter
from gateway.notifications.services import SERVICES, fault_of, send_through
from tests.gateway.conftest import TestApi

ADDRESSES = {
    "discord": "discord://123456789/abcdefghijk",
    "gchat": "gchat://space/key/token",
    "msgbird": "msgbird://" + "a" * 25 + "/15551231234/15551231234",
    "plivo": "plivo://" + "a" * 25 + "@" + "b" * 30 + "/15551231234/15551231235",
    "pover": "pover://" + "u" * 30 + "@" + "a" * 30,
    "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    "tgram": "tgram://123456789:abcdefg_hijklmnop/12315544/",
    "twilio": "twilio://AC" + "a" * 32 + ":" + "b" * 32 + "@15551231234/15551231235",
    "vonage": "vonage://" + "a" * 8 + ":" + "b" * 16 + "@15551231234/15551231235",
}
"""One good address per service."""
HOSTS = frozenset(
    {
        "api.plivo.com",
        "api.pushover.net",
        "api.telegram.org",
        "api.twilio.com",
        "chat.googleapis.com",
        "discord.com",
        "hooks.slack.com",
        "hooks.slack-gov.com",
        "rest.messagebird.com",
        "rest.nexmo.com",
        "slack.com",
        "slack-gov.com",
    }
)
"""Everywhere that the plugins go."""
HOSTILE = (
    "{scheme}://127.0.0.1:{port}",
    "{scheme}://user:password@127.0.0.1:{port}/a/b/c",
    "{scheme}://127.0.0.1:{port}/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    "{scheme}://123456789:abcdefg_hijklmnop@127.0.0.1:{port}/12315544",
    "{scheme}://xoxb-1234-1234-abc124@127.0.0.1:{port}/#general",
)
FOREIGN = (
    "json", "jsons", "xml", "form", "gotify", "ntfy", "matrix", "mmost", "rocket", "syslog", "dbus",
    "mailto", "mailtos", "apprise", "http", "https", "file", "smtp", "nctalk", "kodi", "mqtt", "workflows",
)  # fmt: skip


def _letter(target: str) -> Letter:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return Letter("ntf_1", "mer_1", "test", "phone", "Hello", "there", 1, at, target)


class Proxy:
    """A proxy on 127.0.0.1 that notes who is asked for, lets nobody through; and a trap beside it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._trap = socket.create_server(("127.0.0.1", 0))
        self._door = socket.create_server(("127.0.0.1", 0))
        self.trap_port: int = self._trap.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def trapped(self) -> int:
        """Return how many connections came to the trap."""
        self._trap.setblocking(False)  # noqa: FBT003 - the socket's own word
        count = 0
        with suppress(BlockingIOError):
            while True:
                self._trap.accept()[0].close()
                count += 1
        return count

    def close(self) -> None:
        """Stop listening."""
        self._door.close()
        self._trap.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._door.accept()
                with connection:
                    line = connection.recv(4096).split(b"\r\n")[0].decode()
                    self.asked.append(line.split(" ")[1])
                    connection.sendall(b"HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Send everything that Apprise dials to a proxy of the test."""
    made = Proxy()
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, made.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield made
    made.close()


def test_every_service_stands_at_a_host_of_its_own(proxy: Proxy) -> None:
    """Each plugin, with good addresses and with those that name us, dials these hosts only."""
    assert set(ADDRESSES) == set(SERVICES)
    for scheme, good in ADDRESSES.items():
        assert fault_of(good) is None, scheme
        assert send_through(_letter(good)).kind == "later"
        for shape in HOSTILE:
            send_through(_letter(shape.format(scheme=scheme, port=proxy.trap_port)))
    assert len(proxy.asked) >= len(ADDRESSES)
    assert set(proxy.asked) <= {f"{host}:443" for host in HOSTS}
    assert proxy.trapped() == 0


def test_whatever_takes_its_host_from_the_address_is_refused(proxy: Proxy) -> None:
    """Other services, options that weaken TLS, native URLs: not registered, and not dialled."""
    refused = [f"{scheme}://127.0.0.1:{proxy.trap_port}/x" for scheme in FOREIGN]
    refused += [f"{good}?verify=no&rto=9999" for good in ADDRESSES.values()]
    refused += ["", "tgram", "https://hooks.slack.com.evil.example/services/T/B/x", "tgram://"]
    for address in refused:
        assert fault_of(address) is not None, address
        assert send_through(_letter(address)).kind == "refused", address
    assert (proxy.asked, proxy.trapped()) == ([], 0)


@pytest.mark.anyio
async def test_a_target_is_kept_sealed_and_belongs_to_its_merchant(api: TestApi) -> None:
    """Its address is in no answer, no audit row and no plain column; others find nothing."""
    _, key = await api.merchant_and_key()
    _, other = await api.merchant_and_key()
    body = {"name": "team", "address": ADDRESSES["tgram"]}
    made = await api.call("POST", "/v1/notification_targets", key, json=body)
    assert made.status_code == 201, made.text
    target = made.json()
    assert (target["channel"], target["service"]) == ("chat", "tgram")
    again = await api.call("POST", "/v1/notification_targets", key, json=body)
    assert (again.status_code, again.json()["code"]) == (409, "target_exists")
    broken = await api.call(
        "POST", "/v1/notification_targets", key, json={**body, "name": "team\n"}
    )
    assert (broken.status_code, broken.json()["errors"][0]["pointer"]) == (422, "/name")
    wrong = {"name": "x", "address": "json://127.0.0.1"}
    refused = await api.call("POST", "/v1/notification_targets", key, json=wrong)
    assert refused.json()["errors"][0]["pointer"] == "/address"
    path = f"/v1/notification_targets/{target['id']}"
    for method, where in (("GET", path), ("DELETE", path), ("POST", f"{path}/test")):
        assert (await api.call(method, where, other)).status_code == 404
    assert (await api.call("GET", "/v1/notification_targets", other)).json()["data"] == []
    tested = await api.call("POST", f"{path}/test", key)
    assert tested.status_code == 202
    kept = await api.rows("SELECT t.*::text AS kept FROM notification_target t")
    audited = await api.rows("SELECT a.*::text AS kept FROM audit_log a")
    listed = (await api.call("GET", "/v1/notification_targets", key)).text
    assert "abcdefg" not in f"{kept}{audited}{listed}{made.text}"
    assert (await api.call("DELETE", path, key)).status_code == 204
    [row] = await api.rows(
        "SELECT sealed FROM notification_target WHERE id = :id", id=target["id"]
    )
    assert row.sealed is None
    assert (
        await api.call("POST", "/v1/notification_targets", key, json=body)
    ).status_code == 201


@pytest.mark.anyio
async def test_the_place_of_alerts_does_not_go_in_silence(api: TestApi) -> None:
    """Whoever removes a target that alerts go to is told of by mail; another one goes quietly."""
    merchant_id, key = await api.merchant_and_key()
    await api.call("PATCH", "/v1/merchant", key, json={"email": "boss@shop.example"})
    wishes = {"notifications": {"security.alert": ["email", "chat"]}}
    await api.call("PATCH", "/v1/settings", key, json=wishes)
    query = "SELECT kind FROM notification WHERE merchant_id = :id AND kind = 'security.alerts_moved'"
    before = len(await api.rows(query, id=merchant_id))
    for service, letters in (("twilio", 0), ("tgram", 1)):
        body = {"name": service, "address": ADDRESSES[service]}
        made = await api.call("POST", "/v1/notification_targets", key, json=body)
        path = f"/v1/notification_targets/{made.json()['id']}"
        assert (await api.call("DELETE", path, key)).status_code == 204
        assert len(await api.rows(query, id=merchant_id)) == before + letters


@pytest.mark.anyio
async def test_one_test_of_a_target_is_under_way_at_a_time(api: TestApi) -> None:
    """A queue full of tests that fail would stand before everybody else's messages."""
    _, key = await api.merchant_and_key()
    body = {"name": "team", "address": ADDRESSES["tgram"]}
    made = await api.call("POST", "/v1/notification_targets", key, json=body)
    path = f"/v1/notification_targets/{made.json()['id']}/test"
    answers = [await api.call("POST", path, key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 409]
    assert answers[1].json()["code"] == "test_under_way"
    await api.rows("UPDATE notification SET status = 'failed' WHERE kind = 'test' RETURNING 1")
    assert (await api.call("POST", path, key)).status_code == 202
