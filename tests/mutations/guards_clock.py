"""Guards of the keystore's time and of what it remembers: clocks, indexes, refusals."""

from tests.mutations.mutation import Mutation

_TESTS = "tests/keystore/test_keystore_"
CLOCKS = (
    Mutation(
        "time: a clock that ran ahead signs nothing",
        "keystore/clock.py",
        "        if at - self._boot() - self._booted > APART:\n",
        "        if False:\n",
        (f"{_TESTS}clock.py::test_nothing_is_signed_or_written_while_the_clock_runs_ahead",),
    ),
    Mutation(
        "time: what was signed counts from the accepted clock",
        "keystore/accepted.py",
        "        if not self._rows:\n",
        "        if True:\n",
        (f"{_TESTS}clock.py::test_a_journal_from_the_future_is_told_and_can_be_taken_back",),
    ),
    Mutation(
        "time: nobody accepts a clock that is not behind",
        "keystore/journal.py",
        "            if newest <= at:\n",
        "            if False:\n",
        (f"{_TESTS}clock.py::test_only_a_journal_that_is_ahead_is_taken_back",),
    ),
    Mutation(
        "time: no keystore is at work while its clock is accepted",
        "keystore/custody.py",
        "    with alone(chosen.socket):\n        journal",
        "    if alone:\n        journal",
        (f"{_TESTS}clock.py::test_the_command_needs_the_passphrase_and_no_keystore_at_work",),
    ),
    Mutation(
        "time: no Tron bytes for a day to come",
        "keystore/signing.py",
        "        require_present(intent, self.journal.clock)\n",
        "",
        (f"{_TESTS}clock.py::test_a_tron_intent_of_a_time_to_come_is_refused",),
    ),
    Mutation(
        "memory: an index says what the rows say",
        "keystore/journal_file.py",
        "    _require_indexed(db)\n",
        "",
        (f"{_TESTS}journal.py::test_an_index_that_hides_a_row_is_noticed",),
    ),
    Mutation(
        "memory: refusals fill no disk",
        "keystore/refusals.py",
        "        return self._rows < ROWS_MAX and self._bytes + len(intent) <= BYTES_MAX\n",
        "        return True\n",
        (f"{_TESTS}refusals.py::test_refusals_have_a_ration_of_rows_and_bytes",),
    ),
    Mutation(
        "memory: a refused lane is written down",
        "keystore/lanes.py",
        "            self.refusals.remember(lane, network, canonical, refusal.code)\n",
        "",
        (f"{_TESTS}refusals.py::test_a_refused_lane_and_a_bad_id_are_written_down",),
    ),
    Mutation(
        "policy: a cancel under another rule has its bounds",
        "keystore/policy.py",
        '    if rule is None and payment.kind == "cancel":\n',
        "    if rule is None:\n",
        (f"{_TESTS}sweep_policy.py::test_a_cancel_whose_rule_is_gone_needs_another_one",),
    ),
    Mutation(
        "words: they leave the screen whatever happens",
        "keystore/custody.py",
        "    finally:\n        # Ctrl-C",
        "    except ZeroDivisionError:\n        # Ctrl-C",
        (f"{_TESTS}custody.py::test_words_leave_the_screen_however_the_person_goes",),
    ),
    Mutation(
        "restore: only this backup's own journal is gone on with",
        "keystore/backup.py",
        "    begun = chosen.journal.is_file() and chosen.journal.read_bytes() == members[JOURNAL]\n",
        "    begun = chosen.journal.is_file()\n",
        (f"{_TESTS}custody.py::test_a_restore_that_was_cut_off_goes_on",),
    ),
)
