"""An EVM network from its configuration."""

from collections.abc import Callable, Sequence

from gateway.models import Currency
from gateway.settings import NetworkSettings
from watchers.chain import Chain, asset_key
from watchers.networks.ethereum.capabilities import probe, reach
from watchers.networks.ethereum.reader import EthereumReader, Finality
from watchers.networks.ethereum.writer import EthereumWriter
from watchers.providers.capabilities import FINALIZED, LOGS, RECEIPTS, TRACES, Found
from watchers.providers.failover import failover
from watchers.rpc import Endpoints, JsonRpc


def connect(
    name: str, settings: NetworkSettings, tokens: Sequence[Currency], endpoints: Endpoints
) -> Chain:
    """Build readers and writer on the same endpoints; `tokens` are the listed contracts."""
    chain_id = int(settings.identity)
    contracts = frozenset(asset_key(token.contract or "") for token in tokens)
    depth = settings.final_depth
    finality: Finality = "finalized" if depth is None else depth

    async def asked(nodes: Endpoints) -> Found:
        found = await probe(nodes)
        return found if settings.traces else {**found, TRACES: False}

    def build(nodes: Endpoints, offers: Callable[[str], bool]) -> EthereumReader:
        return EthereumReader(
            JsonRpc(nodes),
            chain_id,
            contracts,
            finality,
            traces=lambda: offers(TRACES),
            logged_from=settings.logged_from,
            logs=lambda: offers(LOGS),
        )

    wanted = {RECEIPTS, TRACES} | ({FINALIZED} if depth is None else set())
    reader = failover(endpoints, build, probe=asked, reach=reach, wanted=frozenset(wanted))
    writer = EthereumWriter(JsonRpc(endpoints), chain_id, name)
    return Chain(reader, writer, endpoints, numbered=True, witnesses=reader.witnesses)
