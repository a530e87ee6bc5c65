"""Guards of what is asked and what is asked for: parameters, amounts, keys and letters."""

from tests.mutations.mutation import Mutation

BILLS = "tests/gateway/subscriptions/test_bills.py"
CLIENT = "tests/client/test_client.py"
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
        old="if isinstance(offer, Offer) and asked.by_chain and _is_dust(offer):",
        new="if isinstance(offer, Offer) and not asked.by_chain and _is_dust(offer):",
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
)
