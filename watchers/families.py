"""The only list of families: configuration in, reader and writer out, and what compares balances.

A process imports its own family alone: the others' libraries cost it tens of MiB.
"""

import importlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.models import Currency
from gateway.settings import NetworkSettings
from watchers.assets.rules import AssetInspector
from watchers.chain import Chain, asset_key
from watchers.destination import DestinationInspector
from watchers.network import ChainReader, Place, Placed
from watchers.quotes import FeeQuoter
from watchers.reconcile.balances import AnyNode, BalanceReader
from watchers.rpc import Endpoints
from watchers.sweep.hands import Hands

FAMILIES = {
    "ethereum": "watchers.networks.ethereum.connect",
    "tron": "watchers.networks.tron.connect",
    "solana": "watchers.networks.solana.connect",
}

MEASURED = {"ethereum": "watchers.networks.ethereum.measured"}
"""Where a token's fee on transfer has to be measured: on Solana blocks show it, on Tron nothing does."""


def connect(name: str, settings: NetworkSettings, currencies: Sequence[Currency]) -> Chain:
    """Build the reader and the writer of one configured network."""
    endpoints = Endpoints(
        settings.rpc_urls,
        timeout_s=settings.rpc_timeout_seconds,
        requests_per_second=settings.rpc_requests_per_second,
    )
    tokens = [currency for currency in currencies if currency.contract is not None]
    family = importlib.import_module(FAMILIES[settings.family])
    chain: Chain = family.connect(name, settings, tokens, endpoints)
    kept = [each.contract for each in settings.assets if each.fee_on_transfer and each.contract]
    if kept and settings.family in MEASURED:
        measured = importlib.import_module(MEASURED[settings.family])
        measured.measure(chain, frozenset(asset_key(contract) for contract in kept))
    return chain


@dataclass(frozen=True, slots=True)
class Locator:
    """How a family names a transaction and finds its block.

    `spelled` raises `ValueError` for what is no hash; `locate` asks one node of the family.
    """

    spelled: Callable[[str], str]
    locate: Callable[[ChainReader, str], Awaitable[int | None]]


def locator(family: str) -> Locator:
    """Return the family's way to find a transaction."""
    module = importlib.import_module(FAMILIES[family].replace(".connect", ".locate"))
    return Locator(module.spelled, module.locate)


def balance_readers(settings: NetworkSettings, endpoints: Endpoints) -> AnyNode:
    """Build the readers of balances: one for each node, and the one over all."""
    folder = FAMILIES[settings.family].rpartition(".")[0]
    family = importlib.import_module(f"{folder}.balances")
    nodes: dict[str, BalanceReader] = {
        label: family.balances(settings, lone) for label, lone in endpoints.alone().items()
    }
    return AnyNode(nodes, endpoints.preferred)


def asset_inspector(settings: NetworkSettings, endpoints: Endpoints) -> AssetInspector:
    """Build what looks at tokens through these endpoints."""
    folder = FAMILIES[settings.family].rpartition(".")[0]
    family = importlib.import_module(f"{folder}.listing")
    inspector: AssetInspector = family.inspector(settings, endpoints)
    return inspector


def destination_inspector(
    settings: NetworkSettings, endpoints: Endpoints
) -> DestinationInspector:
    """Build what looks at destinations of payouts through these endpoints."""
    folder = FAMILIES[settings.family].rpartition(".")[0]
    family = importlib.import_module(f"{folder}.destination")
    inspector: DestinationInspector = family.inspector(settings, endpoints)
    return inspector


def fee_quoter(settings: NetworkSettings, endpoints: Endpoints) -> FeeQuoter:
    """Build what knows the costs of payouts through these endpoints."""
    folder = FAMILIES[settings.family].rpartition(".")[0]
    family = importlib.import_module(f"{folder}.quote")
    quoter: FeeQuoter = family.quoter(settings, endpoints)
    return quoter


def sweep_hands(name: str, settings: NetworkSettings, endpoints: Endpoints) -> Hands:
    """Build what empties pool addresses through these endpoints."""
    folder = FAMILIES[settings.family].rpartition(".")[0]
    family = importlib.import_module(f"{folder}.sweep")
    hands: Hands = family.hands(name, settings, endpoints)
    return hands


async def final_count(settings: NetworkSettings, endpoints: Endpoints, address: str) -> int:
    """Ask how many transactions of an address stand in final blocks, where a family counts them."""
    folder = FAMILIES[settings.family].rpartition(".")[0]
    family = importlib.import_module(f"{folder}.counted")
    count: int = await family.counted(endpoints, address, settings.final_depth)
    return count


async def placed(
    settings: NetworkSettings,
    endpoints: Endpoints,
    tx_hash: str,
    place: Place,
    raw: bytes | None = None,
) -> Placed | None:
    """Ask where a transaction stands and which place it took; `place` is the one in question.

    `raw` are its signed bytes, where a person has them; `ValueError` for any others. Not for Tron:
    nothing there takes another's place.
    """
    folder = FAMILIES[settings.family].rpartition(".")[0]
    family = importlib.import_module(f"{folder}.taken")
    found: Placed | None = await family.placed(endpoints, tx_hash, place, raw)
    return found
