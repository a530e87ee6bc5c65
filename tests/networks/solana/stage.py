"""A Surfpool with our reader on it: send anything, get the block that holds it."""

import base64
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address
from solders.transaction import VersionedTransaction

from devnet import surfpool
from devnet.solana_mints import FEE_MINT
from devnet.solana_token import WRAPPED_SOL
from devnet.surfpool import MINT, PAYER, SurfpoolChain
from devnet.system.waiting import until
from watchers.network import Block, Transfer
from watchers.networks.solana.accounts import TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from watchers.networks.solana.reader import SolanaReader
from watchers.rpc import Endpoints, JsonRpc

SOL = 10**9
LISTED = {MINT: TOKEN_PROGRAM, FEE_MINT: TOKEN_2022_PROGRAM, str(WRAPPED_SOL): TOKEN_PROGRAM}
TUSD = Pubkey.from_string(MINT)


def account_of(owner: Pubkey, mint: Pubkey = TUSD) -> Pubkey:
    """Return the canonical account under SPL Token."""
    return get_associated_token_address(owner, mint)


@dataclass(frozen=True, slots=True)
class Seen:
    """A transaction in its block, as our reader gives it."""

    tx_hash: str
    block: Block

    def arrivals(self, *addresses: Pubkey) -> list[tuple[str, str, int]]:
        """Return (kind, asset, units) of what the transaction paid these addresses."""
        return _of(self.tx_hash, addresses, self.block.transfers)

    def strays(self, *addresses: Pubkey) -> list[tuple[str, str, int]]:
        """Return (kind, asset, units) of what reached them without being a payment."""
        return _of(self.tx_hash, addresses, self.block.strays())


def _of(
    tx_hash: str, addresses: Sequence[Pubkey], transfers: Iterable[Transfer]
) -> list[tuple[str, str, int]]:
    ours = {str(address) for address in addresses}
    return [
        (each.kind, each.asset, each.units)
        for each in transfers
        if each.tx_hash == tx_hash and each.recipient in ours
    ]


@dataclass(frozen=True, slots=True)
class Stage:
    """Confirmed blocks are read: what is final comes 31 slots later and is the same."""

    chain: SurfpoolChain
    reader: SolanaReader

    async def land(
        self,
        instructions: Sequence[Instruction],
        *signers: Keypair,
        tables: Sequence[AddressLookupTableAccount] = (),
    ) -> Seen:
        """Send a transaction of the payer and `signers`, whether it succeeds or not; read it."""
        latest = await self.chain.rpc.call("getLatestBlockhash", {"commitment": "confirmed"})
        blockhash = Hash.from_string(latest["value"]["blockhash"])
        message = MessageV0.try_compile(PAYER.pubkey(), instructions, tables, blockhash)
        return await self.land_raw(bytes(VersionedTransaction(message, [PAYER, *signers])))

    async def land_raw(self, raw: bytes) -> Seen:
        """Send signed bytes without the node's own simulation; read their block."""
        options = {"encoding": "base64", "skipPreflight": True}
        encoded = base64.b64encode(raw).decode()
        tx_hash: str = await self.chain.rpc.call("sendTransaction", encoded, options)

        async def slot() -> int | None:
            [status] = (await self.chain.rpc.call("getSignatureStatuses", [tx_hash]))["value"]
            shown = status is not None and status["confirmationStatus"] != "processed"
            return int(status["slot"]) if shown else None

        block = await self.reader.read(await until(slot, f"the block of {tx_hash}"))
        assert tx_hash in block.outcomes
        return Seen(tx_hash, block)


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Run a Surfpool of fast slots with a reader that lists every test token."""
    async with surfpool.running(slot_ms=50) as chain:
        endpoints = Endpoints([chain.url])
        reader = SolanaReader(JsonRpc(endpoints), chain.identity, LISTED, "confirmed")
        try:
            yield Stage(chain, reader)
        finally:
            await endpoints.aclose()
