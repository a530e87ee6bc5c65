"""An EVM network from its configuration."""

from collections.abc import Sequence

from gateway.models import Currency
from gateway.settings import NetworkSettings
from watchers.chain import Chain, asset_key
from watchers.networks.ethereum.reader import EthereumReader, Finality
from watchers.networks.ethereum.writer import EthereumWriter
from watchers.rpc import Endpoints, JsonRpc


def connect(
    name: str, settings: NetworkSettings, tokens: Sequence[Currency], endpoints: Endpoints
) -> Chain:
    """Build reader and writer on the same endpoints; `tokens` are the listed contracts."""
    rpc = JsonRpc(endpoints)
    chain_id = int(settings.identity)
    contracts = frozenset(asset_key(token.contract or "") for token in tokens)
    depth = settings.final_depth
    finality: Finality = "finalized" if depth is None else depth
    reader = EthereumReader(rpc, chain_id, contracts, finality)
    return Chain(reader, EthereumWriter(rpc, chain_id, name), endpoints, numbered=True)
