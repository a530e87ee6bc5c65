"""Guards of statements that share a round trip."""

from tests.mutations.mutation import Mutation

DRIVER = "gateway/driver.py"
TRIPS = "tests/gateway/postgres/test_trips.py"
DEATHS = "tests/gateway/invoices/test_trips.py"
ONCE = "tests/gateway/http/test_idempotency.py"
EXPORTS = "tests/gateway/exports/test_exports.py"
ENDINGS = "tests/gateway/postgres/test_endings.py"
FOLLOWS = f"{TRIPS}::test_whatever_follows_sees_what_was_to_be_sent_later"
FAULT = f"{TRIPS}::test_the_first_fault_ends_all_and_the_connection_stays"

TRIP_GUARDS = (
    Mutation(
        guard="what is to be sent later goes before any other statement",
        path=DRIVER,
        old="        if self._deferred:\n            yield from self._trip(())\n",
        new="        if not self:\n            yield from self._trip(())\n",
        tests=(FOLLOWS,),
    ),
    Mutation(
        guard="what is to be sent later goes before the commit",
        path=DRIVER,
        old="        if self._deferred:\n            yield from self._trip((), end",
        new="        if not self:\n            yield from self._trip((), end",
        tests=(
            FOLLOWS,
            f"{DEATHS}::test_whenever_the_process_dies_a_repetition_makes_one_invoice",
        ),
    ),
    Mutation(
        guard="a rollback forgets what was to be sent later",
        path=DRIVER,
        old="        self._deferred.clear()\n        if None in",
        new="        if None in",
        tests=(FAULT,),
    ),
    Mutation(
        guard="what cannot be sent does not take away what was to be sent later",
        path=DRIVER,
        old="        queue = [*self._deferred, *statements]\n",
        new="        queue = [*self._deferred, *statements]\n        self._deferred.clear()\n",
        tests=(FOLLOWS,),
    ),
    Mutation(
        guard="a fault in a round trip is raised",
        path=DRIVER,
        old="        if fault is not None:\n            raise fault\n",
        new="",
        tests=(FAULT,),
    ),
    Mutation(
        guard="a statement within a savepoint goes with it",
        path="gateway/db.py",
        old="    if line is None or session.in_nested_transaction():\n",
        new="    if line is None:\n",
        tests=(FOLLOWS,),
    ),
    Mutation(
        guard="within a savepoint nothing is put off",
        path="gateway/db.py",
        old="    if session.in_nested_transaction():\n        await line.run([later])\n",
        new="    if not session:\n        await line.run([later])\n",
        tests=(f"{ENDINGS}::test_a_fault_within_a_savepoint_is_known_before_its_end",),
    ),
    Mutation(
        guard="a session whose transaction ended touches no connection",
        path="gateway/line.py",
        old="        if self.connection.closed:\n",
        new="        if not self:\n",
        tests=(f"{ENDINGS}::test_a_session_whose_transaction_ended_touches_no_connection",),
    ),
    Mutation(
        guard="a commit that SQLAlchemy knows nothing of is heard",
        path="gateway/line.py",
        old="        for hear in self.connection.engine.dispatch.commit:\n            hear(self.connection)\n",
        new="",
        tests=(f"{ENDINGS}::test_a_commit_of_the_line_alone_is_heard_and_its_fault_known",),
    ),
    Mutation(
        guard="a new invoice looks for no event before its first",
        path="gateway/invoices/service.py",
        old="moment, first=True)",
        new="moment)",
        tests=(f"{DEATHS}::test_a_new_invoice_looks_for_no_event_before_its_first",),
    ),
    Mutation(
        guard="the tenant is restored where acting for another failed",
        path="gateway/db.py",
        old="    except Exception:\n        if not session",
        new="    except ZeroDivisionError:\n        if not session",
        tests=(f"{ENDINGS}::test_the_tenant_is_restored_where_acting_for_another_failed",),
    ),
    Mutation(
        guard="a missing answer ends the connection",
        path=DRIVER,
        old="                self.pgconn.finish()  # whose",
        new="                # whose",
        tests=(f"{ENDINGS}::test_a_missing_answer_is_trouble_of_the_connection",),
    ),
    Mutation(
        guard="an answer that is there already undoes what was taken ahead",
        path="gateway/http/call.py",
        old="                if ahead is not None:\n                    await session.rollback()\n",
        new="",
        tests=(f"{DEATHS}::test_an_invoice_takes_three_round_trips",),
    ),
    Mutation(
        guard="an answer that cannot be opened is not done again",
        path="gateway/http/idempotency.py",
        old="    except (InvalidTag, ValueError) as fault:\n",
        new="    except KeyError as fault:\n",
        tests=(
            f"{ONCE}::test_an_answer_that_cannot_be_opened_is_told_and_nothing_is_done_again",
        ),
    ),
    Mutation(
        guard="a slow reader of an export uses up its patience",
        path="gateway/exports/streaming.py",
        old="self.seconds - waited + earned",
        new="self.seconds + earned",
        tests=(f"{EXPORTS}::test_a_slow_reader_uses_up_the_patience_little_by_little",),
    ),
)
