"""The Tron emulator with our reader and writer on it, and a hot wallet with TRX and tokens."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from coincurve import PrivateKey

from devnet import tron as emulator
from devnet.tron import address
from keystore.api import TronIntent
from keystore.networks.tron import draft
from tests.networks.rig import Rig
from watchers.network import Slot
from watchers.networks.tron.reader import TronReader
from watchers.networks.tron.writer import TronWriter
from watchers.rpc import Endpoints

HOT_KEY = bytes([0x42] * 32)
HOT_ADDRESS = address.base58_text(address.of_key(PrivateKey(HOT_KEY)))
NETWORK = "tron"
TRX = 10**6
TOKENS = 10**6
MAINNET_GENESIS = "00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc"
MILLISECOND_NS = 1_000_000


def sign(intent: Mapping[str, Any]) -> bytes:
    """Sign as the keystore does."""
    return draft(msgspec.convert(dict(intent), TronIntent), HOT_ADDRESS).sign(HOT_KEY).raw


def now_ms() -> int:
    """Return Unix milliseconds."""
    return time.time_ns() // MILLISECOND_NS


@asynccontextmanager
async def tron() -> AsyncIterator[Rig]:
    """Run the emulator with one-second blocks, solid three blocks behind."""
    async with emulator.running() as chain:
        endpoints = Endpoints([chain.url])
        await chain.pay(HOT_ADDRESS, 10_000 * TRX)
        await chain.pay(HOT_ADDRESS, 10_000 * TOKENS, chain.token)

        async def next_slot() -> Slot:
            return Slot()

        try:
            yield Rig(
                name="tron",
                chain=chain,
                reader=TronReader(endpoints, chain.identity, frozenset({chain.token})),
                blind_reader=TronReader(endpoints, chain.identity),
                stray_reader=TronReader(endpoints, MAINNET_GENESIS),
                writer=TronWriter(endpoints, NETWORK, now_ms),
                sign=sign,
                next_slot=next_slot,
                hot=HOT_ADDRESS,
                native_units=TRX,
                native_decimals=6,
                fee_ceiling_units=30 * TRX,
            )
        finally:
            await endpoints.aclose()
