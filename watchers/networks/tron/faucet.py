"""The Tron emulator's levers for played payments (`/devnode/...`); no real node has them."""

import asyncio
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from gateway.settings import NetworkSettings
from watchers.network import NATIVE
from watchers.networks.tron.answers import Answer
from watchers.networks.tron.node import TronNode
from watchers.rpc import Endpoints
from watchers.simulate.faucet import FaucetFault, Paid

A = TypeVar("A", bound=Answer)
LOOKS_MAX = 40
LOOK_SECONDS = 0.05


class _Funded(Answer, frozen=True, gc=False):
    txid: str = ""


class _Receipt(msgspec.Struct, frozen=True, gc=False):
    result: str = ""


class _Info(Answer, frozen=True, gc=False):
    block: int = msgspec.field(default=0, name="blockNumber")
    result: str = ""
    receipt: _Receipt = _Receipt()


class _Head(Answer, frozen=True, gc=False):
    num: int = 0


@dataclass(slots=True)
class EmulatorFaucet:
    """One emulator."""

    node: TronNode

    async def pay(self, to: str, units: int, asset: str) -> Paid:
        """Pay from the emulator's payer; seal a block where none comes by itself."""
        token = {} if asset == NATIVE else {"contract": asset}
        funded = await self._ask("fund", {"address": to, "amount": units, **token}, _Funded)
        query = {"value": funded.txid}
        for _ in range(LOOKS_MAX):
            info = await self.node.ask("/wallet/gettransactioninfobyid", query, _Info)
            if info.result:
                raise FaucetFault(f"{funded.txid}: {info.receipt.result or info.result}")
            if info.block:
                return Paid(funded.txid, info.block)
            await self.mine(1)
            await asyncio.sleep(LOOK_SECONDS)
        raise FaucetFault(f"{funded.txid} comes into no block")

    async def mine(self, blocks: int) -> None:
        """Seal blocks now."""
        await self._ask("mine", {"blocks": blocks}, _Head)

    async def pause(self) -> None:
        """Have no blocks come by themselves."""
        await self._ask("faults", {"paused": True}, Answer)

    async def resume(self) -> None:
        """Have them come again."""
        await self._ask("faults", {"paused": False}, Answer)

    async def drop(self, height: int) -> None:
        """Fork below `height`; what stood there never returns."""
        head = await self.node.newest()
        await self._ask("reorg", {"depth": head.height - height + 1, "drop": True}, _Head)

    async def _ask(self, lever: str, query: dict[str, Any], kind: type[A]) -> A:
        # Not through the node's face: a lever takes its own members and no `visible`.
        path = f"/devnode/{lever}"
        body = await self.node.endpoints.post(path, msgspec.json.encode(query))
        answer = msgspec.json.decode(body, type=kind)
        if answer.error is not None:
            raise FaucetFault(f"{path}: {answer.error}")
        return answer


def faucet(settings: NetworkSettings, endpoints: Endpoints) -> EmulatorFaucet:
    """Return the faucet behind a network's endpoints."""
    del settings
    return EmulatorFaucet(TronNode(endpoints))
