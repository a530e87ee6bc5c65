"""Guards of fees, referrals and commissions, and of the sample data."""

from tests.mutations.mutation import Mutation

SQL = "migrations/sql/0004_9_referrals.sql"
FEES = "tests/gateway/referrals/test_fees.py"
CODES = "tests/gateway/referrals/test_codes.py"
SHARING = "tests/gateway/referrals/test_sharing.py"
REVERSAL = "tests/gateway/referrals/test_reversal.py"
SEED = "tests/gateway/commands/test_seed_dev.py"

REFERRALS = (
    Mutation(
        guard="who may not move money promises nobody a share of it",
        path="gateway/referrals/controller.py",
        old="        if SHARING not in call.actor.scopes:\n",
        new="        if SHARING not in (SHARING,):\n",
        tests=(f"{CODES}::test_who_may_not_move_money_promises_nobody_a_share_of_it",),
    ),
    Mutation(
        guard="the fraction of a fee is the merchant's",
        path="gateway/domain/posting.py",
        old="    return units * basis_points // 10_000\n",
        new="    return -(-units * basis_points // 10_000)\n",
        tests=(f"{FEES}::test_the_fraction_is_the_merchants",),
    ),
    Mutation(
        guard="a level's share is rounded down",
        path="gateway/domain/commission.py",
        old="    return [pot_units * rate // WHOLE for rate in rates]\n",
        new="    return [-(-pot_units * rate // WHOLE) for rate in rates]\n",
        tests=(f"{SHARING}::test_no_rates_share_more_than_there_is",),
    ),
    Mutation(
        guard="commissions are never more than the pot",
        path=SQL,
        old="    IF shared > p.pot_units THEN\n",
        new="    IF false THEN\n",
        tests=(f"{SHARING}::test_many_levels_are_never_more_than_the_fee",),
    ),
    Mutation(
        guard="a commission is what its schedule says",
        path=SQL,
        old="       OR NEW.units <> trunc(p.pot_units * rate / 10000)\n",
        new="",
        tests=(f"{SHARING}::test_the_worker_posts_nothing_but_what_was_earned",),
    ),
    Mutation(
        guard="a commission's journal is its own to the unit",
        path=SQL,
        old="OR every <> 2 OR fitting <> 2 THEN\n",
        new="THEN\n",
        tests=(f"{SHARING}::test_the_worker_posts_nothing_but_what_was_earned",),
    ),
    Mutation(
        guard="only an operator changes a fee",
        path=SQL,
        old="    IF current_user = 'gw_api' AND NOT is_operator()\n       AND NEW.processing",
        new="    IF false\n       AND NEW.processing",
        tests=(f"{FEES}::test_only_an_operator_changes_a_fee",),
    ),
    Mutation(
        guard="a code of one's own choice is an operator's",
        path=SQL,
        old="CREATE POLICY drawn ON referral_code AS RESTRICTIVE FOR INSERT TO gw_api\n"
        "    WITH CHECK ((NOT vanity AND code ~ '^[0-9A-HJKMNP-TV-Z]{12}$') OR is_operator());\n",
        new="",
        tests=(f"{CODES}::test_a_code_of_ones_own_choice_is_an_operators_to_give",),
    ),
    Mutation(
        guard="nobody refers himself",
        path=SQL,
        old="        RETURN 'self_referral';\n",
        new="        RETURN NULL;\n",
        tests=(f"{CODES}::test_nobody_refers_himself",),
    ),
    Mutation(
        guard="all rates together are at most everything",
        path=SQL,
        old="    CONSTRAINT referral_schedule_whole CHECK (total_basis_points(rates) <= 10000),\n",
        new="",
        tests=(f"{CODES}::test_rates_share_no_more_than_everything_and_never_the_past",),
    ),
    Mutation(
        guard="a pot of a reversed payment is never shared",
        path="gateway/referrals/reversal.py",
        old="        if pot.shared_at is None:\n",
        new="        if False:\n",
        tests=(f"{REVERSAL}::test_a_pot_that_was_not_shared_never_is",),
    ),
    Mutation(
        guard="no more is missing in suspense than reversals left",
        path=SQL,
        old="        RAISE EXCEPTION 'the wallet suspense does not cover this' USING ERRCODE = 'check_violation';\n",
        new="        RETURN NULL;\n",
        tests=(
            f"{REVERSAL}::test_what_was_paid_out_is_missing_in_suspense_and_no_more",
            "tests/watchers/test_desk.py::test_what_the_ledger_refuses_fails_alone",
        ),
    ),
    Mutation(
        guard="sample data belongs to test networks",
        path="gateway/commands/seed_dev.py",
        old="    if networks:\n",
        new="    if False:\n",
        tests=(f"{SEED}::test_a_real_network_anywhere_stops_it",),
    ),
    Mutation(
        guard="what waits to be paid out is called back before it is missing",
        path="gateway/deposits/reversal.py",
        old="    short = 0 if waiting else await _short(desk, deposit, deposit.customer_id, _owed(deposit))\n",
        new="    short = 0\n",
        tests=(f"{REVERSAL}::test_what_waits_to_be_paid_out_is_taken_back_as_well",),
    ),
    Mutation(
        guard="a merchant answers for its customer",
        path="gateway/domain/posting.py",
        old="    answered = min(credit.units - covered, max(there, 0))\n",
        new="    answered = 0\n",
        tests=(
            f"{REVERSAL}::test_what_a_merchant_took_from_its_customer_is_taken_back_from_the_merchant",
        ),
    ),
)
