"""The list of mutations fits the code: `make mutations` runs it, this keeps it from rotting."""

import pytest

from tests.cases.written import written
from tests.mutations.__main__ import place
from tests.mutations.guards import MUTATIONS
from tests.mutations.guards_sealed import MADE_UP
from tests.mutations.mutation import ROOT, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.guard)
def test_a_mutation_changes_one_place_and_names_tests_that_exist(mutation: Mutation) -> None:
    """Its text stands once in its file, and something else that can be run takes its place."""
    text = (ROOT / mutation.path).read_text()
    assert mutation.applied(text) != text
    if mutation.path.endswith(".py"):
        compile(mutation.applied(text), mutation.path, "exec")
    assert mutation.tests
    assert set(mutation.tests) <= written()


def test_no_guard_is_listed_twice() -> None:
    """A name is one guard."""
    names = [each.guard for each in MUTATIONS]
    assert len(names) == len(set(names))


def test_the_named_tests_of_a_file_run_in_its_order() -> None:
    """One that leaves its chain rewritten is the last one there."""
    places = {place(test): test for each in MUTATIONS for test in each.tests}
    hidden = [at for at in sorted(places) if at[0] == place(MADE_UP)[0]]
    assert places[hidden[-1]] == MADE_UP
    assert all(where > 0 for _, where in places)
