"""The one scan loop of every family: the head lane sees, the final lane posts money."""

import asyncio
from dataclasses import dataclass, field

from watchers.scan.branches import Branches
from watchers.scan.edge import proved_tip
from watchers.scan.final_lane import FinalLane
from watchers.scan.head_lane import HeadLane
from watchers.scan.prefetch import RUN_BLOCKS_MAX, Prefetch
from watchers.scan.reorg import Hysteresis
from watchers.scan.track import Track

TIP_SECONDS = 5.0


@dataclass(slots=True)
class Scanner(Track):
    """Carries one network's cursor forward. Not shared between tasks."""

    hysteresis: Hysteresis = field(default_factory=Hysteresis)
    prefetch: Prefetch = field(init=False)
    head_lane: HeadLane = field(init=False)
    final_lane: FinalLane = field(init=False)
    _tip_seen_at: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.prefetch = Prefetch(self.dense)
        branches = Branches(self, self.prefetch, self.hysteresis)
        self.head_lane = HeadLane(self, self.prefetch, branches)
        self.final_lane = FinalLane(self, branches)

    @property
    def may_pay(self) -> bool:
        """Whether the chain is the one on which our money stood: payouts wait for it."""
        return self.final_lane.anchored and self.position.halted is None

    @property
    def waiting(self) -> str | None:
        """Why final money waits although blocks come, in one sentence."""
        return self.final_lane.waiting

    @property
    def unsettled(self) -> str | None:
        """Why an end of a payment of ours waits to be borne out, in one sentence."""
        return self.final_lane.unsettled

    async def step(self) -> bool:
        """Process what the node has; return whether there is more right away.

        Raises `Incomplete` where the next block is not whole yet, `FinalityBroken` where a final
        block changed, `LeaseLost` where somebody else moved the cursor.
        """
        await self.know_the_node()
        await self._look_up()
        if not await self.final_lane.anchor():
            return False
        moved = await self.head_lane.advance()
        await self.final_lane.advance()
        return moved and self.position.height < self.tip.head

    async def aclose(self) -> None:
        """Stop reading ahead."""
        await self.prefetch.discard()

    async def _look_up(self) -> None:
        """Ask how far the node is; while far behind, not before every run."""
        moment = asyncio.get_running_loop().time()
        behind = self.tip.head - self.position.height
        if behind > 2 * RUN_BLOCKS_MAX and moment < self._tip_seen_at + TIP_SECONDS:
            return
        self.tip = proved_tip(await self.reader.tip())
        self._tip_seen_at = moment
