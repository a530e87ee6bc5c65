"""Guards of what lets processes outlive failovers, frozen machines and outages, and say so."""

from tests.mutations.mutation import Mutation

FAILOVER = "tests/gateway/postgres/test_failover.py"
LEASE = "tests/watchers/test_lease.py"
ROUNDS = "tests/gateway/worker/test_rounds.py"

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
)
