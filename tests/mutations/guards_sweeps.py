"""Guards of sweeping: what is ours is neither deposit nor capital, and nothing moves twice."""

from tests.mutations.mutation import Mutation

WORLD = "tests/watchers/test_sweep_ethereum.py"
FORGOTTEN = (
    f"{WORLD}::test_our_own_transaction_that_a_restored_database_forgot_is_never_credited"
)
PLAN = "tests/watchers/test_sweep_plan.py"

SWEEPS = (
    Mutation(
        guard="what we send ahead is no deposit",
        path="watchers/scan/inside.py",
        old="    return [(block, hit) for block, hit in pairs if hit.tx_hash not in moved]\n",
        new="    return pairs\n",
        tests=(f"{WORLD}::test_coins_and_tokens_are_swept_and_every_figure_agrees",),
    ),
    Mutation(
        guard="a forgotten transaction of ours is not credited",
        path="watchers/scan/final_lane.py",
        old="        return own | await self.evidence.held(height)\n",
        new="        return await self.evidence.held(height)\n",
        tests=(FORGOTTEN,),
    ),
    Mutation(
        guard="what comes back from cold storage is no capital",
        path="watchers/scan/head_lane.py",
        old="    await inside.from_cold(session, network, hits, desk.moment)\n",
        new="",
        tests=(
            f"{WORLD}::test_wallets_are_kept_between_their_marks_and_nothing_of_it_is_capital",
        ),
    ),
    Mutation(
        guard="one sweep for an address",
        path="watchers/sweep/plan.py",
        old="        if worth and each.address in taken:\n",
        new="        if False:\n",
        tests=(f"{PLAN}::test_a_plan_never_takes_what_it_must_not",),
    ),
    Mutation(
        guard="nothing is swept before it is final",
        path="watchers/sweep/plan.py",
        old="    if candidate.unsettled:\n",
        new="    if False:\n",
        tests=(f"{PLAN}::test_a_plan_never_takes_what_it_must_not",),
    ),
)
