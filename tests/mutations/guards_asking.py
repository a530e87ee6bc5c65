"""Guards of what is asked and what is asked for: parameters, amounts, keys and letters."""

from tests.mutations.mutation import Mutation

BILLS = "tests/gateway/subscriptions/test_bills.py"
CALLED_OFF = "tests/gateway/subscriptions/test_called_off.py"
CLIENT = "tests/client/test_client.py"
DECISIONS = "tests/gateway/invoices/test_decisions.py"
ESTIMATE = "tests/gateway/withdrawals/test_estimate.py"
LIFE = "tests/gateway/invoices/test_life.py"
PROBLEMS = "tests/gateway/http/test_problems.py"

ASKING = (
    Mutation(
        guard="a filter that no route reads is refused",
        path="gateway/http/auth.py",
        old="        require_known(connection)\n",
        new="",
        tests=(f"{PROBLEMS}::test_a_parameter_that_no_route_reads_is_refused",),
    ),
    Mutation(
        guard="nobody is asked for a payment that would not count",
        path="gateway/invoices/offers.py",
        old="asked.by_chain and is_dust(offer.units, offer.currency):",
        new="not asked.by_chain and is_dust(offer.units, offer.currency):",
        tests=("tests/gateway/invoices/test_refused.py::test_nobody_is_asked_for_dust",),
    ),
    Mutation(
        guard="the client replaces no idempotency key",
        path="clients/python/cryptic_gateway/policy.py",
        old="    if given is None:\n        return str(uuid.uuid4())",
        new="    if not given:\n        return str(uuid.uuid4())",
        tests=(f"{CLIENT}::test_what_is_no_idempotency_key_is_not_replaced",),
    ),
    Mutation(
        guard="an id of the client's is one segment of a path",
        path="clients/python/cryptic_gateway/aio/resources.py",
        old='    if not all(each.strip(".") for each in ids):\n',
        new="    if not ids:\n",
        tests=(f"{CLIENT}::test_an_id_leads_nowhere_else",),
    ),
    Mutation(
        guard="a letter asks for what the bill asks for",
        path="gateway/subscriptions/billing.py",
        old="        if period.created_at < period.period_start and not account.arriving:\n",
        new="        if period.created_at < period.period_start:\n",
        tests=(f"{BILLS}::test_a_letter_asks_for_what_the_bill_asks_for",),
    ),
    Mutation(
        guard="fresh rates ask nobody for dust",
        path="gateway/invoices/changes.py",
        old="    found = [each for each in moved if not is_dust(each.units, each.option.currency)]\n",
        new="    found = list(moved)\n",
        tests=(f"{DECISIONS}::test_fresh_rates_ask_nobody_for_dust",),
    ),
    Mutation(
        guard="a canceled invoice says what came to it",
        path="gateway/domain/invoice.py",
        old='    exception = _after_cancel(facts) if now.status == "canceled" else now.exception\n',
        new="    exception = now.exception\n",
        tests=(f"{LIFE}::test_money_for_a_canceled_invoice_is_credited_and_seen",),
    ),
    Mutation(
        guard="a bill that was called off says what it does to its subscription",
        path="gateway/subscriptions/billing.py",
        old="    if why is not None and account.row.reason is None:\n",
        new="    if False:\n",
        tests=(f"{CALLED_OFF}::test_a_canceled_bill_says_what_it_does_to_its_subscription",),
    ),
    Mutation(
        guard="nobody is asked to pay a bill that was called off",
        path="gateway/subscriptions/billing.py",
        old="    if account.called_off is not None:\n",
        new="    if False:\n",
        tests=(f"{CALLED_OFF}::test_a_canceled_bill_says_what_it_does_to_its_subscription",),
    ),
    Mutation(
        guard="a filter that is given twice is refused",
        path="gateway/http/parameters.py",
        old="        if name not in known or (len(values) > 1 and not known[name].is_list)\n",
        new="        if name not in known\n",
        tests=(f"{PROBLEMS}::test_a_parameter_that_is_given_twice_is_refused",),
    ),
    Mutation(
        guard="an estimate counts the balance that would pay",
        path="gateway/withdrawals/estimate.py",
        old="        Wallet.account == (customer_id or actor.tenant),",
        new="        Wallet.account == actor.tenant,",
        tests=(f"{ESTIMATE}::test_what_a_customers_balance_would_pay",),
    ),
)
