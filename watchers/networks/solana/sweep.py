"""Sweeps on Solana: the hot wallet pays, every address signs for itself, several at a time.

Nothing needs lamports but the hot wallet. SOL leaves to the last lamport (an account may hold
none, but not a little); of a token everything leaves and the emptied account is closed, whose
rent comes to the hot wallet and is worth hundreds of fees. What lies beside the canonical account
is first brought into that, where our own scan sees it arrive.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.settings import NetworkSettings
from keystore.api import SolanaSweepIntent, SweepSource
from watchers.network import NATIVE, Refused, Slot
from watchers.networks.solana import fees
from watchers.networks.solana.accounts import (
    SYSTEM_PROGRAM,
    TOKEN_ACCOUNT_BYTES,
    associated_token_account,
    nonce_state,
    token_holding,
)
from watchers.networks.solana.beside import largest
from watchers.networks.solana.gathered import fits
from watchers.networks.solana.wire import (
    AccountDocument,
    accounts,
    recent_prices,
    token_accounts,
)
from watchers.rpc import Endpoints, JsonRpc
from watchers.sweep.hands import Job, Source, Step

COMMITMENT = "confirmed"


@dataclass(frozen=True, slots=True)
class SolanaSweeps:
    """`Hands` of one Solana cluster; `tokens` maps each listed mint to its program."""

    rpc: JsonRpc
    network: str
    tokens: Mapping[str, str]
    steps: tuple[Step, ...] = ("moving",)

    def batch(self, asset: str) -> int:
        """Return how many signers' transfers 1,232 bytes hold."""
        return fits(asset, close=asset != NATIVE)

    def sender(self, step: Step, job: Job) -> str:
        """Return the hot wallet: it pays every fee."""
        del step
        return job.hot

    def purpose(self, step: Step) -> str:
        """Return the attempt's purpose."""
        del step
        return "sweep"

    async def gas_price(self) -> int:
        """Return 0: a priority fee is a matter of a few lamports."""
        return 0

    async def cost(self, asset: str, address: str, gas: str) -> int:
        """Return the lamports of two signatures; closing a token account brings more."""
        del address, gas
        return 0 if asset != NATIVE else 2 * fees.SIGNATURE_LAMPORTS

    async def prepare(
        self, step: Step, job: Job, order_id: str, slot: Slot
    ) -> Mapping[str, Any] | None:
        """Return the intent of the one transaction; nothing goes before or after it."""
        if step != "moving":
            return None
        if slot.nonce_account is None:
            raise ValueError("slot.nonce_account: a Solana sweep takes a nonce account")
        program = "" if job.asset == NATIVE else self.tokens[job.asset]
        value = await self._nonce(slot.nonce_account, job.hot)
        sources, close = await self._from(job, program)
        price = await self._price(job)
        limit = _limit(job)
        fee = fees.lamports(limit, price) + fees.SIGNATURE_LAMPORTS * len(job.sources)
        if fee > job.cost_max:
            raise Refused(f"the network takes {fee} lamports, a sweep may cost {job.cost_max}")
        intent = SolanaSweepIntent(
            withdrawal_id=order_id,
            network=self.network,
            asset=job.asset,
            decimals=0 if job.asset == NATIVE else job.decimals,
            token_program=program,
            sources=sources,
            close=close,
            nonce_account=slot.nonce_account,
            nonce_value=value,
            compute_unit_limit=limit,
            compute_unit_price_micro_lamports=price,
        )
        return dict(msgspec.to_builtins(intent))

    async def _from(self, job: Job, program: str) -> tuple[list[SweepSource], bool]:
        """Return what leaves which account, and whether emptied token accounts are closed."""
        if job.beside:
            return await self._beside(job.source, job.asset, program)
        close = await self._looked_at(job, program)
        sources = [
            SweepSource(index=each.index, address=each.address, units=str(each.units))
            for each in job.sources
        ]
        return sources, close

    async def _beside(
        self, source: Source, mint: str, program: str
    ) -> tuple[list[SweepSource], bool]:
        found = await token_accounts(self.rpc, source.address, mint, COMMITMENT)
        account, units, close = largest(found, source.address, mint, program)
        moved = SweepSource(
            index=source.index, address=source.address, units=str(units), account=account
        )
        return [moved], close

    async def _nonce(self, account: str, hot: str) -> str:
        (found,) = await accounts(self.rpc, [account], COMMITMENT)
        state = None
        if found is not None and found.owner == SYSTEM_PROGRAM:
            state = nonce_state(found.content())
        if state is None or state.authority != hot:
            raise Refused(f"nonce account {account} is none of {hot}")
        return state.value

    async def _looked_at(self, job: Job, program: str) -> bool:
        """Check every account; return whether token accounts can be closed behind the tokens.

        Extended accounts (Token-2022) may keep withheld fees and would not close.
        """
        addresses = [source.address for source in job.sources]
        if job.asset == NATIVE:
            found = await accounts(self.rpc, addresses, COMMITMENT)
            _require_coins(job.sources, found)
            return False
        held = [associated_token_account(each, job.asset, program) for each in addresses]
        own = associated_token_account(job.hot, job.asset, program)
        hot, *found = await accounts(self.rpc, [own, *held], COMMITMENT)
        if hot is None or hot.owner != program:
            raise Refused(
                f"the hot wallet {job.hot} has no account for {job.asset} yet: "
                "send it any amount of the token once"
            )
        plain = [
            _require_tokens(*pair, job, program)
            for pair in zip(job.sources, found, strict=True)
        ]
        return all(plain)

    async def _price(self, job: Job) -> int:
        written = [job.hot, *(source.address for source in job.sources)]
        return fees.unit_price(await recent_prices(self.rpc, written))


def hands(name: str, settings: NetworkSettings, endpoints: Endpoints) -> SolanaSweeps:
    """Build what sweeps through these endpoints."""
    tokens = {
        asset.contract: asset.token_program or ""
        for asset in settings.assets
        if asset.contract is not None
    }
    return SolanaSweeps(JsonRpc(endpoints), name, tokens)


def _limit(job: Job) -> int:
    """Return the compute units that the transfers of a job may use."""
    if job.beside:
        return fees.UNITS_TOKEN_AND_ACCOUNT + fees.UNITS_TOKEN
    each = fees.UNITS_NATIVE if job.asset == NATIVE else fees.UNITS_TOKEN
    return each * len(job.sources)


def _require_coins(sources: Sequence[Source], found: Sequence[AccountDocument | None]) -> None:
    for source, account in zip(sources, found, strict=True):
        held = 0 if account is None else account.lamports
        if held != source.units:
            raise Refused(f"{source.address} holds {held} lamports, final are {source.units}")


def _require_tokens(
    source: Source, account: AccountDocument | None, job: Job, program: str
) -> bool:
    """Refuse another balance than the final one, or a frozen account; tell a plain one."""
    content = account.content() if account is not None and account.owner == program else b""
    holding = token_holding(content)
    held = holding.units if holding is not None and holding.owner == source.address else 0
    if holding is None or held != source.units:
        raise Refused(f"{source.address} holds {held} of {job.asset}, final are {source.units}")
    if holding.frozen:
        raise Refused(f"the token account of {source.address} is frozen")
    return len(content) == TOKEN_ACCOUNT_BYTES
