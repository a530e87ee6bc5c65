"""Guards that a fresh reading brought: lines of keys, outdated plans, what was not paid after all."""

from tests.mutations.mutation import Mutation

SHARING = "migrations/sql/0006_5_referrals.sql"
LINEAGE = "tests/gateway/accounts/test_lineage.py"
UNPAID = "tests/gateway/referrals/test_unpaid.py"
TRIPS = "tests/gateway/postgres/test_trips.py"
UNTRACEABLE = "tests/networks/ethereum/test_ethereum_untraceable.py"
PAUSE = "tests/watchers/test_recon_pause.py"
ASSETS = "tests/watchers/test_assets_cases.py"
JOURNAL = "tests/keystore/test_keystore_journal.py"
ABSURD = "tests/hostile/test_hostile_answers.py"

FRESH_READING = (
    Mutation(
        guard="what was being made while its line ended ends too",
        path="gateway/accounts/service.py",
        old="        ended += more\n",
        new="        ended += more\n        break\n",
        tests=(f"{LINEAGE}::test_what_is_being_made_ends_with_what_it_hangs_on",),
    ),
    Mutation(
        guard="an outdated prepared statement is forgotten",
        path="gateway/driver.py",
        old="            if fault.sqlstate in _OUTDATED:\n",
        new="            if False:\n",
        tests=(f"{TRIPS}::test_what_is_prepared_and_outdated_fails_once",),
    ),
    Mutation(
        guard="an invoice counts once in all its currencies",
        path=SHARING,
        old="greatest(asked - coalesce(sum(gone), 0), earlier)",
        new="asked",
        tests=(f"{UNPAID}::test_an_invoice_paid_in_each_currency_counts_once",),
    ),
    Mutation(
        guard="what was reversed was not paid",
        path="gateway/deposits/reversal.py",
        old="    await take_off(session, unpaid)\n",
        new="",
        tests=(f"{UNPAID}::test_a_payment_of_an_invoice_that_is_taken_back_was_not_paid",),
    ),
    Mutation(
        guard="a deep block is read without traces after some tries",
        path="watchers/providers/witness.py",
        old="        return failures >= TRACE_FAILURES_MAX\n",
        new="        return False\n",
        tests=(
            f"{UNTRACEABLE}::test_a_deep_block_that_nobody_can_trace_is_read_without_traces",
        ),
    ),
    Mutation(
        guard="near the head traces are waited for",
        path="watchers/providers/witness.py",
        old="        if not deep or resting or",
        new="        if resting or",
        tests=(f"{UNTRACEABLE}::test_near_the_head_traces_are_waited_for",),
    ),
    Mutation(
        guard="an expired invoice is looked at again",
        path="watchers/reconcile/books.py",
        old="LOOKS = (timedelta(0), timedelta(hours=1), timedelta(days=1), timedelta(days=7))",
        new="LOOKS = (timedelta(0),)",
        tests=(f"{PAUSE}::test_expired_invoice_is_looked_at_again_until_nobody_waits_for_it",),
    ),
    Mutation(
        guard="the last look is at the end of the invoice's own monitoring",
        path="watchers/reconcile/books.py",
        old="union_all(*looks, last)",
        new="union_all(*looks)",
        tests=(f"{PAUSE}::test_expired_invoice_is_looked_at_again_until_nobody_waits_for_it",),
    ),
    Mutation(
        guard="a node without a say is passed over",
        path="watchers/reconcile/credit.py",
        old="NO_SAY = (NodeUnavailable, Incomplete, WrongChain)",
        new="NO_SAY = (NodeUnavailable,)",
        tests=(f"{PAUSE}::test_a_node_without_a_say_holds_up_nobody",),
    ),
    Mutation(
        guard="standing freezes are asked about each time",
        path="watchers/assets/checks.py",
        old="            asked = [*holders, *frozen.get(currency.id, ())]\n",
        new="            asked = [*holders]\n",
        tests=(f"{ASSETS}::test_a_freeze_is_not_lifted_by_looking_elsewhere",),
    ),
    Mutation(
        guard="one key's creation of a nonce account stands once",
        path="keystore/journal.py",
        old="            if entries.setup_known(self._db, answer.tx_hash):\n",
        new="            if False:\n",
        tests=(f"{JOURNAL}::test_two_networks_of_one_key_may_have_the_same_creation",),
    ),
    Mutation(
        guard="words of nodes hold nothing that a column cannot",
        path="watchers/trouble.py",
        old='letter if letter.isprintable() else " "',
        new="letter",
        tests=(f"{ABSURD}::test_words_of_a_node_hold_nothing_that_a_column_cannot",),
    ),
)
