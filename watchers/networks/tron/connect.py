"""A Tron network from its configuration."""

import time
from collections.abc import Callable, Sequence

from gateway.models import Currency
from gateway.settings import NetworkSettings
from watchers.chain import Chain
from watchers.networks.tron.capabilities import probe
from watchers.networks.tron.reader import TronReader
from watchers.networks.tron.writer import TronWriter
from watchers.providers.capabilities import INTERNAL, Found
from watchers.providers.failover import failover
from watchers.rpc import Endpoints

LAG_HEIGHTS = 6
"""Blocks of three seconds by which a node may be behind the others."""


def connect(
    name: str, settings: NetworkSettings, tokens: Sequence[Currency], endpoints: Endpoints
) -> Chain:
    """Build readers and writer on the same endpoints; `tokens` are the listed contracts."""
    contracts = frozenset(token.contract or "" for token in tokens)

    def build(nodes: Endpoints, offers: Callable[[str], bool]) -> TronReader:
        return TronReader(
            nodes, settings.identity, contracts, internal=lambda: offers(INTERNAL)
        )

    async def probe_internal(nodes: Endpoints) -> Found:
        return await probe(nodes, settings.internal_probe_tx)

    reader = failover(
        endpoints,
        build,
        probe=probe_internal,
        wanted=frozenset({INTERNAL}),
        lag_heights=LAG_HEIGHTS,
    )
    writer = TronWriter(endpoints, name, _unix_milliseconds)
    seals = TronReader(endpoints, settings.identity)
    return Chain(reader, writer, endpoints, seals=seals, witnesses=reader.witnesses)


def _unix_milliseconds() -> int:
    return time.time_ns() // 1_000_000
