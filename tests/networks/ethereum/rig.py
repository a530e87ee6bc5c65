"""Two chains for our EVM reader and writer: anvil, and the one in memory."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from eth_account import Account

from devnet import anvil
from keystore.api import EthereumIntent
from keystore.networks.ethereum import draft
from tests.fakes.chain import FakeChain
from tests.fakes.network import FakeReader, FakeWriter
from tests.networks.rig import Rig
from watchers.network import Slot
from watchers.networks.ethereum.reader import EthereumReader
from watchers.networks.ethereum.writer import EthereumWriter
from watchers.rpc import Endpoints, JsonRpc

HOT_KEY = bytes([0x42] * 32)
HOT_ADDRESS: str = Account.from_key(HOT_KEY).address.lower()
NETWORK = "ethereum"
ETHER = 10**18
TOKEN_FUNDS = 10_000 * 10**6


def sign(intent: Mapping[str, Any]) -> bytes:
    """Sign as the keystore does."""
    return draft(msgspec.convert(dict(intent), EthereumIntent), HOT_ADDRESS).sign(HOT_KEY).raw


@asynccontextmanager
async def memory() -> AsyncIterator[Rig]:
    """Yield the chain in memory."""
    chain = FakeChain(seed=1)
    writer = FakeWriter(chain, NETWORK)

    async def next_slot() -> Slot:
        return Slot(nonce=await writer.next_nonce(HOT_ADDRESS))

    await chain.pay(HOT_ADDRESS, 100 * ETHER)
    await chain.pay(HOT_ADDRESS, TOKEN_FUNDS, chain.token)
    yield Rig(
        name="fake",
        chain=chain,
        reader=FakeReader(chain, chain.chain_id, frozenset({chain.token})),
        blind_reader=FakeReader(chain, chain.chain_id, frozenset()),
        stray_reader=FakeReader(chain, chain.chain_id + 1, frozenset()),
        writer=writer,
        sign=sign,
        next_slot=next_slot,
        hot=HOT_ADDRESS,
        native_units=ETHER // 100,
        native_decimals=18,
        fee_ceiling_units=ETHER // 100,
    )


@asynccontextmanager
async def ethereum() -> AsyncIterator[Rig]:
    """Yield anvil with one-second blocks, final four blocks behind."""
    async with anvil.running() as chain:
        rpc = JsonRpc(Endpoints([chain.url]))
        chain_id = int(chain.identity)
        writer = EthereumWriter(rpc, chain_id, NETWORK)

        async def next_slot() -> Slot:
            return Slot(nonce=await writer.next_nonce(HOT_ADDRESS))

        await chain.pay(HOT_ADDRESS, 100 * ETHER)
        await chain.pay(HOT_ADDRESS, TOKEN_FUNDS, chain.token)
        try:
            yield Rig(
                name="anvil",
                chain=chain,
                reader=EthereumReader(rpc, chain_id, frozenset({chain.token})),
                blind_reader=EthereumReader(rpc, chain_id, frozenset()),
                stray_reader=EthereumReader(rpc, chain_id + 1, frozenset()),
                writer=writer,
                sign=sign,
                next_slot=next_slot,
                hot=HOT_ADDRESS,
                native_units=ETHER // 100,
                native_decimals=18,
                fee_ceiling_units=ETHER // 100,
            )
        finally:
            await rpc.endpoints.aclose()
