"""Solana on this machine: Surfpool behind the correcting proxy, a funded payer, the test token.

As a command, `python -m devnet.surfpool --port P --slot-ms 100` serves until SIGTERM.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from solders.compute_budget import set_compute_unit_limit
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.token.associated import get_associated_token_address
from solders.transaction import VersionedTransaction

from devnet.chain import (
    NATIVE,
    ChainFault,
    Rpc,
    RpcFault,
    port_argument,
    process,
    serve,
    until,
)
from devnet.solana_ledger import FINALITY_SLOTS, GENESIS_HASH, Ledger
from devnet.solana_mints import (
    FEE_BASIS_POINTS,
    FEE_MINT_KEY,
    Extension,
    furnish,
    mint_instructions,
    transfer_fee,
)
from devnet.solana_serving import serving
from devnet.solana_token import token_payment
from devnet.solana_upstream import upstream_at

WRAPPER = Path(__file__).with_name("surfpool.js")
SLOT_MS = 100
SKIP_EVERY = 7
"""Every seventh slot without transactions is shown as skipped."""

PAYER = Keypair.from_seed(hashlib.sha256(b"cryptic-gateway devnet payer").digest())
PAYER_LAMPORTS = 10**15
MINT = "TUSDmint11111111111111111111111111111111111"
INCLUSION_SECONDS_MAX = 30.0


@dataclass(slots=True)
class SurfpoolChain:
    """`LocalChain` over the proxy. Addresses, hashes and signatures are base58."""

    url: str
    rpc: Rpc
    identity: str
    family: str = "solana"
    token: str = MINT
    payer: str = str(PAYER.pubkey())

    async def pay(self, to: str, units: int, asset: str = NATIVE) -> str:
        """Send from the payer, creating the token account of `to` where it has none.

        Returns the signature once its slot is confirmed; `ChainFault` where it failed. Fewer
        lamports than rent needs (890880) cannot open an account.
        """
        owner = Pubkey.from_string(to)
        if asset == NATIVE:
            moves = [
                transfer(
                    TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=owner, lamports=units)
                )
            ]
        else:
            mint, program = Pubkey.from_string(asset), await self._program(asset)
            moves = token_payment(PAYER.pubkey(), owner, mint, units, program)
        return await self.included(await self.send(moves, [PAYER]))

    async def send(
        self, instructions: Sequence[Instruction], signers: Sequence[Keypair]
    ) -> str:
        """Sign and hand over a transaction paid by the first signer; do not wait for it."""
        latest = await self.rpc.call("getLatestBlockhash", {"commitment": "confirmed"})
        # Two equal payments under one blockhash would be one transaction: the limit differs.
        unique = set_compute_unit_limit(200_000 + secrets.randbelow(1_000_000))
        message = MessageV0.try_compile(
            signers[0].pubkey(),
            [unique, *instructions],
            [],
            Hash.from_string(latest["value"]["blockhash"]),
        )
        return await self.send_raw(bytes(VersionedTransaction(message, signers)))

    async def send_raw(self, raw: bytes) -> str:
        """Hand signed bytes to the node; raise `RpcFault` where the preflight refuses them."""
        options = {"encoding": "base64", "preflightCommitment": "confirmed"}
        signature: str = await self.rpc.call(
            "sendTransaction", base64.b64encode(raw).decode(), options
        )
        return signature

    async def included(self, signature: str) -> str:
        """Return `signature` once its block is confirmed; `ChainFault` where it failed."""

        async def error() -> tuple[object] | None:
            status = (await self.rpc.call("getSignatureStatuses", [signature]))["value"][0]
            if status is None or status["confirmationStatus"] == "processed":
                return None
            return (status["err"],)

        (failure,) = await until(
            error, f"confirmation of {signature}", seconds_max=INCLUSION_SECONDS_MAX
        )
        if failure is not None:
            raise ChainFault(f"{signature} failed: {failure}")
        return signature

    async def balance(self, address: str, asset: str = NATIVE) -> int:
        """Return lamports, or what the canonical token account holds."""
        confirmed = {"commitment": "confirmed"}
        if asset == NATIVE:
            answer = await self.rpc.call("getBalance", address, confirmed)
            return int(answer["value"])
        account = get_associated_token_address(
            Pubkey.from_string(address), Pubkey.from_string(asset), await self._program(asset)
        )
        options = confirmed | {"encoding": "base64"}
        found = (await self.rpc.call("getAccountInfo", str(account), options))["value"]
        if found is None:
            return 0
        # An SPL token account holds mint (32 bytes), owner (32), amount (8, little endian).
        return int.from_bytes(base64.b64decode(found["data"][0])[64:72], "little")

    async def new_mint(
        self, *extensions: Extension, key: Keypair | None = None, frozen: bool = False
    ) -> str:
        """Create a Token-2022 mint of 6 decimals; the payer is its authority and holds all.

        Returns its address, that of `key` where one is given. `frozen` goes with the extension
        that freezes new accounts.
        """
        key = key or Keypair()
        made = mint_instructions(PAYER.pubkey(), key.pubkey(), *extensions, frozen=frozen)
        await self.included(await self.send(made, [PAYER, key]))
        return str(key.pubkey())

    async def _program(self, mint: str) -> Pubkey:
        """Return the token program that owns a mint."""
        found = (await self.rpc.call("getAccountInfo", mint, {"encoding": "base64"}))["value"]
        if found is None:
            raise ChainFault(f"there is no mint {mint}")
        return Pubkey.from_string(found["owner"])

    async def fresh_address(self) -> str:
        """Return the public half of a key that is thrown away."""
        return str(Keypair().pubkey())

    async def mine(self, blocks: int = 1) -> None:
        """Jump `blocks` slots ahead and wait until they are confirmed."""
        start = await self.rpc.call("getSlot", {"commitment": "processed"})
        # A target that lies too near when the call arrives is refused, and reached anyway.
        with contextlib.suppress(RpcFault):
            await self.rpc.call("surfnet_timeTravel", {"absoluteSlot": start + blocks})

        async def confirmed() -> bool | None:
            newest: int = await self.rpc.call("getSlot", {"commitment": "confirmed"})
            return newest >= start + blocks or None

        await until(confirmed, f"slot {start + blocks}")


@asynccontextmanager
async def attached(url: str) -> AsyncIterator[SurfpoolChain]:
    """Serve the chain that `running` started at `url`, in another process perhaps."""
    rpc = Rpc(url)
    try:

        async def identity() -> str:
            genesis: str = await rpc.call("getGenesisHash")
            return genesis

        yield SurfpoolChain(url, rpc, await until(identity, f"Surfpool at {url}"))
    finally:
        await rpc.aclose()


@asynccontextmanager
async def running(
    slot_ms: int = SLOT_MS, *, port: int = 0, skip_every: int = SKIP_EVERY
) -> AsyncIterator[SurfpoolChain]:
    """Start Surfpool and the proxy, furnish the chain, yield it, stop both.

    `skip_every` counts slots without transactions; 0 skips none.
    """
    async with process(["node", WRAPPER, str(slot_ms)]) as child:
        if child.stdout is None:
            raise ChainFault("surfpool has no output")
        line = await asyncio.wait_for(child.stdout.readline(), timeout=20)
        if not line:
            raise ChainFault("surfpool did not start")
        async with upstream_at(json.loads(line)["rpc"]) as upstream:
            await furnish(upstream, PAYER.pubkey(), PAYER_LAMPORTS, MINT)
            ledger = Ledger(skip_every)

            async def opened() -> bool | None:
                return bool(ledger.blocks) or None

            async with (
                serving(
                    upstream,
                    ledger,
                    port=port,
                    pause_s=slot_ms / 2000,
                    clock=time.time,
                ) as url,
                attached(url) as chain,
            ):
                if chain.identity != GENESIS_HASH:
                    raise ChainFault(f"another chain answers at {url}")
                # A cluster always has a final block; a fresh Surfpool would lack one at first.
                await until(opened, "the first block")
                await chain.new_mint(transfer_fee(FEE_BASIS_POINTS), key=FEE_MINT_KEY)
                await chain.mine(FINALITY_SLOTS + 2)
                yield chain


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m devnet.surfpool", description=__doc__)
    port_argument(parser)
    parser.add_argument("--slot-ms", type=int, default=SLOT_MS)
    parser.add_argument("--skip-every", type=int, default=SKIP_EVERY, help="0 skips no slot")
    options = parser.parse_args()
    serve(
        running(options.slot_ms, port=options.port, skip_every=options.skip_every),
        stop_with_stdin=options.stop_with_stdin,
    )
