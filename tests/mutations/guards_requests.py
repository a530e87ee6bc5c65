"""Guards of what merchants ask for: destinations, batches, the address book, rules, refunds."""

from tests.mutations.mutation import Mutation

SQL = "migrations/sql/0002_4_requests.sql"
DESTINATIONS = "tests/watchers/test_destinations.py"
MANY = "tests/watchers/test_destinations_many.py"
BATCH = "tests/gateway/withdrawals/test_batch.py"
BOOK = "tests/gateway/address_book/test_address_book.py"
RUNS = "tests/gateway/payout_rules/test_runs.py"
RULES = "tests/gateway/payout_rules/test_rules.py"
REFUNDS = "tests/gateway/refunds/test_refunds.py"

REQUESTS = (
    Mutation(
        guard="what cannot receive is refused before the hold",
        path="gateway/withdrawals/request.py",
        old="    require_receiver(finding)\n",
        new="",
        tests=(
            f"{DESTINATIONS}::test_what_cannot_receive_is_refused_before_funds_are_locked",
            f"{DESTINATIONS}::test_a_batch_is_one_question",
        ),
    ),
    Mutation(
        guard="nothing is held for a destination that nobody looked at",
        path="gateway/withdrawals/destinations.py",
        old="    return [answer or (None if unchecked else silence) for answer in answers]\n",
        new="    return list(answers)\n",
        tests=(
            f"{DESTINATIONS}::test_where_the_network_says_nothing_nothing_is_held_and_the_same_key_asks_again",
            f"{MANY}::test_an_item_that_nobody_answers_for_keeps_no_other_item_back_and_is_paid_once",
        ),
    ),
    Mutation(
        guard="a silent watcher stops nobody where the operator says so",
        path="gateway/withdrawals/destinations.py",
        old="    except Unavailable:\n",
        new="    except TooMany:\n",
        tests=(f"{DESTINATIONS}::test_without_a_watcher_nobody_is_asked",),
    ),
    Mutation(
        guard="a batch that a network is silent about leaves its key free",
        path="gateway/withdrawals/batches.py",
        old="    require_heard(findings)\n",
        new="",
        tests=(f"{MANY}::test_a_batch_that_nobody_answers_for_at_all_is_refused_whole",),
    ),
    Mutation(
        guard="who asks too often is told so, and not that the network is down",
        path="gateway/withdrawals/destinations.py",
        old="    if finding is UNASKED:\n",
        new="    if finding is None:\n",
        tests=(f"{MANY}::test_who_asks_too_often_is_told_so",),
    ),
    Mutation(
        guard="a silent network holds up no other",
        path="gateway/questions/service.py",
        old="            if kind in LARGER:\n",
        new="            if kind not in LARGER:\n",
        tests=(f"{MANY}::test_a_silent_network_or_a_slow_destination_holds_up_nobody_else",),
    ),
    Mutation(
        guard="wallets are locked in one order",
        path="gateway/withdrawals/batches.py",
        old="sorted(range(len(payouts)), key=lambda each: _wallet(payouts[each]))",
        new="range(len(payouts))",
        tests=(f"{BATCH}::test_batches_in_opposite_order_do_not_wait_for_each_other",),
    ),
    Mutation(
        guard="a cool-down of the address book",
        path="gateway/address_book/service.py",
        old="    if entry.usable_at > moment.at:\n",
        new="    if False:\n",
        tests=(f"{BOOK}::test_a_closed_book_lets_money_go_to_its_entries_only",),
    ),
    Mutation(
        guard="opening the book takes a cool-down",
        path="gateway/address_book/service.py",
        old='        "restricted_until": None if only else book.over_at,\n',
        new='        "restricted_until": None if only else at,\n',
        tests=(f"{BOOK}::test_opening_the_book_takes_a_cool_down",),
    ),
    Mutation(
        guard="a rule that approves itself needs the right to approve",
        path="gateway/payout_rules/service.py",
        old='    if columns["approval"] == "automatic" and APPROVING not in gate.actor.scopes:\n',
        new="    if False:\n",
        tests=(f"{RULES}::test_a_rule_that_approves_itself_needs_the_right_to_approve",),
    ),
    Mutation(
        guard="one automatic withdrawal per period",
        path="gateway/payout_rules/runs.py",
        old="    if await repository.is_referenced(gate.session, rule, reference):\n",
        new="    if False:\n",
        tests=(f"{RUNS}::test_one_per_period",),
    ),
    Mutation(
        guard="the worker pays what a rule says",
        path=SQL,
        old="          AND e.address = NEW.destination AND e.deleted_at",
        new="          AND e.deleted_at",
        tests=(f"{RUNS}::test_the_worker_may_ask_for_what_a_rule_says_and_nothing_else",),
    ),
    Mutation(
        guard="the worker approves below the limit",
        path=SQL,
        old="              AND NEW.units < c.automatic_approval_below_units)) THEN",
        new="              )) THEN",
        tests=(f"{RUNS}::test_the_worker_approves_by_rule_only",),
    ),
    Mutation(
        guard="no rule for the API",
        path=SQL,
        old="FOR INSERT TO gw_api WITH CHECK (rule_id IS NULL);",
        new="FOR INSERT TO gw_api WITH CHECK (true);",
        tests=(f"{RUNS}::test_the_worker_may_ask_for_what_a_rule_says_and_nothing_else",),
    ),
    Mutation(
        guard="a refund is never above what was received",
        path=SQL,
        old="           OR refunded > received THEN",
        new="           THEN",
        tests=(f"{REFUNDS}::test_the_database_counts_again",),
    ),
    Mutation(
        guard="refunds of an invoice stand in a queue",
        path="gateway/refunds/service.py",
        old="drawn(session, gate.actor, invoice_id, wanted, lock=True)",
        new="drawn(session, gate.actor, invoice_id, wanted)",
        tests=(f"{REFUNDS}::test_two_at_once_cannot_pay_back_twice",),
    ),
)
