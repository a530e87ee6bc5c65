"""Balances in the newest solid state: a Tron node keeps no older one."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from gateway.settings import NetworkSettings
from watchers.network import NATIVE, NodeUnavailable
from watchers.networks.tron.address import to_hex
from watchers.networks.tron.answers import Answer, CallAnswer
from watchers.networks.tron.node import TronNode, address_word, call_failure
from watchers.reconcile.balances import Holding, Observation
from watchers.rpc import Endpoints

SIDE_BY_SIDE = 4
STALE_BLOCKS = 20
"""One address may stand for several nodes, of which one answers from a state a minute older."""
WORD_HEX = 64


class _Held(msgspec.Struct, frozen=True, gc=False):
    key: str
    value: int = 0


class _Account(Answer, frozen=True, gc=False):
    balance: int = 0
    assets: tuple[_Held, ...] = msgspec.field(default=(), name="assetV2")


@dataclass(slots=True)
class TronBalances:
    """`BalanceReader` of one Tron network."""

    node: TronNode
    historic: bool = field(default=False, init=False)
    credits: bool = field(default=True, init=False)
    fee_is_alone: bool = field(default=True, init=False)

    async def observe(self, wanted: Sequence[Holding], height: int) -> Observation:
        """Return what is held between the solid block before the questions and the one after."""
        del height
        places = asyncio.Semaphore(SIDE_BY_SIDE)

        async def one(holding: Holding) -> int | None:
            async with places:
                return await self._held(holding)

        low = (await self.node.newest_solid()).height
        answers = await asyncio.gather(*(one(holding) for holding in wanted))
        high = (await self.node.newest_solid()).height
        units = {
            holding: answer
            for holding, answer in zip(wanted, answers, strict=True)
            if answer is not None
        }
        return Observation(max(0, low - STALE_BLOCKS), max(low, high), units)

    async def beneficiary(self, height: int) -> str:
        """Return nobody: block rewards wait on Tron until their owner withdraws them."""
        del height
        return ""

    async def _held(self, holding: Holding) -> int | None:
        if holding.asset == NATIVE:
            return (await self._account(holding.address)).balance
        if holding.asset.isdigit():
            held = (await self._account(holding.address)).assets
            return sum(each.value for each in held if each.key == holding.asset)
        return await self._token(holding)

    async def _account(self, address: str) -> _Account:
        query = {"address": to_hex(address)}
        return await self.node.ask("/walletsolidity/getaccount", query, _Account)

    async def _token(self, holding: Holding) -> int | None:
        query = {
            "owner_address": to_hex(holding.address),
            "contract_address": to_hex(holding.asset),
            "function_selector": "balanceOf(address)",
            "parameter": address_word(holding.address),
        }
        path = "/walletsolidity/triggerconstantcontract"
        answer = await self.node.ask(path, query, CallAnswer)
        word = answer.constant_result[0] if answer.constant_result else ""
        if call_failure(answer) or len(word) != WORD_HEX:
            return None
        try:
            return int(word, 16)
        except ValueError as trouble:
            raise NodeUnavailable(f"balanceOf at {holding.asset}: {word!r}") from trouble


def balances(settings: NetworkSettings, endpoints: Endpoints) -> TronBalances:
    """Build the reader of balances for these endpoints."""
    del settings
    return TronBalances(TronNode(endpoints))
