"""Surfpool's clock, jumped so that no transaction falls out of the chain.

Surfpool 1.5.0 judges a target and jumps to it later, and by its own clock in between. What is
executed meanwhile keeps the slot that was left, whose block is shut; and a target that the clock
has reached by then is played twice, its second block written over the first. Either way a
transaction is confirmed and in no block. So a jump goes alone, and well ahead.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from devnet.chain import RpcFault, until
from devnet.solana_ledger import INVALID_PARAMS
from devnet.solana_upstream import Upstream

JUMP_SLOTS_MIN = 5
"""The clock takes a shorter way as soon; one slot of it is spent waiting."""


@dataclass(slots=True)
class Jumps:
    """Sends in any number at once, or one jump. Both raise `RpcFault` where Surfpool refuses."""

    upstream: Upstream
    _gate: asyncio.Lock = field(default_factory=asyncio.Lock)
    _sends: set[asyncio.Future[Any]] = field(default_factory=set)

    async def send(self, params: list[Any]) -> Any:
        """Serve sendTransaction, never while the clock jumps."""
        async with self._gate:
            sending = asyncio.ensure_future(self.upstream.call("sendTransaction", *params))
            self._sends.add(sending)
            sending.add_done_callback(self._sends.discard)
        return await sending

    async def time_travel(self, params: list[Any]) -> Any:
        """Serve surfnet_timeTravel: after the block of the last send, before that of the next."""
        slot = await self._tip()
        target = params[0].get("absoluteSlot")
        if target is not None and target < slot + JUMP_SLOTS_MIN:
            raise RpcFault(
                INVALID_PARAMS, f"slot {target} is not {JUMP_SLOTS_MIN} after {slot}"
            )
        async with self._gate:
            if self._sends:
                await asyncio.wait(self._sends)
            await self._reached(await self._tip() + 1)
            answer = await self.upstream.call("surfnet_timeTravel", *params)
            await self._reached(target or await self._tip() + 1)
            return answer

    async def _reached(self, slot: int) -> None:
        async def reached() -> bool | None:
            return await self._tip() >= slot or None

        await until(reached, f"slot {slot}")

    async def _tip(self) -> int:
        tip: int = await self.upstream.call("getSlot", {"commitment": "processed"})
        return tip
