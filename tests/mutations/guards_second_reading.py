"""Guards of people, keys and messages that a second reading put in."""

from tests.mutations.mutation import Mutation

SQL = "migrations/sql/0005_1_people.sql"
LEAVING = "tests/gateway/people/test_leaving.py"
WALLS = "tests/gateway/people/test_walls.py"
LIMITS = "tests/gateway/accounts/test_limits.py"
ODD = "tests/gateway/factors/test_odd_proofs.py"
TARGETS = "tests/gateway/notifications/test_targets.py"
SENDING = "tests/gateway/notifications/test_sending.py"
SETTINGS = "tests/gateway/merchant_settings/test_settings.py"
KEYS_LEFT = (
    f"{LEAVING}::test_keys_that_outlive_their_maker_are_flagged_alerted_and_ended_on_demand"
)
ONE_LETTER = f"{ODD}::test_guesses_side_by_side_do_not_step_over_the_warning"

SECOND_READING = (
    Mutation(
        guard="a text without an end is read once",
        path="gateway/http/reading.py",
        old='(?:"|\\\\?\\Z)',
        new='"',
        tests=("tests/gateway/http/test_reading.py::test_a_text_without_an_end_is_one_text",),
    ),
    Mutation(
        guard="a key that outlives its maker is flagged",
        path="gateway/accounts/makers.py",
        old="    return frozenset() if own is None else frozenset(row.scopes) - own\n",
        new="    return frozenset()\n",
        tests=(KEYS_LEFT,),
    ),
    Mutation(
        guard="who is suspended could make no key",
        path="gateway/accounts/makers.py",
        old='    if maker.status != "active" or maker.deleted_at is not None:\n',
        new="    if False:\n",
        tests=(KEYS_LEFT,),
    ),
    Mutation(
        guard="keys end with their maker on demand",
        path="gateway/accounts/makers.py",
        old="            await end_key(session, actor, row, moment, made=False)\n",
        new="            pass\n",
        tests=(
            KEYS_LEFT,
            f"{LEAVING}::test_an_operator_ends_the_keys_of_a_merchants_person",
        ),
    ),
    Mutation(
        guard="a key makes keys within its own limits",
        path="gateway/accounts/service.py",
        old="    require_narrowing(own, given, at)\n",
        new="",
        tests=(f"{LIMITS}::test_a_key_makes_keys_within_its_own_limits",),
    ),
    Mutation(
        guard="a key ends while times can be shown",
        path="gateway/accounts/limits.py",
        old="    if expires_at > at + LONGEST:\n",
        new="    if False:\n",
        tests=(f"{LIMITS}::test_an_end_that_no_answer_could_show_is_refused",),
    ),
    Mutation(
        guard="nobody gives another one's money key a public key",
        path="gateway/accounts/changes.py",
        old='    if "public_key" in after:\n',
        new="    if False:\n",
        tests=(f"{LIMITS}::test_nobody_gives_anothers_money_key_a_public_key",),
    ),
    Mutation(
        guard="what the house offered to merchants goes with its people",
        path=SQL,
        old="    USING ((SELECT is_admin()) AND EXISTS",
        new="    USING (false AND EXISTS",
        tests=(f"{LEAVING}::test_what_the_houses_own_offered_to_merchants_goes_with_them",),
    ),
    Mutation(
        guard="letters about accounts are the team's",
        path="gateway/notifications/repository.py",
        old="    if not letters:\n",
        new="    if False:\n",
        tests=(f"{LEAVING}::test_letters_about_somebodys_account_are_the_teams_to_read",),
    ),
    Mutation(
        guard="an end is an end",
        path=SQL,
        old="    IF OLD.revoked_at IS NOT NULL AND",
        new="    IF false AND",
        tests=(f"{WALLS}::test_an_end_is_an_end",),
    ),
    Mutation(
        guard="an account has one name",
        path="gateway/sessions/repository.py",
        old='{"email": email.lower()}',
        new='{"email": email}',
        tests=(f"{WALLS}::test_an_account_has_one_name_for_whoever_guesses",),
    ),
    Mutation(
        guard="wrong proofs are counted one by one",
        path="gateway/factors/stepping.py",
        old="    await repository.one_by_one(desk.session, desk.user_id)\n",
        new="",
        tests=(ONE_LETTER,),
    ),
    Mutation(
        guard="a credential id is as long as one may be",
        path="gateway/factors/passkeys.py",
        old="        if len(verified.credential_id) > CREDENTIAL_ID_BYTES_MAX:\n",
        new="        if False:\n",
        tests=(f"{ODD}::test_a_credential_id_has_at_most_1023_bytes",),
    ),
    Mutation(
        guard="a cookie is renewed as a cookie behind a proxy's door",
        path="gateway/factors/controller.py",
        old="        cookie = tokens.hashed(shown) == hall.person.token_hash\n",
        new='        cookie = bool(shown) and "Authorization" not in request.headers\n',
        tests=(f"{ODD}::test_a_cookie_stays_a_cookie_behind_a_door_with_a_password",),
    ),
    Mutation(
        guard="the place of alerts does not go in silence",
        path="gateway/notifications/service.py",
        old="    if channel in channels(wishes, ALERT):\n",
        new="    if False:\n",
        tests=(f"{TARGETS}::test_the_place_of_alerts_does_not_go_in_silence",),
    ),
    Mutation(
        guard="one test of a target at a time",
        path="gateway/notifications/service.py",
        old="    if await is_waiting(session, actor.tenant, row.name, TEST):\n",
        new="    if False:\n",
        tests=(f"{TARGETS}::test_one_test_of_a_target_is_under_way_at_a_time",),
    ),
    Mutation(
        guard="no other merchant fills the hour of a mailbox",
        path="gateway/notifications/leases.py",
        old="            AND coalesce(s.merchant_id, '') = d.owner AND s.secret = d.secret\n",
        new="            AND s.secret = d.secret\n",
        tests=(f"{SENDING}::test_no_other_merchant_fills_the_hour_of_a_mailbox",),
    ),
    Mutation(
        guard="metadata fits its column",
        path="gateway/merchant_settings/service.py",
        old="    if len(msgspec.json.encode(metadata)) + 2 * len(metadata) > METADATA_BYTES_MAX:\n",
        new="    if False:\n",
        tests=(f"{SETTINGS}::test_metadata_that_the_database_would_refuse_is_refused_by_name",),
    ),
    Mutation(
        guard="an opened door is an alert",
        path="gateway/merchant_settings/service.py",
        old="{'security_' if SECURITY & changed.keys() else ''}",
        new="",
        tests=(f"{SETTINGS}::test_the_merchants_own_addresses_hold_for_every_key",),
    ),
    Mutation(
        guard="a team invites so many times a day",
        path="gateway/people/invitations.py",
        old=">= INVITATIONS_A_DAY:\n",
        new=">= 10 * INVITATIONS_A_DAY:\n",
        tests=(f"{LEAVING}::test_a_team_invites_so_many_times_a_day",),
    ),
    Mutation(
        guard="so many keys are in force",
        path="gateway/accounts/service.py",
        old=">= KEYS_MAX:\n",
        new=">= 10 * KEYS_MAX:\n",
        tests=(f"{LIMITS}::test_so_many_keys_are_in_force_at_once",),
    ),
    Mutation(
        guard="a session that may still count is not forgotten",
        path="migrations/sql/0006_1_people.sql",
        old="gone);\n    DELETE FROM user_session WHERE id IN\n"
        "        (SELECT id FROM user_session WHERE expires_at < now - interval '90 days' LIMIT batch",
        new="gone);\n    DELETE FROM user_session WHERE id IN\n"
        "        (SELECT id FROM user_session LIMIT batch",
        tests=(
            "tests/gateway/worker/test_forgetting.py::test_what_is_over_for_good_is_forgotten",
        ),
    ),
)
