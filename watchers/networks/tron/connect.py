"""A Tron network from its configuration."""

import time
from collections.abc import Sequence

from gateway.models import Currency
from gateway.settings import NetworkSettings
from watchers.chain import Chain
from watchers.networks.tron.reader import TronReader
from watchers.networks.tron.writer import TronWriter
from watchers.rpc import Endpoints


def connect(
    name: str, settings: NetworkSettings, tokens: Sequence[Currency], endpoints: Endpoints
) -> Chain:
    """Build reader and writer on the same endpoints; `tokens` are the listed contracts."""
    contracts = frozenset(token.contract or "" for token in tokens)
    reader = TronReader(endpoints, settings.identity, contracts)
    return Chain(reader, TronWriter(endpoints, name, _unix_milliseconds), endpoints)


def _unix_milliseconds() -> int:
    return time.time_ns() // 1_000_000
