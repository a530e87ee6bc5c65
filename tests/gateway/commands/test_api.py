"""`gateway api` as its own process."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import text

from gateway.__main__ import main
from gateway.postgres.connect import connected
from tests.conftest import FreshDatabase
from tests.gateway.commands.served import write_config

MEBIBYTE = 1 << 20
RSS_MIB_MAX = 150


@contextmanager
def _serving(config: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the process, wait for its address, end it whatever happens."""
    with config.with_name("log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "api", "--config", str(config)],
            stderr=log,
            text=True,
        )
    try:
        while not (lines := _lines(config)):
            assert process.poll() is None, config.with_name("log").read_text()
            time.sleep(0.05)
        assert lines[0]["event"] == "listening"
        yield process, f"http://127.0.0.1:{lines[0]['port']}"
    finally:
        process.kill()
        process.wait()


def _lines(config: Path) -> list[dict[str, Any]]:
    """Return what it has logged in whole lines."""
    text = config.with_name("log").read_text()
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def _operators_key(config: Path, capsys: pytest.CaptureFixture[str]) -> str:
    command = ["admin", "create-operator-key", "--config", str(config), "--name", "me"]
    assert main(command) == 0
    return capsys.readouterr().out.strip()


def test_it_serves_logs_and_stops(short_folder: Path, database: FreshDatabase) -> None:
    """One JSON line per request, exit code 0 after SIGTERM, no name of the server."""
    config = write_config(short_folder, database)
    with _serving(config) as (process, url):
        with httpx.Client(base_url=url) as client:
            answer = client.get("/v1/health")
            assert answer.json() == {"status": "ok"}
            assert "server" not in answer.headers
            assert client.get("/v1/health/ready").status_code == 200
            assert client.get("/v1/nothing").status_code == 404
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    lines = _lines(config)
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["route"], line["status"]) for line in requests] == [
        ("/v1/health", 200),
        ("/v1/health/ready", 200),
        ("unmatched", 404),
    ]
    assert all(line["request_id"].startswith("req_") for line in requests)
    assert [line["event"] for line in lines[4:]] == ["stopped"]


def test_it_stays_small(
    short_folder: Path, database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a thousand requests on every connection of its pool, and the schema, 150 MiB at most."""
    config = write_config(short_folder, database)
    assert main(["admin", "sync-catalog", "--config", str(config)]) == 0
    headers = {"Authorization": f"Bearer {_operators_key(config, capsys)}"}
    with (
        _serving(config) as (process, url),
        httpx.Client(base_url=url, headers=headers) as client,
        ThreadPoolExecutor(16) as threads,
    ):
        assert client.get("/schema/openapi.json").status_code == 200
        paths = [
            "/v1/payment_methods",
            "/v1/networks",
            "/v1/application_wallets",
            "/v1/x",
        ] * 250
        statuses = {answer.status_code for answer in threads.map(client.get, paths)}
        assert statuses == {200, 404}
        rss = psutil.Process(process.pid).memory_info().rss // MEBIBYTE
        assert rss <= RSS_MIB_MAX, f"{rss} MiB"
        sys.stdout.write(f"api: {rss} MiB\n")


def test_an_answer_in_flight_is_given_before_it_ends(
    short_folder: Path, database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """A request whose body is half here when SIGTERM comes is read, done and answered."""
    config = write_config(short_folder, database)
    head = (
        b"POST /v1/merchants HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 15\r\nAuthorization: Bearer %s\r\n\r\n"
    ) % _operators_key(config, capsys).encode()
    with _serving(config) as (process, url):
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(head + b'{"name":')
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            connection.sendall(b'"Shop"}')
            assert connection.makefile("rb").readline() == b"HTTP/1.1 201 Created\r\n"
        assert process.wait(timeout=20) == 0


def test_a_taken_port_is_one_line(
    short_folder: Path,
    database: FreshDatabase,
    capsys: pytest.CaptureFixture[str],
    own_logging: None,
) -> None:
    """It names the key."""
    assert own_logging is None
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = write_config(short_folder, database, port=taken.getsockname()[1])
        assert main(["api", "--config", str(config)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gateway: api.port: cannot listen on 127.0.0.1 port ")


def test_a_trusted_proxy_says_who_calls(short_folder: Path, database: FreshDatabase) -> None:
    """The last address that is not a proxy's: what a caller writes before it is hearsay."""
    config = write_config(short_folder, database)
    trusting = '[api]\ntrusted_proxies = ["127.0.0.0/8"]'
    config.write_text(config.read_text().replace("[api]", trusting))
    body = {"email": "nobody@house.example", "password": "wrong wrong wrong"}
    chain = {"X-Forwarded-For": "192.0.2.1, 203.0.113.9, 127.0.0.2"}
    with _serving(config) as (_, url):
        answer = httpx.post(f"{url}/v1/sessions", json=body, headers=chain)
        assert answer.status_code == 401
    with connected(database.settings, "owner") as connection:
        rows = connection.execute(text("SELECT address FROM refused_sign_in")).all()
    assert [row.address for row in rows] == ["203.0.113.9"]
