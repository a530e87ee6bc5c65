"""A Solana network from its configuration."""

from collections.abc import Sequence

from gateway.models import Currency
from gateway.settings import NetworkSettings
from watchers.chain import Chain
from watchers.networks.solana.reader import SolanaReader
from watchers.networks.solana.writer import SolanaWriter
from watchers.rpc import Endpoints, JsonRpc


def connect(
    name: str, settings: NetworkSettings, tokens: Sequence[Currency], endpoints: Endpoints
) -> Chain:
    """Build reader and writer on the same endpoints; `tokens` are the listed contracts."""
    rpc = JsonRpc(endpoints)
    mints = {token.contract or "": token.token_program or "" for token in tokens}
    writer = SolanaWriter(rpc, name, mints)
    reader = SolanaReader(rpc, settings.identity, mints)
    return Chain(reader, writer, endpoints, dense=False, lanes=writer)
