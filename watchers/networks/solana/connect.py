"""A Solana network from its configuration."""

from collections.abc import Callable, Sequence

from gateway.models import Currency
from gateway.settings import NetworkSettings
from watchers.chain import Chain
from watchers.networks.solana.reader import SolanaReader
from watchers.networks.solana.writer import SolanaWriter
from watchers.providers.failover import failover
from watchers.rpc import Endpoints, JsonRpc

LAG_SLOTS = 32
"""Slots of 0.4 seconds by which a node may be behind the others."""


def connect(
    name: str, settings: NetworkSettings, tokens: Sequence[Currency], endpoints: Endpoints
) -> Chain:
    """Build readers and writer on the same endpoints; `tokens` are the listed mints."""
    mints = {token.contract or "": token.token_program or "" for token in tokens}

    def build(nodes: Endpoints, offers: Callable[[str], bool]) -> SolanaReader:
        del offers
        return SolanaReader(JsonRpc(nodes), settings.identity, mints)

    writer = SolanaWriter(JsonRpc(endpoints), name, mints, settings.witnesses_needed)
    reader = failover(endpoints, build, lag_heights=LAG_SLOTS)
    return Chain(
        reader, writer, endpoints, dense=False, lanes=writer, witnesses=reader.witnesses
    )
