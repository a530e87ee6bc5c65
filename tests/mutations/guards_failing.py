"""Guards of endpoints that fail or were repaired, of merchants who are gone, of networks' news."""

from tests.mutations.mutation import Mutation

FAILING = "tests/gateway/worker/test_failing.py"
DAYS = f"{FAILING}::test_five_days_without_a_success_disable_the_endpoint"
REPAIRED = "tests/gateway/webhooks/test_endpoints.py::test_changes_are_checked_and_on_record"
DELETED = f"{FAILING}::test_endpoints_of_a_deleted_merchant_hear_nothing"
NEWS = "tests/gateway/webhooks/test_networks.py"
TOLD = f"{NEWS}::test_a_network_that_falls_behind_is_told_once"

FAILING_GUARDS = (
    Mutation(
        guard="failing: days without a success disable an endpoint",
        path="gateway/webhooks/results.py",
        old="coalesce(e.failing_since <= %(oldest)s, false) AS worn_out",
        new="false AS worn_out",
        tests=(DAYS,),
    ),
    Mutation(
        guard="failing: a success begins the days anew",
        path="gateway/webhooks/results.py",
        old="CASE WHEN NOT t.arrived THEN coalesce(e.failing_since, %(at)s) END",
        new="coalesce(e.failing_since, %(at)s)",
        tests=(DAYS,),
    ),
    Mutation(
        guard="failing: what used up its attempts at an old URL does not count",
        path="gateway/webhooks/failing.py",
        old="WHERE id = :endpoint_id AND url = :url RETURNING",
        new="WHERE id = :endpoint_id RETURNING",
        tests=(f"{FAILING}::test_days_of_an_old_url_disable_nothing",),
    ),
    Mutation(
        guard="failing: a success meanwhile keeps an endpoint",
        path="gateway/webhooks/failing.py",
        old="    AND (CAST(:oldest AS timestamptz) IS NULL OR failing_since <= :oldest)\n",
        new="    AND (CAST(:oldest AS timestamptz) IS NULL OR true)\n",
        tests=(f"{FAILING}::test_a_success_meanwhile_keeps_the_endpoint",),
    ),
    Mutation(
        guard="failing: whoever repairs an endpoint says so to every sender",
        path="gateway/webhooks/service.py",
        old="        await forgive(desk.session, row.id)\n",
        new="",
        tests=(REPAIRED,),
    ),
    Mutation(
        guard="failing: a new URL forgives",
        path="gateway/webhooks/service.py",
        old='    if "url" in wanted or wanted.get("status") == "enabled":\n',
        new='    if wanted.get("status") == "enabled":\n',
        tests=(REPAIRED,),
    ),
    Mutation(
        guard="failing: a sender that is told closes the breaker",
        path="gateway/webhooks/hearing.py",
        old="                sender.forgive(told.payload)\n",
        new="                pass\n",
        tests=(f"{FAILING}::test_a_repaired_endpoint_need_not_wait",),
    ),
    Mutation(
        guard="a deleted merchant is sent nothing",
        path="gateway/webhooks/leases.py",
        old="WHERE m.id = e.merchant_id AND m.deleted_at IS NOT NULL)",
        new="WHERE false)",
        tests=(DELETED,),
    ),
    Mutation(
        guard="what was due to a deleted merchant is over",
        path="gateway/webhooks/leases.py",
        old="IN (SELECT id FROM merchant WHERE deleted_at IS NOT NULL))",
        new="IN (SELECT id FROM merchant WHERE false))",
        tests=(DELETED,),
    ),
    Mutation(
        guard="nothing is queued for a deleted merchant",
        path="gateway/webhooks/outbox.py",
        old="WHERE id = %(merchant_id)s AND deleted_at IS NOT NULL)",
        new="WHERE false)",
        tests=(DELETED,),
    ),
    Mutation(
        guard="networks: what was said is changed by one worker at a time",
        path="gateway/webhooks/networks.py",
        old="        .with_for_update(of=NetworkCondition)\n",
        new="",
        tests=(TOLD,),
    ),
    Mutation(
        guard="networks: a stumble is no news",
        path="gateway/webhooks/networks.py",
        old="    if at - doubted < (DEGRADED_AFTER if lagging else RECOVERED_AFTER):\n",
        new="    if at < doubted:\n",
        tests=(TOLD, f"{NEWS}::test_what_was_said_stands_until_it_is_otherwise_for_a_while"),
    ),
    Mutation(
        guard="networks: each mode hears of its own",
        path="gateway/webhooks/networks.py",
        old="            WebhookEndpoint.livemode == livemode,\n",
        new="",
        tests=(TOLD,),
    ),
    Mutation(
        guard="a removed endpoint is an alert",
        path="gateway/notifications/words.py",
        old='    "webhook_endpoint.deleted": "A webhook endpoint was removed",\n',
        new="",
        tests=(
            "tests/gateway/notifications/test_announcing.py::test_changes_of_the_account_are_alerts",
        ),
    ),
    Mutation(
        guard="only what pays an invoice back is a refund",
        path="gateway/withdrawals/moves.py",
        old="    if withdrawal.invoice_id is not None and type_ in REFUND_TOLD:\n",
        new="    if type_ in REFUND_TOLD:\n",
        tests=("tests/gateway/withdrawals/test_gate.py::test_another_key_approves",),
    ),
)
