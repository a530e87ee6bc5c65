"""The courier: leases messages, sends each in a thread, settles what came of it.

Mail servers and services block, so each channel has threads of its own: a server that hangs holds
one of them until its time-out, and holds up nobody who is served elsewhere.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from prometheus_client import CollectorRegistry, Counter

from gateway.db import CROSS_TENANT, Database
from gateway.domain.moment import Moment
from gateway.notifications import leases
from gateway.notifications.delivery import Letter, Outcome
from gateway.notifications.leases import Tried
from gateway.notifications.sealing import Sealing

THREADS = 8
DEADLINE_SECONDS = 20
"""With what a thread may still hang then, less than systemd waits for the worker to stop."""
LATE = Outcome("later", "no answer in time")
UNREADABLE = Outcome("refused", "it was sealed under another master secret")

Send = Callable[[Letter, Moment], Outcome]
"""Hand one message over; blocks."""


@dataclass(frozen=True, slots=True)
class Lines:
    """How e-mails go out, and how messages to targets do."""

    mail: Send
    target: Send


class _Line:
    """One channel's threads; `free` says how many could begin now."""

    def __init__(self, name: str, send: Send) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=name)
        self._send = send
        self.free = THREADS

    async def carry(self, letter: Letter, moment: Moment) -> Outcome:
        """Send in a thread; a thread that is not waited for any longer is busy all the same."""
        if letter.body is None:
            return UNREADABLE
        loop = asyncio.get_running_loop()
        self.free -= 1
        sending = self._threads.submit(self._send, letter, moment)
        sending.add_done_callback(lambda _: self._ended(loop))
        return await _within_deadline(sending)

    def _ended(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():  # a thread may outlive everybody who asked for it
            loop.call_soon_threadsafe(self._freed)

    def _freed(self) -> None:
        self.free += 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


async def _within_deadline(sending: "Future[Outcome]") -> Outcome:
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            # Shielded: the thread goes on, and its end must still be heard.
            return await asyncio.shield(asyncio.wrap_future(sending))
    except TimeoutError:
        return LATE


class Courier:
    """Holds what is in flight in this process; what must last is in the database.

    `wake` is set when there are results to settle.
    """

    def __init__(
        self,
        database: Database,
        sealing: Sealing,
        lines: Lines,
        clock: Callable[[], Moment],
        tasks: asyncio.TaskGroup,
        *,
        per_hour: int,
        registry: CollectorRegistry,
    ) -> None:
        self._database = database
        self._sealing = sealing
        self._clock = clock
        self._tasks = tasks
        self._per_hour = per_hour
        self._mail = _Line("mail", lines.mail)
        self._target = _Line("target", lines.target)
        self._tried: list[Tried] = []
        self._log = structlog.get_logger().bind()
        self._counted = Counter(
            "gateway_notifications",
            "Attempts to send a message to a person, by what came of them.",
            ["channel", "outcome"],
            registry=registry,
        )
        self.wake = asyncio.Event()

    async def round(self) -> bool:
        """Settle what landed and begin what is due; tell whether there was any."""
        settled = await self.settle()
        begun = [await self._lease(line, mail=line is self._mail) for line in self._both]
        return settled or any(begun)

    async def settle(self) -> bool:
        """Write every result there is in one transaction; tell whether there was any."""
        batch, self._tried = self._tried, []
        if not batch:
            return False
        try:
            async with self._database.unit_of_work(CROSS_TENANT) as session:
                states = await leases.settle(session, batch, self._clock())
        except BaseException:
            self._tried = batch + self._tried
            raise
        for tried in batch:
            self._note(tried, states.get(tried.letter.id))
        return True

    async def tidy(self) -> None:
        """Fail what is too late, forget what is long over."""
        moment = self._clock()
        async with self._database.unit_of_work(CROSS_TENANT) as session:
            failed = await leases.give_up(session, moment)
            await leases.forget(session, moment)
        if failed:
            self._counted.labels("any", "given up").inc(failed)
            self._log.warning("notifications given up", count=failed)

    def close(self) -> None:
        """Let go of the threads; what hangs is not waited for."""
        for line in self._both:
            line.close()

    @property
    def _both(self) -> tuple[_Line, _Line]:
        return self._mail, self._target

    async def _lease(self, line: _Line, *, mail: bool) -> bool:
        if line.free <= 0:
            return False
        moment = self._clock()
        async with self._database.unit_of_work(CROSS_TENANT) as session:
            letters = await leases.lease(
                session,
                self._sealing,
                moment,
                mail=mail,
                wanted=line.free,
                per_hour=self._per_hour,
            )
        for letter in letters:
            self._tasks.create_task(self._carry(line, letter))
        return bool(letters)

    async def _carry(self, line: _Line, letter: Letter) -> None:
        outcome = await line.carry(letter, self._clock())
        self._tried.append(Tried(letter, outcome))
        self.wake.set()

    def _note(self, tried: Tried, status: str | None) -> None:
        letter, outcome = tried.letter, tried.outcome
        channel = "email" if "@" in letter.recipient else "target"
        self._counted.labels(channel, status or "lost").inc()
        say = self._log.warning if status == "failed" else self._log.info
        say(
            "notification",
            id=letter.id,
            kind=letter.kind,
            channel=channel,
            merchant_id=letter.merchant_id,
            attempt=letter.attempts,
            outcome=status or "lease lost",
            error=outcome.words,
        )
