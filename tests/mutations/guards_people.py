"""Guards of people: passwords, sessions, invitations, and nobody approving their own request."""

from tests.mutations.mutation import Mutation

SQL = "migrations/sql/0004_2_people.sql"
SIGNING_IN = "tests/gateway/people/test_signing_in.py"
PASSWORDS = "tests/gateway/people/test_passwords.py"
PEOPLE_THERE = "tests/gateway/people/test_people.py"
WALLS = "tests/gateway/people/test_walls.py"
OWN = "tests/gateway/people/test_own_requests.py"

PEOPLE = (
    Mutation(
        guard="a key and its maker are one who may not approve",
        path="gateway/withdrawals/service.py",
        old="        creator=await behind(gate.session, row.created_by),\n",
        new="        creator=row.created_by,\n",
        tests=(f"{OWN}::test_nobody_is_two_by_making_keys",),
    ),
    Mutation(
        guard="the database refuses an approval of one's own",
        path=SQL,
        old="WITH CHECK (status <> 'approved' OR may_have_approved(created_by, approved_by, currency_id, units));",
        new="WITH CHECK (true);",
        tests=(f"{OWN}::test_the_database_holds_it_too",),
    ),
    Mutation(
        guard="a step-up lasts five minutes",
        path="gateway/http/auth.py",
        old="    if shown is None or at - shown >= STEP_UP_LASTS:\n",
        new="    if shown is None:\n",
        tests=(f"{SIGNING_IN}::test_a_step_up_changes_the_token_and_lasts_five_minutes",),
    ),
    Mutation(
        guard="a session without its second factor opens nothing",
        path="gateway/http/auth.py",
        old="    if signed_in.factor_pending:\n",
        new="    if False:\n",
        tests=(f"{SIGNING_IN}::test_a_pending_second_factor_opens_nothing_but_itself",),
    ),
    Mutation(
        guard="another site changes nothing by a cookie",
        path="gateway/http/cookies.py",
        old="    if token is not None and method not in READING:\n",
        new="    if False:\n",
        tests=(f"{SIGNING_IN}::test_a_cookie_acts_only_from_our_own_pages",),
    ),
    Mutation(
        guard="an unknown account costs the work of a known one",
        path="gateway/sessions/passwords.py",
        old="            return await self.hashed(password, bytes(SALT_BYTES))\n",
        new='            return ""\n',
        tests=(f"{PASSWORDS}::test_an_unknown_name_costs_the_same_work",),
    ),
    Mutation(
        guard="who guesses waits",
        path=SQL,
        old="    IF a.blocked_until > now THEN\n",
        new="    IF false THEN\n",
        tests=(
            f"{SIGNING_IN}::test_who_guesses_waits_longer_and_longer_and_nobody_is_locked_out",
            f"{PASSWORDS}::test_nobody_fills_a_mailbox_with_resets",
        ),
    ),
    Mutation(
        guard="an invitation that was taken back counts no more",
        path=SQL,
        old="AND v.accepted_at IS NULL AND v.revoked_at IS NULL AND v.expires_at > now",
        new="AND v.accepted_at IS NULL AND v.expires_at > now",
        tests=(f"{PEOPLE_THERE}::test_an_invitation_becomes_a_person_once",),
    ),
    Mutation(
        guard="the house grows by a stepped-up session alone",
        path=SQL,
        old="          AND s.stepped_up_at > now - interval '5 minutes'\n",
        new="",
        tests=(f"{WALLS}::test_the_house_grows_by_an_admins_stepped_up_session_alone",),
    ),
    Mutation(
        guard="a proof counts once",
        path=SQL,
        old="t.purpose = what AND t.used_at IS NULL AND t.expires_at > now\n          AND u.id = t.user_id",
        new="t.purpose = what AND t.expires_at > now\n          AND u.id = t.user_id",
        tests=(f"{PASSWORDS}::test_another_address_counts_when_its_proof_comes_back",),
    ),
    Mutation(
        guard="a reset ends every session",
        path=SQL,
        old="    UPDATE user_session s SET revoked_at = now WHERE s.user_id = t.user_id AND s.revoked_at IS NULL;\n",
        new="",
        tests=(
            f"{PASSWORDS}::test_a_reset_goes_to_the_mailbox_counts_once_and_ends_every_session",
        ),
    ),
    Mutation(
        guard="an owner always remains",
        path="gateway/people/repository.py",
        old='== "active",\n            User.deleted_at.is_(None),\n        )\n        .order_by(User.id)\n        .with_for_update()\n',
        new='== "active",\n            User.deleted_at.is_(None),\n        )\n        .order_by(User.id)\n',
        tests=(f"{PEOPLE_THERE}::test_two_owners_who_remove_each_other_leave_one",),
    ),
    Mutation(
        guard="what somebody offered goes with them",
        path="gateway/people/service.py",
        old="    await take_back_offers(desk, row.id)\n    await take_back_places(desk, row)\n    after =",
        new="    await take_back_places(desk, row)\n    after =",
        tests=(f"{PEOPLE_THERE}::test_what_somebody_offered_goes_with_them",),
    ),
    Mutation(
        guard="nobody writes to the whole world by moving",
        path="gateway/sessions/credentials.py",
        old='"/password")\n    door = room.door\n    await admit_mail(door, row.email)\n',
        new='"/password")\n    door = room.door\n',
        tests=(f"{PASSWORDS}::test_nobody_writes_to_the_whole_world_by_moving",),
    ),
    Mutation(
        guard="an admin always remains",
        path="gateway/people/service.py",
        old="    if desk.actor.key_id not in await repository.locked_admins(desk.session):\n",
        new="    if False:\n",
        tests=(f"{PEOPLE_THERE}::test_two_admins_who_let_each_other_go_leave_one",),
    ),
    Mutation(
        guard="nobody is signed in without the password's hash",
        path=SQL,
        old="u.id = person AND is_password(u.id, phc) AND u.status",
        new="u.id = person AND u.status",
        tests=(f"{WALLS}::test_nobody_is_somebody_without_the_password",),
    ),
    Mutation(
        guard="what is shown to one actor is kept for that one alone",
        path="gateway/http/call.py",
        old='f" {self.actor.key_id}" if own else ""',
        new='""',
        tests=(f"{OWN}::test_whoever_repeats_another_ones_request_is_shown_no_key",),
    ),
    Mutation(
        guard="a new password ends moves to another address",
        path=SQL,
        old="SET used_at = now WHERE user_id = s.user_id AND used_at IS NULL;",
        new="SET used_at = now WHERE user_id = s.user_id AND purpose = 'reset' AND used_at IS NULL;",
        tests=(f"{PASSWORDS}::test_a_new_password_ends_every_move_to_another_address",),
    ),
    Mutation(
        guard="the API's role reads no password hash",
        path=SQL,
        old="REVOKE SELECT ON users FROM gw_api;\n",
        new="",
        tests=(f"{WALLS}::test_nobody_becomes_more_by_plain_sql",),
    ),
    Mutation(
        guard="the API's role invites to a merchant's team alone",
        path=SQL,
        old="    WITH CHECK (role = 'MERCHANT' AND merchant_id = current_merchant() AND accepted_at IS NULL);\n",
        new="    WITH CHECK (true);\n",
        tests=(f"{WALLS}::test_nobody_becomes_more_by_plain_sql",),
    ),
    Mutation(
        guard="an operator who is suspended is none",
        path=SQL,
        old="WHERE id = current_merchant() AND merchant_id IS NULL\n            AND status = 'active' AND deleted_at IS NULL)",
        new="WHERE id = current_merchant() AND merchant_id IS NULL)",
        tests=(f"{WALLS}::test_an_operator_who_is_suspended_is_none",),
    ),
)
