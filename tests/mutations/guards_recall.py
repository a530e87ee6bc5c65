"""Guards of what the keystore remembers between a recall and the signature after it."""

from tests.mutations.mutation import Mutation

_TESTS = "tests/keystore/test_keystore_journal.py::test_"
RECALLS = (
    Mutation(
        "memory: what another process signed meanwhile is seen",
        "keystore/journal.py",
        "        self._signed.forget()\n",
        "",
        (f"{_TESTS}what_was_asked_before_another_process_signed_is_asked_again",),
    ),
    Mutation(
        "memory: an answer holds for one signature",
        "keystore/entries.py",
        "        newest, self._newest = self._newest, None\n",
        "        newest = self._newest\n",
        (f"{_TESTS}what_was_asked_holds_for_one_signature",),
    ),
)
