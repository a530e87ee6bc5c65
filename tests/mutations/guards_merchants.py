"""Guards of merchants, their settings, their keys and their signatures."""

from tests.mutations.mutation import Mutation

SQL = "migrations/sql/0004_3_merchants.sql"
DOOR = "migrations/sql/0006_1_people.sql"
STANDING = "tests/gateway/merchants/test_standing.py"
SETTINGS = "tests/gateway/merchant_settings/test_settings.py"
KEYS = "tests/gateway/accounts/test_changes.py"
SIGNED = "tests/gateway/accounts/test_signed_requests.py"
VECTORS = "tests/gateway/http/test_message_signatures.py"
SIGNING = "gateway/http/request_signing.py"
CHANGES = "gateway/accounts/changes.py"
ONCE = f"{SIGNED}::test_a_signature_holds_for_one_request_and_once"
SAYS = f"{SIGNED}::test_what_a_signature_has_to_say"
DEMANDED = f"{SIGNED}::test_a_merchant_that_demands_signatures_gets_nothing_else"
ROLLED = f"{KEYS}::test_nobody_rolls_themselves_into_rights_or_into_somebody_else"
NARROWED = f"{KEYS}::test_a_key_is_narrowed_and_never_widened"
SUSPENDED = f"{STANDING}::test_a_suspended_merchant_looks_and_changes_nothing"
PLAIN_SQL = f"{STANDING}::test_plain_sql_of_the_api_decides_nothing_about_merchants"

MERCHANTS = (
    Mutation(
        guard="a suspended merchant changes nothing",
        path="gateway/http/auth.py",
        old="    if actor.suspended and method not in READING:\n",
        new="    if False:\n",
        tests=(SUSPENDED,),
    ),
    Mutation(
        guard="the merchant's own addresses hold for every key",
        path="gateway/http/auth.py",
        old="    if not may_come_from(actor.address, actor.merchant_ips):\n",
        new="    if False:\n",
        tests=(f"{SETTINGS}::test_the_merchants_own_addresses_hold_for_every_key",),
    ),
    Mutation(
        guard="no list of addresses keeps its sender out",
        path="gateway/merchant_settings/service.py",
        old="    if actor.merchant_id is not None and not may_come_from(actor.address, networks):\n",
        new="    if False:\n",
        tests=(f"{SETTINGS}::test_what_settings_refuse",),
    ),
    Mutation(
        guard="whoever demands signatures has made one",
        path="gateway/merchant_settings/service.py",
        old="actor.session_id is None and not actor.signed:\n",
        new="False:\n",
        tests=(DEMANDED,),
    ),
    Mutation(
        guard="an account with money does not end",
        path="gateway/merchants/standing.py",
        old="    if funded:\n",
        new="    if False:\n",
        tests=(SUSPENDED,),
    ),
    Mutation(
        guard="what was verified stays",
        path="gateway/merchants/service.py",
        old='    if not operator and row.verification == "verified" and VERIFIED & after.keys():\n',
        new="    if False:\n",
        tests=(f"{STANDING}::test_operators_search_and_verify",),
    ),
    Mutation(
        guard="only an operator's transaction decides about a merchant",
        path=SQL,
        old="    IF current_user = 'gw_api' AND NOT is_operator() AND\n",
        new="    IF false AND\n",
        tests=(PLAIN_SQL,),
    ),
    Mutation(
        guard="plain SQL changes nothing that was verified",
        path=SQL,
        old="       OR current_user = 'gw_api' AND NOT is_operator() AND OLD.verification = 'verified' AND\n",
        new="       OR false AND\n",
        tests=(PLAIN_SQL,),
    ),
    Mutation(
        guard="a merchant begins unverified",
        path=SQL,
        old="    WITH CHECK (status = 'active' AND verification = 'unverified' AND deleted_at IS NULL);",
        new="    WITH CHECK (true);",
        tests=(PLAIN_SQL,),
    ),
    Mutation(
        guard="a suspended merchant asks for no money in plain SQL",
        path=SQL,
        old="    WITH CHECK (is_active(merchant_id));",
        new="    WITH CHECK (true);",
        tests=(PLAIN_SQL,),
    ),
    Mutation(
        guard="a suspended merchant approves nothing in plain SQL",
        path=SQL,
        old="WITH CHECK (status <> 'approved' OR is_active(merchant_id));",
        new="WITH CHECK (true);",
        tests=(PLAIN_SQL,),
    ),
    Mutation(
        guard="a deleted merchant's keys are worth nothing",
        path=DOOR,
        old=" AND m.deleted_at IS NULL\n          AND (a.key_hash",
        new="\n          AND (a.key_hash",
        tests=(f"{STANDING}::test_an_account_ends_and_comes_back",),
    ),
    Mutation(
        guard="an old secret ends with its overlap",
        path=DOOR,
        old="(a.previous_key_hash = $1 AND a.previous_until > $2));",
        new="a.previous_key_hash = $1);",
        tests=(f"{KEYS}::test_a_rolled_key_has_two_secrets_until_the_overlap_is_over",),
    ),
    Mutation(
        guard="a key's own limit counts",
        path=DOOR,
        old="coalesce(least(nullif($3, 0), k.requests_per_minute), 0) END;",
        new="$3 END;",
        tests=(f"{KEYS}::test_a_keys_own_limit_counts_below_the_houses",),
    ),
    Mutation(
        guard="nobody rolls a key that has more rights",
        path=CHANGES,
        old="    lacking = set(row.scopes) - actor.scopes\n",
        new="    lacking: set[str] = set()\n",
        tests=(ROLLED,),
    ),
    Mutation(
        guard="nobody rolls themselves into somebody else",
        path=CHANGES,
        old="    if MONEY_SCOPES & set(row.scopes) and not await are_one(session, actor.key_id, row.id):\n",
        new="    if False:\n",
        tests=(ROLLED,),
    ),
    Mutation(
        guard="a key of a key belongs to the first one",
        path="gateway/accounts/service.py",
        old="await behind(session, actor.key_id)",
        new="actor.key_id",
        tests=(ROLLED,),
    ),
    Mutation(
        guard="a key gains no scope",
        path="gateway/accounts/limits.py",
        old="        if scope not in row.scopes:\n",
        new="        if False:\n",
        tests=(NARROWED,),
    ),
    Mutation(
        guard="a key gains no address",
        path="gateway/accounts/limits.py",
        old="            int(home.network_address) <= int(network.network_address)\n",
        new="            True\n",
        tests=(NARROWED,),
    ),
    Mutation(
        guard="changes are signed where the merchant demands it",
        path=SIGNING,
        old="        if actor.require_signature and method not in READING:\n",
        new="        if False:\n",
        tests=(DEMANDED,),
    ),
    Mutation(
        guard="a signature is the key's over this request",
        path=SIGNING,
        old="    if not genuine:\n",
        new="    if False:\n",
        tests=(ONCE,),
    ),
    Mutation(
        guard="a signature names its key",
        path=SIGNING,
        old='    if signed.given.parameters.get("keyid") != actor.key_id:\n',
        new="    if False:\n",
        tests=(ONCE,),
    ),
    Mutation(
        guard="a nonce counts once",
        path=SIGNING,
        old="    if not actor.nonce_fresh:\n",
        new="    if False:\n",
        tests=(ONCE,),
    ),
    Mutation(
        guard="the digest is the body's",
        path=SIGNING,
        old='    if "content-digest" in covered and not rfc9421.digest_fits(\n',
        new="    if False and not rfc9421.digest_fits(\n",
        tests=(ONCE,),
    ),
    Mutation(
        guard="a signature covers the body",
        path=SIGNING,
        old='        wanted.add("content-digest")\n',
        new="        pass\n",
        tests=(SAYS,),
    ),
    Mutation(
        guard="a signature covers the idempotency key",
        path=SIGNING,
        old='        wanted.add("idempotency-key")\n',
        new="        pass\n",
        tests=(ONCE,),
    ),
    Mutation(
        guard="a signature covers the target",
        path=SIGNING,
        old='        wanted |= {"@path", "@query"}\n',
        new="        pass\n",
        tests=(SAYS,),
    ),
    Mutation(
        guard="a signature is young",
        path=SIGNING,
        old="    if abs(now - created) > seconds:\n",
        new="    if False:\n",
        tests=(SAYS,),
    ),
    Mutation(
        guard="one spelling of a signature",
        path="gateway/http/message_signatures.py",
        old="    if len(set(names)) != len(names) or len(parameters) != len(found):\n",
        new="    if False:\n",
        tests=(f"{VECTORS}::test_another_spelling_is_refused",),
    ),
    Mutation(
        guard="pictures come from the logo's host only",
        path="gateway/merchant_settings/schemas.py",
        old="^https://[a-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9._~/%-]*$",
        new="^https://[ -~]*$",
        tests=(f"{SETTINGS}::test_what_settings_refuse",),
    ),
)
