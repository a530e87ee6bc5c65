"""Guards of what small deposits may cost, each with the test that notices its absence."""

from tests.mutations.mutation import Mutation

FLOOD = (
    "tests/watchers/test_dust_flood.py::test_m6_dust_without_end_costs_the_next_payment_no_more"
)

DUST = (
    Mutation(
        guard="dust: so many pieces of a place are read at most",
        path="gateway/deposits/places.py",
        old='_LARGEST = "ORDER BY d.units DESC LIMIT :most"',
        new='_LARGEST = "ORDER BY d.units DESC LIMIT :most * 1000"',
        tests=(FLOOD,),
    ),
)
