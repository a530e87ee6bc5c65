"""Guards of addresses that several networks share."""

from tests.mutations.mutation import Mutation

SQL = "migrations/sql/0007_13_siblings.sql"
SHARED = "tests/watchers/test_siblings.py"

SIBLINGS = (
    Mutation(
        guard="an address is taken where it is free on every network that shares it",
        path=SQL,
        old="        IF whole THEN RETURN given; END IF;\n",
        new="        RETURN given;\n",
        tests=(f"{SHARED}::test_a_row_that_slipped_into_the_queue_is_its_owners",),
    ),
    Mutation(
        guard="an address is given on every network of its mode",
        path=SQL,
        old="FILTER (WHERE p.network_id = ANY (alike)),\n",
        new="FILTER (WHERE p.network_id = wanted_network),\n",
        tests=(
            f"{SHARED}::test_who_pays_on_the_wrong_network_pays_no_stranger",
            f"{SHARED}::test_a_customer_has_one_address_on_all_networks_of_a_mode",
        ),
    ),
    Mutation(
        guard="a claim waits for no other",
        path=SQL,
        old="        CONTINUE WHEN NOT pg_try_advisory_xact_lock(hashtextextended('address ' || head.address, 0));\n",
        new="",
        tests=(f"{SHARED}::test_two_claims_at_once_take_no_address_twice_and_never_wait",),
    ),
    Mutation(
        guard="a pool that grows later follows the others",
        path="watchers/pool.py",
        old='    await session.execute(_FOLLOW, {"network": rows[0].network, "first": first})\n',
        new="",
        tests=(f"{SHARED}::test_a_pool_that_grows_later_follows_the_others",),
    ),
    Mutation(
        guard="an address of ours on another network of the family is not paid",
        path=SQL,
        old="        SELECT o.id FROM network n JOIN network o ON o.family = n.family WHERE n.id = wanted_network\n",
        new="        SELECT o.id FROM network o WHERE o.id = wanted_network\n",
        tests=(f"{SHARED}::test_no_payout_goes_to_an_address_of_ours_on_another_network",),
    ),
)
