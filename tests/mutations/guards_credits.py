"""Guards of posting many entries at once: nothing is believed, skipped or left without cover."""

from tests.mutations.mutation import Mutation

CREDITS = "migrations/sql/0007_8_credits.sql"
RUNS = "tests/migrations/test_posting_run.py"
SAME = f"{RUNS}::test_a_run_leaves_what_one_entry_after_another_leaves"
COVER = f"{RUNS}::test_no_entry_of_a_run_is_without_cover"
RIGHTS = f"{RUNS}::test_only_the_watcher_posts_runs_and_nobody_gives_a_hash"
WAITS = f"{RUNS}::test_a_run_waits_for_whoever_posts_to_the_same_wallet"

CREDIT_GUARDS = (
    Mutation(
        guard="credits: a hash that is given is not believed",
        path=CREDITS,
        old="    WHEN (NEW.hash IS NULL OR pg_trigger_depth() = 0) EXECUTE FUNCTION post_balance();",
        new="    WHEN (NEW.hash IS NULL) EXECUTE FUNCTION post_balance();",
        tests=(RIGHTS,),
    ),
    Mutation(
        guard="credits: no entry of a run is without cover",
        path=CREDITS,
        old="    CHECK (account IN ('custody', 'expense', 'suspense') OR confirmed_after >= 0);",
        new="    CHECK (true);",
        tests=(COVER,),
    ),
    Mutation(
        guard="credits: a run locks its wallets",
        path=CREDITS,
        old="        ORDER BY n.place FOR UPDATE OF w;",
        new="        ORDER BY n.place;",
        tests=(WAITS,),
    ),
    Mutation(
        guard="credits: a wallet that is new is made",
        path=CREDITS,
        old="    IF present < named THEN",
        new="    IF false THEN",
        tests=(SAME,),
    ),
    Mutation(
        guard="credits: a run goes on from where the wallet stood",
        path=CREDITS,
        old="SELECT sha256(coalesce(before, head, '\\x00'::bytea) || convert_to(entry, 'UTF8'))",
        new="SELECT sha256(coalesce(before, '\\x00'::bytea) || convert_to(entry, 'UTF8'))",
        tests=(SAME,),
    ),
    Mutation(
        guard="credits: runs are the watcher's alone",
        path=CREDITS,
        old="GRANT INSERT ON posting_run TO gw_watcher;",
        new="GRANT INSERT ON posting_run TO gw_watcher, gw_api, gw_worker;",
        tests=(RIGHTS,),
    ),
)
