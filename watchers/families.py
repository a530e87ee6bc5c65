"""The only list of families: configuration in, reader and writer out.

A process imports its own family alone: the others' libraries cost it tens of MiB.
"""

import importlib
from collections.abc import Sequence

from gateway.models import Currency
from gateway.settings import NetworkSettings
from watchers.chain import Chain
from watchers.rpc import Endpoints

FAMILIES = {
    "ethereum": "watchers.networks.ethereum.connect",
    "tron": "watchers.networks.tron.connect",
    "solana": "watchers.networks.solana.connect",
}


def connect(name: str, settings: NetworkSettings, currencies: Sequence[Currency]) -> Chain:
    """Build the reader and the writer of one configured network."""
    endpoints = Endpoints(settings.rpc_urls, timeout_s=settings.rpc_timeout_seconds)
    tokens = [currency for currency in currencies if currency.contract is not None]
    family = importlib.import_module(FAMILIES[settings.family])
    chain: Chain = family.connect(name, settings, tokens, endpoints)
    return chain
