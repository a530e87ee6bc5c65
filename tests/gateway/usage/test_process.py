"""What a process has counted is written when it is told to stop."""

import signal
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.conftest import FreshDatabase
from tests.gateway.commands.served import write_config
from tests.gateway.commands.test_api import _operators_key, _serving


@pytest.mark.usefixtures("own_logging")
def test_a_process_that_is_told_to_stop_writes_what_it_has_counted(
    short_folder: Path,
    shared: FreshDatabase,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Asked, stopped at once, and the request is there."""
    config = write_config(short_folder, shared)
    operator = _operators_key(config, capsys)
    with _serving(config) as (process, url):
        with httpx.Client(base_url=url) as client:
            bearer = {"Authorization": f"Bearer {operator}"}
            made = client.post("/v1/merchants", headers=bearer, json={"name": "Shop"})
            merchant = made.json()["id"]
            body = {"name": "x", "scopes": ["settings:read"]}
            path = f"/v1/merchants/{merchant}/api_keys"
            key = client.post(path, headers=bearer, json=body).json()["key"]
            told = client.get("/v1/usage", headers={"Authorization": f"Bearer {key}"})
            assert told.status_code == 200, told.text
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    url_ = (
        shared.url("admin").set(drivername="postgresql").render_as_string(hide_password=False)
    )
    with psycopg.connect(url_) as owner:
        rows = owner.execute(
            "SELECT route, requests FROM usage_hour WHERE merchant_id = %s", [merchant]
        ).fetchall()
    assert rows == [("/v1/usage", 1)]
