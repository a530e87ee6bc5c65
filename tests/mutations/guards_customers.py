"""Guards of customers' money, their addresses and their subscriptions."""

from tests.mutations.mutation import Mutation

SQL = "migrations/sql/0004_7_customers.sql"
BILLING_SQL = "migrations/sql/0004_8_subscriptions.sql"
LEDGER = "tests/gateway/customers/test_ledger_guards.py"
MONEY = "tests/gateway/customers/test_money.py"
ADDRESSES = "tests/gateway/customers/test_addresses.py"
CHAIN = "tests/watchers/test_customers.py"
BILLING = "tests/gateway/subscriptions/test_billing.py"
PURE = "tests/domain/test_subscription.py"
PLAIN_SQL = "tests/gateway/subscriptions/test_guards.py"

CUSTOMERS = (
    Mutation(
        guard="a hold is out of the balance that pays, and no other",
        path=SQL,
        old="w.id IS NOT NULL AND j.merchant_id IS NOT DISTINCT FROM w.merchant_id AND strangers = 0\n",
        new="w.id IS NOT NULL AND j.merchant_id IS NOT DISTINCT FROM w.merchant_id\n",
        tests=(f"{LEDGER}::test_a_hold_takes_from_the_balance_that_pays_and_no_other",),
    ),
    Mutation(
        guard="a withdrawal of a customer is paid by that customer",
        path=SQL,
        old="    payer := coalesce(w.customer_id, w.merchant_id, 'suspense');\n",
        new="    payer := coalesce(w.merchant_id, 'suspense');\n",
        tests=(f"{MONEY}::test_a_payout_out_of_a_customers_balance",),
    ),
    Mutation(
        guard="an entry that is added to an older journal has to fit",
        path=SQL,
        old="    WHEN (NEW.change_type IN ('HOLD', 'RELEASE', 'WITHDRAWAL', 'ADJUSTMENT'))\n",
        new="    WHEN (false)\n",
        tests=(
            f"{LEDGER}::test_locked_money_is_not_unlocked_through_an_old_journal",
            f"{LEDGER}::test_plain_sql_may_do_what_the_api_would",
        ),
    ),
    Mutation(
        guard="a transfer is between a merchant and its customer",
        path=SQL,
        old="          AND e.entries = 2 AND e.fitting = 2 AND e.theirs)\n",
        new="          AND e.entries = 2 AND e.fitting = 2)\n",
        tests=(f"{LEDGER}::test_a_transfer_is_what_its_slip_says_or_nothing",),
    ),
    Mutation(
        guard="a transfer is as much as its slip says",
        path=SQL,
        old="e.entries = 2 AND e.fitting = 2 AND e.theirs",
        new="e.entries = 2 AND e.theirs",
        tests=(f"{LEDGER}::test_a_transfer_is_what_its_slip_says_or_nothing",),
    ),
    Mutation(
        guard="money of real networks is not moved in test mode",
        path=SQL,
        old="        JOIN network n ON n.id = c.network_id AND n.test <> t.livemode\n",
        new="",
        tests=(f"{LEDGER}::test_a_slip_is_for_a_customer_and_a_mode_of_ones_own",),
    ),
    Mutation(
        guard="the account of no customer is nobody's",
        path="migrations/sql/0004_1_ledger.sql",
        old="                         THEN (SELECT c.merchant_id FROM customer c WHERE c.id = NEW.account)\n",
        new="                         THEN (SELECT min(m.id) FROM merchant m)\n",
        tests=(f"{LEDGER}::test_an_account_of_no_customer_is_nobodys",),
    ),
    Mutation(
        guard="an address is a customer's for good",
        path=SQL,
        old="    WHEN (OLD.customer_id IS NOT NULL AND (NEW",
        new="    WHEN (false AND (NEW",
        tests=(f"{ADDRESSES}::test_an_address_is_never_given_to_anybody_else",),
    ),
    Mutation(
        guard="an address is claimed for a customer of one's own",
        path=SQL,
        old=" AND c.merchant_id = current_merchant() AND c.deleted_at IS NULL\n",
        new=" AND c.deleted_at IS NULL\n",
        tests=(f"{ADDRESSES}::test_the_claim_is_only_for_customers_of_ones_own",),
    ),
    Mutation(
        guard="a customer's address is proved when it is claimed",
        path="gateway/addresses/service.py",
        old="    require_genuine(found[0], public_key, customer_id)\n",
        new="",
        tests=(f"{ADDRESSES}::test_an_address_that_the_keystore_did_not_sign_is_never_shown",),
    ),
    Mutation(
        guard="a customer's address is proved whenever it is shown",
        path="gateway/customers/addresses.py",
        old='        require_genuine(signed, public_key, row.customer_id or "")\n',
        new="",
        tests=(f"{ADDRESSES}::test_an_address_that_the_keystore_did_not_sign_is_never_shown",),
    ),
    Mutation(
        guard="what comes to a customer's address is the customer's",
        path="gateway/deposits/service.py",
        old="        customer_id=None if waits else deposit.customer_id,\n",
        new="",
        tests=(f"{CHAIN}::test_it_is_credited_at_finality_without_an_invoice",),
    ),
    Mutation(
        guard="a customer's dust waits in suspense",
        path="gateway/deposits/service.py",
        old="        customer_id=None if waits else deposit.customer_id,\n",
        new="        customer_id=deposit.customer_id,\n",
        tests=(f"{CHAIN}::test_two_pieces_that_become_final_apart",),
    ),
    Mutation(
        guard="dust that counts is the customer's, not the merchant's",
        path="gateway/deposits/attribution.py",
        old="        customer_id=deposit.customer_id,\n",
        new="",
        tests=(f"{CHAIN}::test_dust_waits_in_suspense_until_the_total_reaches_the_minimum",),
    ),
    Mutation(
        guard="the reconciler looks at permanent addresses",
        path="watchers/reconcile/books.py",
        old="union_all(awaited, permanent, paid)",
        new="union_all(awaited, paid)",
        tests=(
            f"{CHAIN}::test_the_reconciler_looks_at_a_permanent_address_before_anything_came",
        ),
    ),
    Mutation(
        guard="one period, one bill",
        path="gateway/subscriptions/repository.py",
        old="        .with_for_update(of=Subscription, skip_locked=True)\n",
        new="",
        tests=(f"{BILLING}::test_two_workers_make_one_invoice_and_a_crash_none",),
    ),
    Mutation(
        guard="a period is charged once, where that was wished for",
        path=BILLING_SQL,
        old="WHERE id = wanted AND auto_charge IS NOT NULL\n",
        new="WHERE id = wanted\n",
        tests=(f"{BILLING}::test_neither_role_says_more_than_it_may",),
    ),
    Mutation(
        guard="the API cannot say that a subscription is paid",
        path=BILLING_SQL,
        old="    IF current_user = 'gw_api' AND NEW.status",
        new="    IF false AND NEW.status",
        tests=(f"{BILLING}::test_neither_role_says_more_than_it_may",),
    ),
    Mutation(
        guard="nobody pays for time in which nobody asked",
        path="gateway/subscriptions/periods.py",
        old="    if at >= end:\n",
        new="    if False:\n",
        tests=(f"{BILLING}::test_nobody_pays_for_time_in_which_nobody_asked",),
    ),
    Mutation(
        guard="months are counted from the anchor",
        path="gateway/domain/subscription.py",
        old="        day = min(anchor.day, monthrange(year, month)[1])\n",
        new="        day = min(anchor.day, 28)\n",
        tests=(f"{PURE}::test_the_calendar_is_kept",),
    ),
    Mutation(
        guard="what is paid is never ended",
        path="gateway/domain/subscription.py",
        old="        if period.paid:\n",
        new="        if period.paid and now < period.deadline:\n",
        tests=(f"{PURE}::test_what_is_paid_is_never_ended",),
    ),
    Mutation(
        guard="the worker adds ways to pay to bills only",
        path=BILLING_SQL,
        old="    WHEN (current_user = 'gw_worker') EXECUTE FUNCTION guard_bill_option();\n",
        new="    WHEN (false) EXECUTE FUNCTION guard_bill_option();\n",
        tests=(f"{PLAIN_SQL}::test_the_worker_adds_no_way_to_pay_to_somebody_elses_invoice",),
    ),
    Mutation(
        guard="who may not move money has no balance charged",
        path="gateway/subscriptions/service.py",
        old="    if CHARGING not in desk.actor.scopes:\n",
        new="    if False:\n",
        tests=(f"{PLAIN_SQL}::test_who_may_not_move_money_has_no_balance_charged",),
    ),
)
