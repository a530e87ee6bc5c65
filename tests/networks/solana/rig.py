"""Surfpool with our reader and writer on it, and a hot wallet with one nonce lane."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
from solders.keypair import Keypair

from devnet import surfpool
from devnet.chain import until
from keystore.api import SignNonceSetupRequest, SolanaIntent
from keystore.networks.solana import draft, nonce_setup
from tests.networks.rig import Rig
from watchers.network import Slot
from watchers.networks.solana.accounts import TOKEN_PROGRAM, nonce_account_address
from watchers.networks.solana.reader import SolanaReader
from watchers.networks.solana.writer import SolanaWriter
from watchers.rpc import Endpoints, JsonRpc

HOT_SEED = bytes([0x42] * 32)
HOT_ADDRESS = str(Keypair.from_seed(HOT_SEED).pubkey())
NETWORK = "solana"
LANE = 0
LAMPORTS_PER_SOL = 10**9
TOKENS = 10**6
STRAY_GENESIS = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"


def sign(intent: Mapping[str, Any]) -> bytes:
    """Sign as the keystore does."""
    return draft(msgspec.convert(dict(intent), SolanaIntent), HOT_ADDRESS).sign(HOT_SEED).raw


async def open_lane(writer: SolanaWriter) -> str:
    """Create the hot wallet's nonce account where it does not stand; return its address."""
    address = nonce_account_address(HOT_ADDRESS, LANE)
    params = await writer.nonce_setup(HOT_ADDRESS, LANE)
    if params is not None:
        request = msgspec.convert(params, SignNonceSetupRequest)
        await writer.broadcast(nonce_setup(request, HOT_ADDRESS).sign(HOT_SEED).raw)
    await until(partial(writer.nonce_account_state, address), f"nonce account {address}")
    return address


@asynccontextmanager
async def solana() -> AsyncIterator[Rig]:
    """Surfpool with slots of 50 ms, final 31 slots behind."""
    async with surfpool.running(slot_ms=50) as chain:
        rpc = JsonRpc(Endpoints([chain.url]))
        tokens = {chain.token: TOKEN_PROGRAM}
        writer = SolanaWriter(rpc, NETWORK, tokens)
        try:
            await chain.pay(HOT_ADDRESS, 100 * LAMPORTS_PER_SOL)
            await chain.pay(HOT_ADDRESS, 10_000 * TOKENS, chain.token)
            lane = await open_lane(writer)

            async def next_slot() -> Slot:
                return Slot(nonce_account=lane)

            yield Rig(
                name="surfpool",
                chain=chain,
                reader=SolanaReader(rpc, chain.identity, tokens),
                blind_reader=SolanaReader(rpc, chain.identity, {}),
                stray_reader=SolanaReader(rpc, STRAY_GENESIS, {}),
                writer=writer,
                sign=sign,
                next_slot=next_slot,
                hot=HOT_ADDRESS,
                native_units=LAMPORTS_PER_SOL // 100,
                native_decimals=9,
                fee_ceiling_units=LAMPORTS_PER_SOL // 100,
            )
        finally:
            await rpc.endpoints.aclose()
