"""Guards of a merge: what a journal takes in again from rows that anybody may have edited."""

from tests.mutations.mutation import Mutation

_TESTS = "tests/keystore/test_keystore_merge.py::test_"
_COMMAND = "tests/keystore/test_keystore_merge_command.py::test_"
_PROVED = f"{_TESTS}no_byte_and_no_field_may_be_another"
_TRUE = f"{_TESTS}what_cannot_be_true_beside_the_journal_keeps_everything_out"
_SHAPE = f"{_TESTS}an_unproved_line_or_a_misshapen_one_keeps_everything_out"
_LIMITS = f"{_TESTS}limits_count_what_was_merged"
MERGE = (
    Mutation(
        "merge: the bytes are those that are signed here",
        "keystore/proving.py",
        "if not same or (",
        "if (",
        (_PROVED, _SHAPE),
    ),
    Mutation(
        "merge: hash and sender are the bytes' own",
        "keystore/proving.py",
        "(signed.tx_hash, moved.sender) != (said.tx_hash, said.sender)",
        "False",
        (_PROVED,),
    ),
    Mutation(
        "merge: a number is one that a journal can hold",
        "keystore/proving.py",
        "if not 0 <= said.number <= NUMBER_MAX:",
        "if False:",
        (_PROVED,),
    ),
    Mutation(
        "merge: what is under no id is no withdrawal's",
        "keystore/proving.py",
        "if ORDER_ID.fullmatch(intent.withdrawal_id) is None:",
        "if False:",
        (_SHAPE,),
    ),
    Mutation(
        "merge: the chain is the network's",
        "keystore/proving.py",
        "        require_right_chain(intent, facts)\n",
        "",
        (f"{_TESTS}a_payment_of_one_chain_is_none_of_another",),
    ),
    Mutation(
        "merge: the house's own money moves under no withdrawal",
        "keystore/proving.py",
        "        require_payee(moved, intent.withdrawal_id)\n",
        "",
        (f"{_TESTS}a_movement_of_the_house_is_no_withdrawal",),
    ),
    Mutation(
        "merge: a pool row is one of this keystore",
        "keystore/proving.py",
        "if again != row:",
        "if False:",
        (f"{_TESTS}issued_pool_rows_are_not_made_again",),
    ),
    Mutation(
        "merge: one pool row far ahead issues nothing",
        "keystore/merging.py",
        "if index - below >= ROWS_APART_MAX:",
        "if False:",
        (f"{_TESTS}one_pool_row_far_ahead_issues_nothing",),
    ),
    Mutation(
        "merge: a number far ahead is made up",
        "keystore/merging.py",
        "if (gap := number - newest - 1) > gap_max:",
        "if (gap := number - newest - 1) > 2**54:",
        (f"{_TESTS}a_number_far_ahead_is_not_believed_and_keeps_everything_out",),
    ),
    Mutation(
        "merge: a withdrawal has one intent",
        "keystore/merging.py",
        "networks.replaces(each.intent, read_intent(old))",
        "True",
        (_TRUE,),
    ),
    Mutation(
        "merge: a slot has one withdrawal",
        "keystore/merging.py",
        "    once.require_free(each.slot, entries.holder(db, each.slot), order, taken)\n",
        "",
        (_TRUE,),
    ),
    Mutation(
        "merge: a number has one transaction",
        "keystore/merging.py",
        "    _require_unused(db, network, number)\n",
        "",
        (_TRUE,),
    ),
    Mutation(
        "merge: a transaction has one number",
        "keystore/merging.py",
        "            _require_number(row.number, each)\n",
        "",
        (_TRUE,),
    ),
    Mutation(
        "merge: a cancel takes something back",
        "keystore/merging.py",
        'if not taken and each.kind == "cancel":',
        "if False:",
        (f"{_TESTS}a_cancel_is_nothing_without_what_it_takes_back",),
    ),
    Mutation(
        "merge: all or nothing",
        "keystore/merging.py",
        '            db.execute("rollback")\n',
        "            pass\n",
        (
            _TRUE,
            _SHAPE,
            f"{_TESTS}numbers_that_no_file_holds_are_named_and_keep_everything_out",
        ),
    ),
    Mutation(
        "merge: what is missing is told",
        "keystore/merging.py",
        "return bool(self.faults or (self.missing and not gaps))",
        "return bool(self.faults)",
        (f"{_TESTS}numbers_that_no_file_holds_are_named_and_keep_everything_out",),
    ),
    Mutation(
        "merge: a journal that stands is not replaced",
        "keystore/merging.py",
        "        disk.require_absent(path.with_name(name))\n",
        "        pass\n",
        (f"{_TESTS}a_journal_that_is_lost_begins_with_what_was_signed",),
    ),
    Mutation(
        "merge: a journal gets its name with everything in it",
        "keystore/merging.py",
        "    return whole.read_bytes()\n",
        "    return path.read_bytes()\n",
        (f"{_TESTS}a_lost_journal_gets_its_name_with_everything_in_it",),
    ),
    Mutation(
        "merge: what is missing is counted",
        "keystore/merging.py",
        "return newest - after - int(present)",
        "return 0",
        (f"{_TESTS}what_is_missing_is_counted_and_not_only_begun",),
    ),
    Mutation(
        "merge: a policy of today judges nothing of yesterday",
        "keystore/proving.py",
        "return house and policy.lists_cold(",
        "return policy.lists_cold(",
        (f"{_TESTS}what_was_paid_before_the_policy_listed_its_address_stays_a_payout",),
    ),
    Mutation(
        "merge: a line has intent and bytes",
        "keystore/exported.py",
        "if (line.intent is None) != (line.signed is None):",
        "if False:",
        (_SHAPE,),
    ),
    Mutation(
        "merge: what nests too deep is not looked at",
        "keystore/exported.py",
        'len(line) > api.LINE_BYTES_MAX or line.count(b"{") + line.count(b"[") > BRACKETS_MAX',
        "False",
        (_SHAPE,),
    ),
    Mutation(
        "merge: payments come before what replaces them",
        "keystore/exported.py",
        "    found.signed.sort(key=lambda each: _order(each[1]))\n",
        "",
        (f"{_TESTS}after_a_merge_nothing_is_signed_a_second_time",),
    ),
    Mutation(
        "merge: one at a time, and no keystore beside it",
        "keystore/custody.py",
        "        with alone(chosen.socket):\n            found",
        "        if True:\n            found",
        (f"{_COMMAND}a_keystore_from_an_older_backup_goes_on_after_a_merge",),
    ),
    Mutation(
        "merge: windows count it",
        "keystore/spending.py",
        "found.move(self._journal, rule, since, self._merged(rule, since))",
        "found.move(self._journal, rule, since)",
        (
            _LIMITS,
            f"{_TESTS}fees_of_what_was_merged_count_and_only_a_cancel_follows",
        ),
    ),
    Mutation(
        "merge: windows count it where it may belong, and nowhere else",
        "keystore/merged.py",
        "return speaks_of(rule, payment)",
        "return True",
        (_LIMITS,),
    ),
    Mutation(
        "merge: no rule's name is a mark",
        "keystore/policy_file.py",
        r', pattern=r"\A[^#]"',
        "",
        (f"{_TESTS}no_rule_may_be_named_as_what_was_merged",),
    ),
)
