"""Guards of second factors: what counts once, whose it is, and what asks for it."""

from tests.mutations.mutation import Mutation

SQL = "migrations/sql/0004_10_factors.sql"
CODES = "tests/gateway/factors/test_codes.py"
PASSKEYS = "tests/gateway/factors/test_passkeys.py"
STEP_UP = "tests/gateway/factors/test_step_up.py"
PROOFS = "tests/gateway/factors/test_proofs.py"

FACTORS = (
    Mutation(
        guard="a second factor's code counts once",
        path=SQL,
        old=" AND confirmed_at IS NOT NULL AND last_step < step;",
        new=" AND confirmed_at IS NOT NULL;",
        tests=(
            f"{CODES}::test_a_code_counts_once_and_none_before_it",
            f"{CODES}::test_the_same_code_sent_many_times_at_once_counts_once",
        ),
    ),
    Mutation(
        guard="a second factor's recovery code counts once",
        path=SQL,
        old="AND code_hash = code AND used_at IS NULL;",
        new="AND code_hash = code;",
        tests=(f"{CODES}::test_recovery_codes_count_once_each_and_only_the_last_ten",),
    ),
    Mutation(
        guard="recovery codes go with the last second factor",
        path=SQL,
        old="    PERFORM drop_idle_codes(s.user_id);\n    RETURN coalesce(confirmed, false);",
        new="    RETURN coalesce(confirmed, false);",
        tests=(f"{CODES}::test_with_the_last_factor_go_the_recovery_codes",),
    ),
    Mutation(
        guard="the first second factor ends other sessions",
        path=SQL,
        old=(
            "AND offered = sealed;\n    IF NOT FOUND THEN RETURN false; END IF;\n"
            "    IF first THEN PERFORM end_other_sessions(s, now); END IF;\n"
        ),
        new="AND offered = sealed;\n    IF NOT FOUND THEN RETURN false; END IF;\n",
        tests=(f"{CODES}::test_until_the_factor_is_shown_a_session_may_do_nothing_else",),
    ),
    Mutation(
        guard="no password in place of a second factor",
        path="gateway/factors/controller.py",
        old="        if stepping.PASSWORD not in await stepping.kinds_for(desk):\n",
        new="        if False:\n",
        tests=(f"{CODES}::test_until_the_factor_is_shown_a_session_may_do_nothing_else",),
    ),
    Mutation(
        guard="guesses at a second factor wait",
        path="gateway/factors/controller.py",
        old="            await guesses.count(session, call.actor.key_id, call.moment.at)\n",
        new="            pass\n",
        tests=(
            f"{CODES}::test_guesses_wait_longer_and_longer_and_nobody_is_locked_out",
            f"{PASSKEYS}::test_a_person_has_ten_passkeys_at_most",
        ),
    ),
    Mutation(
        guard="a second factor's challenge counts once",
        path=SQL,
        old="DELETE FROM passkey_challenge WHERE session_id = s.id AND ceremony = kind RETURNING * INTO taken;",
        new="SELECT * INTO taken FROM passkey_challenge WHERE session_id = s.id AND ceremony = kind;",
        tests=(f"{PASSKEYS}::test_a_challenge_counts_once_in_its_session_for_five_minutes",),
    ),
    Mutation(
        guard="a second factor's challenge ends",
        path=SQL,
        old="RETURN CASE WHEN taken.expires_at > now THEN taken.challenge END;",
        new="RETURN taken.challenge;",
        tests=(f"{PASSKEYS}::test_a_challenge_counts_once_in_its_session_for_five_minutes",),
    ),
    Mutation(
        guard="a passkey proves that its person was verified",
        path="gateway/factors/passkeys.py",
        old=(
            "            credential_current_sign_count=known.sign_count,\n"
            "            require_user_verification=True,\n"
        ),
        new="            credential_current_sign_count=known.sign_count,\n",
        tests=(
            f"{PROOFS}::test_what_a_browser_must_not_say_proves_nothing",
            f"{PASSKEYS}::test_what_another_page_or_nobody_made_is_refused",
        ),
    ),
    Mutation(
        guard="a passkey is used on our own page",
        path="gateway/factors/passkeys.py",
        old="    def read() -> int:\n        _require_own_page(credential)\n",
        new="    def read() -> int:\n",
        tests=(f"{PROOFS}::test_what_a_browser_must_not_say_proves_nothing",),
    ),
    Mutation(
        guard="a copied passkey shows by its counter",
        path="gateway/factors/passkeys.py",
        old="credential_current_sign_count=known.sign_count,",
        new="credential_current_sign_count=0,",
        tests=(f"{PROOFS}::test_a_signature_is_for_one_challenge_by_one_key_one_time",),
    ),
    Mutation(
        guard="a maker's certificate is not read for a passkey",
        path="gateway/factors/passkeys.py",
        old="    if not plain or attestation.att_stmt.x5c:\n",
        new="    if False:\n",
        tests=(f"{PROOFS}::test_a_passkey_signed_by_its_maker_is_refused",),
    ),
    Mutation(
        guard="factors change by a session that stepped up",
        path=SQL,
        old="\n          AND (NOT fresh OR s.stepped_up_at > now - interval '5 minutes')",
        new="",
        tests=(f"{STEP_UP}::test_plain_sql_of_the_api_changes_nobodys_factors",),
    ),
    Mutation(
        guard="factors are reset by an admin, for somebody else",
        path=SQL,
        old="    IF admin IS NULL OR admin = person THEN RETURN; END IF;\n",
        new="",
        tests=(
            f"{STEP_UP}::test_an_admin_takes_the_factors_of_somebody_who_lost_them",
            f"{STEP_UP}::test_plain_sql_of_the_api_changes_nobodys_factors",
        ),
    ),
    Mutation(
        guard="factors of another tenant are out of sight",
        path=SQL,
        old="USING (EXISTS (SELECT 1 FROM users u WHERE u.id = user_id))', t);",
        new="USING (true)', t);",
        tests=(f"{STEP_UP}::test_factors_are_a_tenants_own_and_no_secret_lies_open",),
    ),
    Mutation(
        guard="a step-up is asked for by every route of money, as for factors",
        path="gateway/payout_rules/controller.py",
        old='    @post("/", guards=[requires("settings:write", step_up=True)])\n',
        new='    @post("/", guards=[requires("settings:write")])\n',
        tests=(f"{STEP_UP}::test_every_change_of_money_or_of_who_may_asks_for_a_step_up",),
    ),
)
