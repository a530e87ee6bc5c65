"""Guards of what lets processes outlive failovers, frozen machines and outages, and say so."""

from tests.mutations.mutation import Mutation

FAILOVER = "tests/gateway/postgres/test_failover.py"
LEASE = "tests/watchers/test_lease.py"
ROUNDS = "tests/gateway/worker/test_rounds.py"
POOL = "tests/gateway/postgres/test_pool.py"

OPERATION = (
    Mutation(
        guard="a transaction that is not heard of ends",
        path="gateway/db.py",
        old='    unheard = f"-c idle_in_transaction_session_timeout={round(unheard_seconds * 1000)}"\n',
        new='    unheard = f"-c idle_in_transaction_session_timeout={round(unheard_seconds * 0)}"\n',
        tests=(
            f"{FAILOVER}::test_a_transaction_that_is_not_heard_of_lets_its_locks_go",
            f"{LEASE}::test_a_watcher_that_froze_within_a_transaction_is_taken_over_from",
        ),
    ),
    Mutation(
        guard="times are UTC wherever the server stands",
        path="gateway/db.py",
        old=" -c timezone=UTC",
        new="",
        tests=(f"{POOL}::test_times_are_utc_wherever_the_server_stands",),
    ),
    Mutation(
        guard="a server that only reads is the world's trouble",
        path="gateway/driver.py",
        old="                raise Elsewhere(str(fault)) from fault\n",
        new="                raise\n",
        tests=(
            f"{FAILOVER}::test_a_server_that_only_reads_is_trouble_and_the_next_connection_another",
        ),
    ),
    Mutation(
        guard="a connection to a server that only reads is not lent again",
        path="gateway/db.py",
        old='        if cast("Driver", record.driver_connection).outlived:\n',
        new="        if record is None:\n",
        tests=(
            f"{FAILOVER}::test_a_server_that_only_reads_is_trouble_and_the_next_connection_another",
        ),
    ),
    Mutation(
        guard="who lost the lease publishes nothing",
        path="watchers/health.py",
        old="        await hold_lease(session, position)\n",
        new="",
        tests=(f"{LEASE}::test_a_watcher_that_slept_does_not_speak_for_a_network_of_another",),
    ),
    Mutation(
        guard="the worker says the same trouble once",
        path="gateway/rounds.py",
        old="        if reason != self.trouble:\n",
        new="        if reason:\n",
        tests=(f"{ROUNDS}::test_trouble_is_said_once_and_its_end_too",),
    ),
    Mutation(
        guard="the worker's rounds end after it was told to stop",
        path="gateway/rounds.py",
        old="                patience.reschedule(loop.time() + seconds)\n",
        new="",
        tests=(f"{ROUNDS}::test_a_round_that_never_ends_is_ended",),
    ),
    Mutation(
        guard="a watcher's listener that hears again waits for nothing",
        path="watchers/desk/questions.py",
        old="                hears()\n",
        new="",
        tests=("tests/watchers/test_questions.py::test_who_hears_again_waits_for_nothing",),
    ),
    Mutation(
        guard="a connection that comes back to a closed pool is closed",
        path="gateway/db.py",
        old='        event.listen(self.engine.sync_engine, "checkin", lambda _, record: record.close())\n',
        new="",
        tests=(f"{POOL}::test_whoever_comes_back_late_leaves_no_connection_open",),
    ),
    Mutation(
        guard="a connection is told how to commit without giving way",
        path="gateway/driver.py",
        old="            _at_once(self._set_autocommit_gen(value))\n",
        new="            await self.wait(self._set_autocommit_gen(value))\n",
        tests=(f"{POOL}::test_whoever_is_cancelled_at_any_turn_gives_the_connection_back",),
    ),
    Mutation(
        guard="a connection given up half-way is closed at once",
        path="gateway/line.py",
        old="        clear_frames(given_up.__traceback__)\n        raise\n",
        new="        raise given_up\n",
        tests=(f"{POOL}::test_a_connection_given_up_half_way_is_closed_at_once",),
    ),
)
