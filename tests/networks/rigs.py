"""Every network that the conformance suites run on, by the name of its chain."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from tests.networks.ethereum.rig import ethereum, memory
from tests.networks.rig import Rig
from tests.networks.solana.rig import solana
from tests.networks.tron.rig import tron

RIGS: Mapping[str, Callable[[], AbstractAsyncContextManager[Rig]]] = {
    "anvil": ethereum,
    "fake": memory,
    "surfpool": solana,
    "tron": tron,
}
"""Each starts its chain, funds a hot wallet, and stops everything."""
