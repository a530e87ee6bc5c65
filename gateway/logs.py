"""Logging: one JSON line per event on stderr, plain text on a terminal, never a secret.

Use `structlog.get_logger()` with an event in words and ids as fields;
`structlog.contextvars.bound_contextvars(request_id=...)` adds fields to everything below it.
Many events of one kind are one call: `each=[{...}, ...]` writes a line for every mapping in it.
Libraries that log through the standard library come out in the same form.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "***"
EACH = "each"

_SECRET_WORDS = frozenset(
    {
        "authorization",
        "cookie",
        "mnemonic",
        "passphrase",
        "password",
        "pepper",
        "secret",
        "seed",
        "token",
    }
)
_SECRET_PAIRS = ("private_key", "api_key")
_WORD_BREAK = re.compile(r"[^a-z0-9]+")
_PLAIN = frozenset({str, int, float, bool, type(None)})
_JSON = json.JSONEncoder(default=str)
_QUICK_JSON = msgspec.json.Encoder(enc_hook=str)


def configure(level: str, *, stream: TextIO | None = None) -> None:
    """Send every log of the process to `stream` (stderr), from `level` upwards."""
    target = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Stack traces as text: a renderer that shows local variables would show keys.
        structlog.processors.format_exc_info,
        redact,
    ]
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, _renderer(target)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    _adopt_standard_logging(number, target, shared)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace the value of every field whose name speaks of a secret, at any depth."""
    return {name: _redacted(name, value) for name, value in event.items()}


def _redacted(name: str, value: Any) -> Any:
    if _is_secret(name):
        return HIDDEN
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return {inner: _redacted(str(inner), each) for inner, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", each) for each in value]
    return value


@lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    """Match whole words, so that `seedling` passes and `X-Api-Key` does not."""
    words = _WORD_BREAK.sub("_", name.lower()).strip("_")
    return not _SECRET_WORDS.isdisjoint(words.split("_")) or any(
        pair in words for pair in _SECRET_PAIRS
    )


def _renderer(target: TextIO) -> Processor:
    if target.isatty():
        return _line_for_each(
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        )
    return _line_for_each(_as_json)


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Return one line of ASCII; what is no plain text takes the slow way, which escapes it."""
    try:
        line = _QUICK_JSON.encode(event)
    except UnicodeEncodeError:
        return _JSON.encode(event)
    return line.decode() if line.isascii() else _JSON.encode(event)


def _line_for_each(render: Callable[[WrappedLogger, str, EventDict], str]) -> Processor:
    """Render an event, or one line for every mapping that it brings, with what they share."""

    def rendered(logger: WrappedLogger, method: str, event: EventDict) -> str:
        each = event.pop(EACH, ({},))
        return "\n".join(render(logger, method, {**event, **fields}) for fields in each)

    return rendered


def _adopt_standard_logging(number: int, target: TextIO, shared: list[Processor]) -> None:
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(target),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    # They write a line per request with its whole URL; ours say what it was for.
    for chatty in ("httpx", "httpcore", "alembic"):
        logging.getLogger(chatty).setLevel(max(number, logging.WARNING))
