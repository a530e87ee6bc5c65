"""Guards of statements that share a round trip."""

from tests.mutations.mutation import Mutation

DRIVER = "gateway/driver.py"
TRIPS = "tests/gateway/postgres/test_trips.py"
DEATHS = "tests/gateway/invoices/test_trips.py"
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
        old="        self._deferred.clear()\n        yield from super()",
        new="        yield from super()",
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
)
