"""psycopg's connection, with several statements in one round trip.

A round trip costs more than most statements do: two processes wake up for it. libpq's pipeline
mode (PostgreSQL's manual, "Pipeline Mode") sends many statements at once. psycopg's own pipelines
wait once per statement, so the exchange is made here; transactions, locks and the book of prepared
statements stay psycopg's.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import psycopg
from psycopg import AsyncConnection, IsolationLevel, adapt, generators
from psycopg._preparing import Prepare, PrepareManager
from psycopg._queries import PostgresQuery
from psycopg.abc import PQGen, Transformer
from psycopg.pq import ConnStatus, ExecStatus, PipelineStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from gateway.statements import Bound, Statement, bound, rows

Made = TypeVar("Made")
_GOOD = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})
_OUTDATED = frozenset({"0A000", "26000"})
"""A cached plan whose result changed, a prepared statement that is not there: SQLSTATE."""


_ELSEWHERE = frozenset({"25006", "25P03"})
"""The server only reads, a transaction was not heard of in time: SQLSTATE. psycopg, which goes by
their first two digits, calls both an error of its own."""
_COMMIT = Bound(b"COMMIT")


class Elsewhere(psycopg.OperationalError):
    """This connection leads nowhere any more, and another may: the world's trouble."""


class Driver(AsyncConnection[Any]):
    """A connection that keeps deferred statements for the next round trip.

    They go out, in order, before anything else is executed and before a commit; a rollback
    forgets them.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deferred: list[Statement] = []
        self._adapting: Transformer | None = None
        self.outlived = False
        """Whether its server is no longer the one to ask, as after a failover."""

    @property
    def rests(self) -> bool:
        """Tell whether no transaction is open and nothing waits to be sent."""
        idle = self.pgconn.transaction_status == TransactionStatus.IDLE
        return idle and not self._deferred

    def defer(self, statement: Statement) -> None:
        """Send a statement with whatever comes next, which then raises its fault."""
        self._deferred.append(statement)

    async def run(self, statements: Sequence[Statement], *, alone: bool = False) -> None:
        """Send statements in one round trip, behind what was deferred.

        Opens a transaction where none is open, unless they are to be one `alone`. The first
        fault is raised; nothing behind it was executed.
        """
        async with self.lock:
            await self.wait(self._trip(statements, opens=not alone))

    async def wait(
        self,
        gen: PQGen[Made],
        interval: float = 0.1,
        timeout: float | None = None,
    ) -> Made:
        """Do psycopg's work; a fault of what is prepared empties the book, else it came for ever."""
        try:
            return await super().wait(gen, interval, timeout)
        except psycopg.Error as fault:
            if fault.sqlstate in _OUTDATED:
                self._prepared.clear()
                if self.pgconn.transaction_status == TransactionStatus.IDLE:
                    await super().wait(self._prepared.maintain_gen(self))
            if fault.sqlstate in _ELSEWHERE:
                self.outlived = True
                raise Elsewhere(str(fault)) from fault
            raise

    async def rollback(self) -> None:
        """Undo what is open, if anything is: the pool asks for it each time it gets us back."""
        if not self.rests:
            await super().rollback()

    async def set_autocommit(self, value: bool) -> None:  # noqa: FBT001 - psycopg's
        """Set it without giving way: SQLAlchemy loses a connection that is cancelled here."""
        async with self.lock:
            _at_once(self._set_autocommit_gen(value))

    async def set_isolation_level(self, value: IsolationLevel | None) -> None:
        """Set it without giving way, as `set_autocommit` does."""
        async with self.lock:
            _at_once(self._set_isolation_level_gen(value))

    def _start_query(self) -> PQGen[None]:
        """Come before every query of psycopg's cursors."""
        if self._deferred:
            yield from self._trip(())
        else:
            yield from super()._start_query()

    def _commit_gen(self) -> PQGen[None]:
        if self.pgconn.transaction_status == TransactionStatus.INERROR:
            # PostgreSQL would answer ROLLBACK, which is no error to a client.
            yield from self._rollback_gen()
            raise psycopg.errors.InFailedSqlTransaction(
                "a fault was passed over: nothing is kept"
            )
        if self._deferred:
            yield from self._trip((), end=[_COMMIT])
        else:
            yield from super()._commit_gen()

    def _rollback_gen(self) -> PQGen[None]:
        self._deferred.clear()
        if None in self._prepared._to_flush:  # noqa: SLF001 - all is to go, see `wait`
            yield from super()._rollback_gen()
        else:
            yield from self._keeping_prepared(super()._rollback_gen())

    def _keeping_prepared(self, rollback: PQGen[None]) -> PQGen[None]:
        """Roll back without forgetting what is prepared: PostgreSQL keeps it, and we make no tables.

        Else every refusal would leave the next one on this connection a round trip to drop it,
        and its statements to prepare anew.
        """
        book, self._prepared = self._prepared, PrepareManager()
        try:
            yield from rollback
        finally:
            self._prepared = book

    def _trip(
        self,
        statements: Sequence[Statement],
        *,
        opens: bool = True,
        end: Sequence[Bound] = (),
    ) -> PQGen[None]:
        self._check_connection_ok()
        if self._pipeline is not None:
            yield from self._pipeline._sync_gen()  # noqa: SLF001 - executemany has one of its own
        queue = [*self._deferred, *statements]
        for each in queue:
            each.before(each.text, each.values)
        # One for all trips: it remembers how each type is written and read.
        adapting = self._adapting = self._adapting or adapt.Transformer(self)
        put = [bound(adapting, each) for each in queue]
        begin = self._begin() if opens else []
        self._deferred.clear()  # not before: what cannot be sent must not take them with it
        with self._pipelining():
            results = yield from self._exchange([*begin, *put, *end])
        yield from self._prepared.maintain_gen(self)
        for each, result in zip(queue, results[len(begin) :], strict=False):
            each.rows = rows(adapting, result)
            each.after(each.text, each.values)
        adapting.set_pgresult(None)

    def _exchange(self, queue: Sequence[Bound]) -> PQGen[list[PGresult]]:
        """Send all, then read all: what follows a fault too, so that the connection stays usable."""
        sent = [self._put(each) for each in queue]
        self.pgconn.pipeline_sync()
        yield from generators.send(self.pgconn)
        results: list[PGresult] = []
        fault: psycopg.Error | None = None
        for each, prepare, name in sent:
            answers = yield from generators.fetch_many(self.pgconn)
            if prepare is not Prepare.YES:
                self._prepared.validate((each.query, each.types), prepare, name, answers)
            if prepare is Prepare.SHOULD:
                prepared = answers
                answers = yield from generators.fetch_many(self.pgconn)
                answers = answers if prepared and prepared[-1].status in _GOOD else prepared
            if not answers:
                self.pgconn.finish()  # whose answer would come next nobody knows
                raise fault or psycopg.OperationalError("a round trip lacks an answer")
            results.append(answers[-1])
            if fault is None and answers[-1].status not in _GOOD:
                fault = psycopg.errors.error_from_result(answers[-1])
                fault.add_note(each.query.decode())
        yield from generators.fetch_many(self.pgconn)  # the end of the pipeline
        if fault is not None:
            raise fault
        return results

    def _put(self, each: Bound) -> tuple[Bound, Prepare, bytes]:
        """Hand one statement to libpq; it is prepared when it was sent often enough."""
        names, key = self._prepared._names, (each.query, each.types)  # noqa: SLF001 - the book's
        if known := names.get(key):
            names.move_to_end(key)
            self.pgconn.send_query_prepared(known, each.params, param_formats=each.formats)
            return each, Prepare.YES, known
        query = cast("PostgresQuery", each)
        prepare, name = self._prepared.get(query)
        if prepare is Prepare.NO:
            self.pgconn.send_query_params(
                each.query, each.params, param_types=each.types, param_formats=each.formats
            )
        else:
            if prepare is Prepare.SHOULD:
                self.pgconn.send_prepare(name, each.query, param_types=each.types)
            self.pgconn.send_query_prepared(name, each.params, param_formats=each.formats)
        self._prepared.maybe_add_to_cache(query, prepare, name)
        return each, prepare, name

    @contextmanager
    def _pipelining(self) -> Iterator[None]:
        entered = self.pgconn.pipeline_status == PipelineStatus.OFF
        if entered:
            self.pgconn.enter_pipeline_mode()
        try:
            yield
        finally:
            if entered and self.pgconn.status == ConnStatus.OK:
                self._leave()

    def _leave(self) -> None:
        try:
            self.pgconn.exit_pipeline_mode()
        except psycopg.OperationalError:
            # Answers are still under way, and nobody is left to read them.
            self.pgconn.finish()
            raise

    def _begin(self) -> list[Bound]:
        idle = self.pgconn.transaction_status == TransactionStatus.IDLE
        return [Bound(self._get_tx_start_command())] if idle and not self.autocommit else []


def _at_once(gen: PQGen[None]) -> None:
    """Do what sends nothing: where the loop was busy psycopg lets others go first even so."""
    for _ in gen:
        raise psycopg.InterfaceError("a pipeline is open")
