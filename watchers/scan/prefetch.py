"""Reads ahead of the cursor: several blocks in flight, handed out strictly in order.

While one run is being committed the next is already being read. Nothing here decides whether a
block follows another: the caller compares parent hashes.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from watchers.interest import Interest, SelectiveReader
from watchers.network import Block, ChainReader, Incomplete, NodeUnavailable, SlotLister
from watchers.scan.edge import proved_block

RUN_BLOCKS_MAX = 100
RUN_TRANSACTIONS_MAX = 20_000
"""About what one run may hold in memory; blocks of Solana are large."""
RUN_BLOCKS_MIN = 16
"""Towards the head runs are halves of what is left, down to this: while the last one is committed
nothing more can be read."""
RUN_SECONDS_MAX = 0.5
"""So long a run waits for blocks behind its first one. What comes later is in the next."""
RUNS_AHEAD = 3
SLOTS_LISTED = 256
IN_FLIGHT_FIRST, IN_FLIGHT_MAX = 4, 32
IN_FLIGHT_OF_LARGE = 16
"""So many reads at once of blocks of which a run holds fewer: their answers are megabytes."""
SLOW_SECONDS = 10.0


@dataclass(slots=True)
class Pace:
    """How many reads are in flight: one more for each good answer, half of it for trouble."""

    size: int = IN_FLIGHT_FIRST

    def answered(self, seconds: float) -> None:
        """Grow while the node answers quickly, shrink when it takes long."""
        step = 1 if seconds < SLOW_SECONDS else -1
        self.size = min(IN_FLIGHT_MAX, max(1, self.size + step))

    def failed(self) -> None:
        """Halve."""
        self.size = max(1, self.size // 2)


Read = Block | Incomplete | NodeUnavailable
Ask = Callable[[int], Awaitable[Block]]


@dataclass(slots=True)
class Prefetch:
    """The reads of one network. Not shared between tasks; `discard` before it is dropped."""

    dense: bool
    pace: Pace = field(default_factory=Pace)
    _reads: dict[int, asyncio.Task[Read]] = field(default_factory=dict)
    _queue: deque[int] = field(default_factory=deque)
    _again: set[int] = field(default_factory=set)
    _in_flight: int = 0
    _planned_to: int = -1
    _run_max: int = RUN_BLOCKS_MAX
    _ask: Ask | None = None

    async def run(
        self, reader: ChainReader, first: int, head: int, interest: Interest | None = None
    ) -> list[Block]:
        """Return blocks from `first` on, at most a run of them.

        With an `interest` they need be complete only in what concerns it. Raises `Incomplete`
        or `NodeUnavailable` where the first one cannot be had.
        """
        self._ask = reader.read
        if interest is not None and isinstance(reader, SelectiveReader):
            self._ask = partial(reader.read_for, interest=interest)
        await self._plan(reader, first, head)
        run: list[Block] = []
        deadline = asyncio.get_running_loop().time() + RUN_SECONDS_MAX
        for height in self._heights()[: self._length(first, head)]:
            read = await self._taken(height, deadline if run else None)
            if isinstance(read, Block):
                if not run or read.ref.height > run[-1].ref.height:
                    run.append(read)
                continue
            if not run and read is not None:
                raise read
            break
        self._weigh(run)
        return run

    async def discard(self) -> None:
        """Forget every read, those in flight too: the chain has changed, or we stop."""
        self._queue.clear()
        self._again.clear()
        self._planned_to = -1
        reads = list(self._reads.values())
        self._reads.clear()
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)

    def _length(self, first: int, head: int) -> int:
        return min(self._run_max, max(RUN_BLOCKS_MIN, (head - first + 1) // 2))

    def _heights(self) -> list[int]:
        return sorted([*self._reads, *self._queue])

    async def _plan(self, reader: ChainReader, first: int, head: int) -> None:
        """Let reads be under way of the run that is asked for and of those behind it."""
        self._forget_below(first)
        self._queue.extendleft(sorted(self._again, reverse=True))
        self._again.clear()
        start = max(first, self._planned_to + 1)
        stop = min(head, first + RUNS_AHEAD * self._run_max - 1)
        if start <= stop:
            self._queue.extend(await self._listed(reader, start, stop))
        if not self._reads and not self._queue:
            self._queue.append(first)
        self._pump()

    async def _listed(self, reader: ChainReader, start: int, stop: int) -> Iterable[int]:
        if self.dense:
            self._planned_to = stop
            return range(start, stop + 1)
        if not isinstance(reader, SlotLister):
            return ()
        last = max(stop, start + SLOTS_LISTED - 1)
        try:
            slots = await reader.produced(start, last)
        except (Incomplete, NodeUnavailable):
            return ()  # a hint that did not come: the next block is asked for by height
        listed = sorted({slot for slot in slots if start <= slot <= last})
        # A list that ends early may end at the node's head: what lies above is asked for again.
        self._planned_to = listed[-1] if listed else self._planned_to
        return listed

    def _forget_below(self, first: int) -> None:
        for height in [each for each in self._reads if each < first]:
            self._reads.pop(height).cancel()
        self._queue = deque(each for each in self._queue if each >= first)
        self._again = {each for each in self._again if each >= first}

    def _pump(self) -> None:
        at_once = min(self.pace.size, max(self._run_max, IN_FLIGHT_OF_LARGE))
        while self._ask is not None and self._queue and self._in_flight < at_once:
            height = self._queue.popleft()
            task = asyncio.create_task(self._read(self._ask, height))
            self._in_flight += 1
            task.add_done_callback(self._landed)
            self._reads[height] = task

    def _landed(self, _task: asyncio.Task[Read]) -> None:
        self._in_flight -= 1
        self._pump()

    async def _read(self, ask: Ask, height: int) -> Read:
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            block = proved_block(await ask(height))
        except (Incomplete, NodeUnavailable) as trouble:
            self.pace.failed()
            return trouble
        self.pace.answered(clock() - begun)
        return block

    async def _taken(self, height: int, deadline: float | None) -> Read | None:
        """Return a read that is done, waiting for it until the deadline; None where it is not.

        What was no block is forgotten here and asked for again in the next run.
        """
        while (read := self._reads.get(height)) is None:
            # It waits in the queue: one in flight has to come back first.
            flying = [each for each in self._reads.values() if not each.done()]
            if flying and not await _some_done(flying, deadline):
                return None
            await asyncio.sleep(0)
        if not read.done() and not await _some_done([read], deadline):
            return None
        result = read.result()
        if not isinstance(result, Block):
            del self._reads[height]
            self._again.add(height)
        return result

    def _weigh(self, run: Sequence[Block]) -> None:
        heaviest = max((len(block.outcomes) for block in run), default=0)
        if heaviest:
            self._run_max = max(1, min(RUN_BLOCKS_MAX, RUN_TRANSACTIONS_MAX // heaviest))


async def _some_done(reads: Sequence[asyncio.Task[Read]], deadline: float | None) -> bool:
    """Wait for one of the reads; tell whether one is done in time."""
    left = None
    if deadline is not None:
        left = max(0.0, deadline - asyncio.get_running_loop().time())
    done, _ = await asyncio.wait(reads, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)
