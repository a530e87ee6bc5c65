"""Logs: one JSON object per event, text on a terminal, secrets in neither."""

import io
import json
import logging
from typing import Any

import pytest
import structlog

from gateway import logs

pytestmark = pytest.mark.usefixtures("own_logging")

CANARY = "canary-7f3a"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def configured(level: str = "info") -> io.StringIO:
    """Send logs to a new stream."""
    stream = io.StringIO()
    logs.configure(level, stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Read a stream of JSON objects, one per line."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_time_level_and_fields() -> None:
    """Line breaks, wide integers and context fields included."""
    stream = configured()
    with structlog.contextvars.bound_contextvars(request_id="req_1"):
        structlog.get_logger().info("deposit\nseen", units=2**200)
    (line,) = lines(stream)
    assert line["event"] == "deposit\nseen"
    assert (line["level"], line["units"], line["request_id"]) == ("info", 2**200, "req_1")
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "owner_password",
        "Authorization",
        "X-Api-Key",
        "master_secret",
        "access_token",
        "PASSPHRASE",
        "mnemonic",
        "seed",
        "private_key",
    ],
)
def test_a_field_named_after_a_secret_is_hidden_at_any_depth(name: str) -> None:
    """In the event, in a mapping, in a list of mappings."""
    stream = configured()
    log = structlog.get_logger()
    log.info("plain", **{name: CANARY})
    log.info("nested", headers={name: CANARY}, calls=[{name: {"inner": CANARY}}])
    assert CANARY not in stream.getvalue()
    assert stream.getvalue().count(logs.HIDDEN) == 3


def test_many_of_a_kind_are_a_line_each() -> None:
    """With what they share, and as silent about secrets."""
    stream = configured()
    structlog.get_logger().info("sent", each=[{"id": "a"}, {"id": "b", "token": CANARY}], to=7)
    first, second = lines(stream)
    assert (first["event"], first["id"], first["to"]) == ("sent", "a", 7)
    assert (second["id"], second["token"]) == ("b", logs.HIDDEN)
    assert first["timestamp"] == second["timestamp"]


def test_names_that_only_contain_such_a_word_are_shown() -> None:
    """An address and a file name are no secrets."""
    stream = configured()
    structlog.get_logger().info("shown", address="0x1", seedling="oak", tokens_seen=3)
    (line,) = lines(stream)
    assert (line["address"], line["seedling"]) == ("0x1", "oak")


def test_a_traceback_shows_no_local_variables() -> None:
    """The place and the message, as one field."""
    stream = configured()

    def fail() -> None:
        password = CANARY
        assert password
        raise ValueError("broken")

    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("library").exception("failed too")
    assert CANARY not in stream.getvalue()
    assert all("ValueError: broken" in line["exception"] for line in lines(stream))


def test_libraries_log_in_the_same_form() -> None:
    """Standard-library records, with the logger's name; chatty ones from warning upwards."""
    stream = configured()
    logging.getLogger("uvicorn.error").info("started on %s", 8080)
    logging.getLogger("httpx").info("GET http://node/?key=abc")
    (line,) = lines(stream)
    assert (line["event"], line["logger"]) == ("started on 8080", "uvicorn.error")


def test_the_level_holds_for_both() -> None:
    """Nothing below it is written."""
    stream = configured("warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    structlog.get_logger().warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_a_terminal_gets_text() -> None:
    """Readable, and as silent about secrets."""
    stream = Terminal()
    logs.configure("info", stream=stream)
    structlog.get_logger().info("ready", password=CANARY)
    assert "ready" in stream.getvalue()
    assert "{" not in stream.getvalue()
    assert CANARY not in stream.getvalue()
