"""Guards of approvals and pauses: whose word counts, and for what."""

from tests.mutations.mutation import Mutation

ORDERS = "tests/gateway/approvals/test_orders.py"
DOOR = "tests/gateway/approvals/test_door.py"
COMMAND = "tests/keystore/test_keystore_approving.py"
CHAIN = "tests/watchers/test_approvals.py"
PAUSES = "tests/gateway/pauses/test_pauses.py"

APPROVALS = (
    Mutation(
        guard="approvals: a proof is checked before it is kept",
        path="gateway/approvals/service.py",
        old="    if not holds(proof, approver, order_of(told.row)):\n",
        new="    if False:\n",
        tests=(f"{ORDERS}::test_a_proof_of_another_order_is_not_kept",),
    ),
    Mutation(
        guard="approvals: nobody approves his own request over the API",
        path="gateway/approvals/service.py",
        old="    if approver.asked(told.row.requested_by):\n",
        new="    if False:\n",
        tests=(f"{ORDERS}::test_nobody_approves_his_own_request",),
    ),
    Mutation(
        guard="approvals: nobody hands in somebody else's proof",
        path="gateway/approvals/service.py",
        old="    if case.approver not in {None, proof.approver}:\n",
        new="    if False:\n",
        tests=(f"{ORDERS}::test_nobody_speaks_for_another",),
    ),
    Mutation(
        guard="approvals: a signed request lasts a minute",
        path="gateway/approvals/door.py",
        old="    if abs(moment.at.timestamp() - said.at) > SKEW_SECONDS:\n",
        new="    if False:\n",
        tests=(f"{DOOR}::test_a_signature_lasts_a_minute",),
    ),
    Mutation(
        guard="approvals: the body is under the request's signature",
        path="gateway/approvals/credentials.py",
        old="    digest = hashlib.sha256(body).hexdigest()\n",
        new='    digest = hashlib.sha256(b"").hexdigest()\n',
        tests=(
            "tests/gateway/approvals/test_proofs.py::test_both_houses_sign_the_same_request",
        ),
    ),
    Mutation(
        guard="approvals: a policy that nobody renews lets nobody in",
        path="gateway/approvals/door.py",
        old="        if moment.at - each.published_at < POLICY_AGE_MAX\n",
        new="",
        tests=(f"{DOOR}::test_a_policy_that_nobody_renews_lets_nobody_in",),
    ),
    Mutation(
        guard="approvals: an expired order is no longer open",
        path="gateway/approvals/service.py",
        old="    if row.expires_ms <= milliseconds(case.moment.at):\n",
        new="    if False:\n",
        tests=(f"{ORDERS}::test_an_expired_order_takes_no_approval",),
    ),
    Mutation(
        guard="approvals: the API's role speaks for its caller only",
        path="migrations/sql/0002_2_approvals.sql",
        old="((SELECT is_approver()) AND 'approver:' || approver = current_merchant())));",
        new="(SELECT is_approver())));",
        tests=(f"{ORDERS}::test_the_api_writes_no_order_and_speaks_for_nobody_else",),
    ),
    Mutation(
        guard="approvals: the command refuses its own request",
        path="keystore/approving/command.py",
        old="    if document.own_request or document.order.requested_by in {asked.name, asked.subject}:\n",
        new="    if False:\n",
        tests=(f"{COMMAND}::test_orders_that_are_not_signed",),
    ),
    Mutation(
        guard="approvals: what a terminal would hide is not signed",
        path="keystore/approving/show.py",
        old="not (value.isascii() and value.isprintable())",
        new="False",
        tests=(f"{COMMAND}::test_an_order_that_cannot_be_shown_is_not_signed",),
    ),
    Mutation(
        guard="approvals: TLS is verified",
        path="keystore/approving/wire.py",
        old="ssl.create_default_context(cafile=self.authority)",
        new="ssl._create_unverified_context()",
        tests=(f"{COMMAND}::test_tls_is_verified",),
    ),
    Mutation(
        guard="approvals: what needs people is not begun",
        path="watchers/pay/approved.py",
        old="    if found is None or found.allowed:\n",
        new="    if True:\n",
        tests=(f"{CHAIN}::test_what_no_rule_allows_asks_nobody",),
    ),
    Mutation(
        guard="approvals: a refusal is carried out",
        path="watchers/pay/orders.py",
        old='    await move(session, row, "rejected", moment)\n',
        new="",
        tests=(f"{CHAIN}::test_a_refusal_rejects_the_withdrawal",),
    ),
    Mutation(
        guard="pauses: each of the three narrows",
        path="watchers/pay/pauses.py",
        old="            or_(Pause.merchant_id.is_(None), Pause.merchant_id == merchant_id),\n",
        new="",
        tests=(f"{PAUSES}::test_what_is_paused_is_what_fits_everything_that_is_named",),
    ),
    Mutation(
        guard="pauses: a test key stops no real money",
        path="watchers/pay/pauses.py",
        old="        .join(Network, Network.test != Pause.livemode)\n",
        new="        .join(Network, Network.id == network)\n",
        tests=(f"{PAUSES}::test_a_test_key_stops_no_real_money",),
    ),
)
