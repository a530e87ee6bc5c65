"""Guards of what holds for every route and table, and of the client."""

from tests.mutations.mutation import Mutation

ROWS = "tests/migrations/test_tenants.py"
ONCE = "tests/contract/test_once.py"
FINDINGS = "tests/contract/test_findings.py"
CLIENT = "tests/client/test_client.py"
POLICY = "clients/python/cryptic_gateway/policy.py"

CONTRACT = (
    Mutation(
        guard="the tenant's setting ends with its transaction",
        path="gateway/db.py",
        old="set_config('app.merchant_id', %(merchant_id)s, true)",
        new="set_config('app.merchant_id', %(merchant_id)s, false)",
        tests=(f"{ROWS}::test_the_next_user_of_a_pooled_connection_has_no_setting",),
    ),
    Mutation(
        guard="a table of tenants is under row-level security",
        path="migrations/sql/0002_4_requests.sql",
        old="        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);\n",
        new="",
        tests=(
            f"{ROWS}::test_every_table_is_a_tenants_or_is_known_to_be_shared",
            f"{ROWS}::test_a_setting_shows_one_merchants_rows",
            f"{ROWS}::test_nothing_of_another_merchant_can_be_changed_or_deleted",
            f"{ROWS}::test_no_row_can_be_written_for_another_merchant",
        ),
    ),
    Mutation(
        guard="an answer that was given is given again",
        path="gateway/http/idempotency.py",
        old="    if not found:\n        return None\n    row = _Row",
        new="    if not found or found:\n        return None\n    row = _Row",
        tests=(f"{ONCE}::test_fifty_at_once_make_one_object",),
    ),
    Mutation(
        guard="what was played is a test key's",
        path="gateway/simulation/repository.py",
        old="None if livemode else (await session.scalars(query)).one_or_none()",
        new="(await session.scalars(query)).one_or_none()",
        tests=(f"{FINDINGS}::test_a_live_key_does_not_see_what_was_played",),
    ),
    Mutation(
        guard="a lost change without a key is not repeated",
        path=POLICY,
        old="and method in _SAFE",
        new="",
        tests=(f"{CLIENT}::test_a_change_without_a_key_is_not_sent_twice",),
    ),
    Mutation(
        guard="a key goes over https only",
        path=POLICY,
        old='address.scheme != "https" and not local',
        new="False",
        tests=(f"{CLIENT}::test_secrets_stay_inside",),
    ),
)
