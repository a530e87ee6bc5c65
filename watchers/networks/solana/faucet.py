"""Surfpool's levers for played payments: accounts with any balance, and then a real transfer.

The payer's key is made anew for every payment; it exists in this process only and holds nothing
that is worth anything.
"""

import asyncio
import struct
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import msgspec
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from gateway.settings import NetworkSettings
from watchers.network import NATIVE
from watchers.networks.solana.accounts import (
    ASSOCIATED_TOKEN_PROGRAM,
    SYSTEM_PROGRAM,
    associated_token_account,
)
from watchers.networks.solana.wire import Valued
from watchers.rpc import Endpoints, JsonRpc, RpcError
from watchers.simulate.faucet import FaucetFault, Paid

FEES_LAMPORTS = 10**9
"""More than a payment and a token account's rent can cost."""
LOOKS_MAX = 200
LOOK_SECONDS = 0.1
_CREATE_IDEMPOTENT, _TRANSFER_CHECKED = b"\x01", 12


class _Latest(msgspec.Struct, gc=False):
    blockhash: str


class _Status(msgspec.Struct, rename="camel", gc=False):
    slot: int
    confirmation_status: str
    err: Any = None


@dataclass(slots=True)
class SurfpoolFaucet:
    """One Surfpool; `tokens` are decimals and program by mint."""

    rpc: JsonRpc
    tokens: dict[str, tuple[int, str]]

    async def pay(self, to: str, units: int, asset: str) -> Paid:
        """Give a new key what it needs, and have it pay."""
        payer = Keypair()
        lamports = FEES_LAMPORTS + (units if asset == NATIVE else 0)
        await self._ask(
            "surfnet_setAccount", [str(payer.pubkey()), {"lamports": lamports}], Any
        )
        if asset == NATIVE:
            moved = TransferParams(
                from_pubkey=payer.pubkey(), to_pubkey=Pubkey.from_string(to), lamports=units
            )
            instructions = [transfer(moved)]
        else:
            instructions = await self._token_payment(str(payer.pubkey()), to, units, asset)
        signature = await self._send(payer, instructions)
        return Paid(signature, await self._slot_of(signature))

    async def mine(self, blocks: int) -> None:
        """Wait a little: Surfpool's slots come by themselves."""
        await asyncio.sleep(LOOK_SECONDS * blocks)

    async def pause(self) -> None:
        """Refuse: its clock cannot be stopped without losing blocks."""
        raise FaucetFault("Surfpool does not stop")

    async def resume(self) -> None:
        """Do nothing: it never stops."""

    async def drop(self, height: int) -> None:
        """Refuse: it has one fork only."""
        raise FaucetFault(f"Surfpool does not give up slot {height}")

    async def _token_payment(
        self, payer: str, to: str, units: int, mint: str
    ) -> list[Instruction]:
        decimals, program = self.tokens[mint]
        given = [payer, mint, {"amount": units}, program]
        await self._ask("surfnet_setTokenAccount", given, Any)
        source = associated_token_account(payer, mint, program)
        target = associated_token_account(to, mint, program)
        opened = Instruction(
            Pubkey.from_string(ASSOCIATED_TOKEN_PROGRAM),
            _CREATE_IDEMPOTENT,
            [
                AccountMeta(Pubkey.from_string(payer), is_signer=True, is_writable=True),
                _meta(target, writable=True),
                *(_meta(each) for each in (to, mint, SYSTEM_PROGRAM, program)),
            ],
        )
        moved = Instruction(
            Pubkey.from_string(program),
            struct.pack("<BQB", _TRANSFER_CHECKED, units, decimals),
            [
                _meta(source, writable=True),
                _meta(mint),
                _meta(target, writable=True),
                AccountMeta(Pubkey.from_string(payer), is_signer=True, is_writable=False),
            ],
        )
        return [opened, moved]

    async def _send(self, payer: Keypair, instructions: list[Instruction]) -> str:
        confirmed = {"commitment": "confirmed"}
        latest = await self._ask("getLatestBlockhash", [confirmed], Valued[_Latest])
        message = MessageV0.try_compile(
            payer.pubkey(), instructions, [], Hash.from_string(latest.value.blockhash)
        )
        raw = b64encode(bytes(VersionedTransaction(message, [payer]))).decode()
        options = {"encoding": "base64", "preflightCommitment": "confirmed"}
        signature: str = await self._ask("sendTransaction", [raw, options], str)
        return signature

    async def _slot_of(self, signature: str) -> int:
        for _ in range(LOOKS_MAX):
            kind = Valued[list[_Status | None]]
            [status] = (await self._ask("getSignatureStatuses", [[signature]], kind)).value
            if status is not None and status.err is not None:
                raise FaucetFault(f"{signature} failed: {status.err}")
            if status is not None and status.confirmation_status != "processed":
                return int(status.slot)
            await asyncio.sleep(LOOK_SECONDS)
        raise FaucetFault(f"{signature} comes into no block")

    async def _ask(self, method: str, params: list[Any], kind: Any) -> Any:
        try:
            return await self.rpc.call(method, params, kind)
        except RpcError as refusal:
            raise FaucetFault(f"{method}: {refusal}") from refusal


def _meta(address: str, *, writable: bool = False) -> AccountMeta:
    return AccountMeta(Pubkey.from_string(address), is_signer=False, is_writable=writable)


def faucet(settings: NetworkSettings, endpoints: Endpoints) -> SurfpoolFaucet:
    """Return the faucet behind a network's endpoints."""
    tokens = {
        asset.contract: (asset.decimals, asset.token_program or "")
        for asset in settings.assets
        if asset.contract is not None
    }
    return SurfpoolFaucet(JsonRpc(endpoints), tokens)
