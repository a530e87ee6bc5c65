"""Hands of a Solana network: chain facts for a payment on a durable nonce, and its broadcast.

A payment spends one nonce value, so two signed payments on the same value never both land.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from keystore.api import SolanaAdvanceIntent, SolanaIntent, SolanaSweepIntent
from watchers.network import (
    NATIVE,
    BroadcastRejected,
    NodeUnavailable,
    PayoutOrder,
    Refused,
    Slot,
)
from watchers.networks.solana import advance, fees, gathered, lane, payment, refusals
from watchers.networks.solana.accounts import (
    NONCE_ACCOUNT_BYTES,
    SYSTEM_PROGRAM,
    associated_token_account,
    nonce_account_address,
    nonce_state,
)
from watchers.networks.solana.rehearsal import rehearse
from watchers.networks.solana.wire import Valued, accounts, ask, recent_prices, rent_minimum
from watchers.rpc import JsonRpc, RpcError

# What is written is what was read at `confirmed`: a rollback below it needs a third of the
# stake, and a payment prepared on a value that vanished never lands.
_COMMITMENT = "confirmed"


class _LatestBlockhash(msgspec.Struct, gc=False):
    blockhash: str


@dataclass(frozen=True, slots=True)
class _AssetFacts:
    """What the asset adds to an order; `account_rent` is 0 unless an account is created."""

    unit_limit: int
    decimals: int = 0
    token_program: str = ""
    create_ata: bool = False
    account_rent: int = 0


@dataclass(slots=True)
class SolanaWriter:
    """`ChainWriter` of one Solana cluster; `tokens` maps each listed mint to its program.

    So many nodes as `quorum` must show the value that a payment is signed on.
    """

    rpc: JsonRpc
    network: str
    tokens: Mapping[str, str]
    quorum: int = 1

    async def next_nonce(self, address: str) -> int:
        """Return 0: Solana accounts count nothing."""
        del address
        return 0

    async def nonce_account_state(self, address: str) -> str | None:
        """Return the base58 value now stored in a nonce account; None where there is none."""
        return (await self.nonce_account_seen(address))[0]

    async def nonce_account_seen(self, address: str) -> tuple[str | None, int]:
        """Return the value now stored in a nonce account, and the slot at which it stood there."""
        state, slot = await lane.held(self.rpc, address, self.quorum)
        return None if state is None else state.value, slot

    def lane_address(self, hot: str, lane: int) -> str:
        """Return the account of one of the hot wallet's lanes, made or not."""
        return nonce_account_address(hot, lane)

    async def nonce_setup(self, hot: str, lane: int) -> dict[str, Any] | None:
        """Return the parameters of `SignNonceSetupRequest`; None where the lane stands.

        Raises `Refused` where something else stands at the lane's address: anybody may send
        lamports there, and then another lane has to be taken.
        """
        address = nonce_account_address(hot, lane)
        (account,) = await accounts(self.rpc, [address], _COMMITMENT)
        if account is not None:
            state = nonce_state(account.content())
            if account.owner == SYSTEM_PROGRAM and state is not None and state.authority == hot:
                return None
            raise Refused(f"lane {lane}: {address} is no nonce account of {hot}")
        latest = await ask(
            self.rpc,
            "getLatestBlockhash",
            [{"commitment": _COMMITMENT}],
            Valued[_LatestBlockhash],
        )
        return {
            "network": self.network,
            "lane": lane,
            "blockhash": latest.value.blockhash,
            "lamports": await rent_minimum(self.rpc, NONCE_ACCOUNT_BYTES),
        }

    async def prepare(self, order: PayoutOrder, slot: Slot) -> Mapping[str, Any]:
        """Return the fields of `SolanaIntent`; the ceiling covers fee and account rent.

        Raises `Refused` naming what stands in the way: the nonce account, the destination, the
        token account, the wallet's balance, the fee ceiling, or what a node's simulation says.
        """
        nonce_account = slot.nonce_account
        if nonce_account is None:
            raise ValueError("slot.nonce_account: a Solana payout takes a nonce account")
        state, _ = await lane.held(self.rpc, nonce_account, self.quorum)
        if state is None:
            raise Refused(f"nonce account {nonce_account} does not exist yet")
        if state.authority != order.source:
            raise Refused(f"nonce account {nonce_account} obeys {state.authority}")
        refusals.check_address(order.destination)
        facts = await self._asset_facts(order)
        price = await self._price(order)
        await self._check_lamports(
            order, fees.lamports(facts.unit_limit, price) + facts.account_rent
        )
        intent = SolanaIntent(
            withdrawal_id=order.withdrawal_id,
            network=self.network,
            asset=order.asset,
            to=order.destination,
            units=str(order.units),
            decimals=facts.decimals,
            token_program=facts.token_program,
            create_ata=facts.create_ata,
            nonce_account=nonce_account,
            nonce_value=state.value,
            compute_unit_limit=facts.unit_limit,
            compute_unit_price_micro_lamports=price,
        )
        await rehearse(self.rpc, intent, order.source)
        return dict(msgspec.to_builtins(intent))

    async def outbid(
        self, intent: Mapping[str, Any], *, ceiling_units: int, overdue: bool
    ) -> Mapping[str, Any] | None:
        """Return a cancel at a better price where the market asks for one; payments stay."""
        del overdue
        if intent["family"] != advance.FAMILY:
            return None
        market = await self._lane_price(intent)
        if market <= intent[advance.PRICE]:
            return None
        return advance.vacating(intent, market, ceiling_units=ceiling_units)

    async def vacate(
        self, intent: Mapping[str, Any], sender: str, *, ceiling_units: int
    ) -> Mapping[str, Any]:
        """Return a `SolanaAdvanceIntent` on the nonce value of `intent`; the lane names the sender.

        Raises `Refused` where the ceiling leaves no room.
        """
        del sender
        market = await self._lane_price(intent)
        return advance.vacating(intent, market, ceiling_units=ceiling_units)

    async def _lane_price(self, intent: Mapping[str, Any]) -> int:
        return fees.unit_price(await recent_prices(self.rpc, [intent["nonce_account"]]))

    def verify(self, intent: Mapping[str, Any], raw: bytes) -> str:
        """Return the transaction hash of bytes that do exactly what the intent says."""
        kinds = SolanaIntent | SolanaSweepIntent | SolanaAdvanceIntent
        try:
            typed: Any = msgspec.convert(dict(intent), kinds)
        except msgspec.ValidationError as trouble:
            raise ValueError(f"intent: {trouble}") from trouble
        if isinstance(typed, SolanaAdvanceIntent):
            return advance.check(typed, raw)
        if isinstance(typed, SolanaSweepIntent):
            return gathered.check(typed, raw)
        return payment.check(typed, raw)

    async def broadcast(self, raw: bytes) -> None:
        """Send the bytes to every node, without its own simulation and retries.

        One that takes them is enough; else `BroadcastRejected` carries a node's words.
        """
        config = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
        params = [b64encode(raw).decode(), config]
        said = await self.rpc.call_everywhere("sendTransaction", params, str)
        if any(isinstance(each, str) for each in said):
            return
        for each in said:
            if isinstance(each, RpcError):
                raise BroadcastRejected(str(each)) from each
        raise NodeUnavailable("; ".join(map(str, said)))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.rpc.endpoints.aclose()

    async def _price(self, order: PayoutOrder) -> int:
        """Return the 75th percentile that recent blocks took for what this payment writes."""
        written = [order.source, order.destination]
        program = self.tokens.get(order.asset)
        if program is not None:
            written += [
                associated_token_account(owner, order.asset, program) for owner in written
            ]
        return fees.unit_price(await recent_prices(self.rpc, written))

    async def _check_lamports(self, order: PayoutOrder, cost: int) -> None:
        source, destination = await accounts(
            self.rpc, [order.source, order.destination], _COMMITMENT
        )
        refusals.check_wallet(order.destination, destination)
        refusals.check_lamports(
            order, cost, await rent_minimum(self.rpc, 0), source, destination
        )

    async def _asset_facts(self, order: PayoutOrder) -> _AssetFacts:
        if order.asset == NATIVE:
            return _AssetFacts(fees.UNITS_NATIVE)
        program = self.tokens.get(order.asset)
        if program is None:
            raise Refused(f"asset {order.asset} is not listed")
        own = associated_token_account(order.source, order.asset, program)
        theirs = associated_token_account(order.destination, order.asset, program)
        mint, source, destination = await accounts(
            self.rpc, [order.asset, own, theirs], _COMMITMENT
        )
        refusals.check_mint(order, mint, program)
        funded = refusals.check_token_source(order, source, program)
        if refusals.destination_account_stands(order, destination, program):
            return _AssetFacts(fees.UNITS_TOKEN, order.decimals, program)
        # One program makes both accounts of this mint, in the same size.
        rent = await rent_minimum(self.rpc, len(funded.content()))
        return _AssetFacts(
            fees.UNITS_TOKEN_AND_ACCOUNT,
            order.decimals,
            program,
            create_ata=True,
            account_rent=rent,
        )
