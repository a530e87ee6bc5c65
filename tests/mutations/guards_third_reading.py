"""Guards of keys' makers, of what real money goes by, of rates on their way, of shared payments."""

from tests.mutations.mutation import Mutation

PEOPLE = "migrations/sql/0006_1_people.sql"
SHARING = "migrations/sql/0006_5_referrals.sql"
LINEAGE = "tests/gateway/accounts/test_lineage.py"
MODES = "tests/gateway/accounts/test_modes.py"
OWN = "tests/gateway/people/test_own_requests.py"
REAL = "tests/gateway/factors/test_real_money.py"
CIRCLES = "tests/gateway/referrals/test_circles.py"
JUDGE = "tests/domain/test_invoice_judge.py"
DECISIONS = "tests/gateway/invoices/test_decisions.py"
CODES = "tests/gateway/referrals/test_codes.py"
WALL = f"{LINEAGE}::test_plain_sql_makes_no_key_of_nobody_and_approves_in_nobodys_name"
MINE = f"{OWN}::test_an_operator_is_one_with_the_keys_it_makes_for_a_merchant"
ENDS = f"{LINEAGE}::test_a_key_takes_with_it_what_was_made_with_it"
LATE = f"{LINEAGE}::test_no_key_is_made_with_one_that_is_ending"
ELSEWHERE = f"{LINEAGE}::test_a_thief_elsewhere_spends_nothing_of_the_shops_budget"
PLAY = f"{MODES}::test_a_test_key_changes_nothing_that_real_money_goes_by"
ALONE = f"{REAL}::test_a_password_steps_nobody_of_the_house_up_for_real_money"
ON_ITS_WAY = f"{DECISIONS}::test_a_payment_on_its_way_counts_at_the_rate_that_its_payer_saw"

THIRD_READING = (
    Mutation(
        guard="an operator stands behind the keys it makes for a merchant",
        path="gateway/accounts/service.py",
        old="    maker = await behind(session, actor.key_id)\n",
        new="    maker = None if actor.merchant_id is None else await behind(session, actor.key_id)\n",
        tests=(MINE,),
    ),
    Mutation(
        guard="a revoked key takes with it what was made with it",
        path="gateway/accounts/service.py",
        old="    while made and (more := await made_with(session, row.id)):\n",
        new="    while False and (more := await made_with(session, row.id)):\n",
        tests=(ENDS,),
    ),
    Mutation(
        guard="and what was made with that",
        path="gateway/accounts/standing.py",
        old="    made = made.union(select(ApiKey.id).where(ApiKey.made_with == made.c.id))\n",
        new="",
        tests=(ENDS,),
    ),
    Mutation(
        guard="no key is made with one that has ended",
        path=PEOPLE,
        old="    PERFORM 1 FROM api_key WHERE id = NEW.made_with AND revoked_at IS NULL\n",
        new="    PERFORM 1 FROM api_key WHERE id = NEW.made_with\n",
        tests=(LATE,),
    ),
    Mutation(
        guard="a key that comes through the API has somebody behind it",
        path=PEOPLE,
        old="    WITH CHECK (created_by IS NOT NULL AND is_actor(created_by));",
        new="    WITH CHECK (true);",
        tests=(WALL,),
    ),
    Mutation(
        guard="an approver is a key of this very merchant",
        path=PEOPLE,
        old="                AND k.merchant_id = current_merchant() AND 'withdrawals:approve' = ANY (k.scopes))\n",
        new="                )\n",
        tests=(WALL,),
    ),
    Mutation(
        guard="a thief elsewhere spends no budget",
        path=PEOPLE,
        old="    astray := NOT (is_within($4, k.allowed_ips) AND is_within($4, k.merchant_ips));\n",
        new="    astray := NOT is_within($4, k.allowed_ips);\n",
        tests=(ELSEWHERE,),
    ),
    Mutation(
        guard="a test key changes nothing that real money goes by",
        path="gateway/http/auth.py",
        old="    if settings.real_money and not actor.livemode and actor.signed_in is None:\n",
        new="    if False:\n",
        tests=(PLAY,),
    ),
    Mutation(
        guard="a test key revokes no code of real customers",
        path="gateway/referrals/service.py",
        old="        session, actor.tenant, row.customer_id, livemode=actor.livemode\n    )\n\n\nasync def revoke_code",
        new="        session, actor.tenant, row.customer_id, livemode=True\n    )\n\n\nasync def revoke_code",
        tests=(f"{MODES}::test_a_test_key_draws_codes_for_test_customers_alone",),
    ),
    Mutation(
        guard="where money is real a password steps nobody of the house up",
        path="gateway/http/auth.py",
        old="    if actor.merchant_id is None and settings.real_money and not signed_in.enrolled:\n",
        new="    if False:\n",
        tests=(ALONE,),
    ),
    Mutation(
        guard="a payment on its way counts at the rate that its payer saw",
        path="gateway/domain/invoice.py",
        old="    return Asked(min([units, *shown]), max([units, *shown]))\n",
        new="    return Asked(units, units)\n",
        tests=(
            f"{JUDGE}::test_a_rate_counts_for_a_quarter_of_an_hour_after_another_was_locked",
            ON_ITS_WAY,
        ),
    ),
    Mutation(
        guard="too much is too much by every rate",
        path="gateway/domain/invoice.py",
        old="    return sum((Fraction(p.units, p.asked.most) for p in payments), Fraction(0)) > 1\n",
        new="    return share(payments) > 1\n",
        tests=(ON_ITS_WAY,),
    ),
    Mutation(
        guard="what came back does not count again",
        path=SHARING,
        old="        RETURNING least(most, p.net_units - p.counted_units) INTO fresh;\n",
        new="        RETURNING most INTO fresh;\n",
        tests=(f"{CIRCLES}::test_what_went_back_is_paid_again_before_anything_new_counts",),
    ),
    Mutation(
        guard="a refund is taken off what a customer paid",
        path=SHARING,
        old="    PERFORM count_paid(NEW.id, NEW.merchant_id, i.customer_id, NEW.currency_id, -NEW.units, 0, NEW.completed_at)\n",
        new="    PERFORM count_paid(NEW.id, NEW.merchant_id, i.customer_id, NEW.currency_id, 0, 0, NEW.completed_at)\n",
        tests=(f"{CIRCLES}::test_a_refund_is_taken_off",),
    ),
    Mutation(
        guard="no more of a payment is shared than its invoice asked for",
        path=SHARING,
        old="        least(d.units - d.fee_units, coalesce(asked - earlier, d.units)), d.confirmed_at);\n",
        new="        d.units - d.fee_units, d.confirmed_at);\n",
        tests=(
            f"{CIRCLES}::test_several_payments_of_one_invoice_are_no_more_than_it_asked_for",
        ),
    ),
    Mutation(
        guard="a code that is revoked meanwhile is the caller's fault, not ours",
        path="gateway/merchants/referrers.py",
        old="        if found is None:\n",
        new="        if True:\n",
        tests=(f"{CODES}::test_a_code_that_is_revoked_meanwhile_is_refused_all_the_same",),
    ),
)
