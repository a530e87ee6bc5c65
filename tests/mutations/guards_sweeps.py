"""Guards of sweeping: what is ours is neither deposit nor capital, and nothing moves twice."""

from tests.mutations.mutation import Mutation

WORLD = "tests/watchers/test_sweep_ethereum.py"
FORGOTTEN = (
    f"{WORLD}::test_our_own_transaction_that_a_restored_database_forgot_is_never_credited"
)
SILENT = "tests/watchers/test_recon_cases.py"
PLAN = "tests/watchers/test_sweep_plan.py"
ROWS = "tests/watchers/test_sweep_rows.py"
PROMISES = "tests/watchers/test_sweep_promises.py"

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
        old="        return own | await self.evidence.unproved(session, height)\n",
        new="        return await self.evidence.unproved(session, height)\n",
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
    Mutation(
        guard="a refill takes nothing that payouts were promised",
        path="watchers/sweep/payments.py",
        old="        await promises.require_free(self.chain.reader, order, promised)\n",
        new="",
        tests=(f"{PROMISES}::test_gas_is_refilled_from_what_no_signed_payout_needs",),
    ),
    Mutation(
        guard="cold storage takes nothing that approved withdrawals wait for",
        path="watchers/sweep/upkeep.py",
        old="taken[asset] - waiting\n",
        new="taken[asset]\n",
        tests=(f"{PROMISES}::test_cold_storage_leaves_what_approved_withdrawals_wait_for",),
    ),
    Mutation(
        guard="a transaction that was taken over is the only one for its address",
        path="watchers/sweep/rows.py",
        old="        found |= {sender, *(",
        new="        found |= {*(",
        tests=(
            f"{WORLD}::test_an_address_whose_sweep_was_taken_over_gets_no_second_one",
            f"{ROWS}::test_an_address_that_an_open_transaction_empties_is_busy_without_a_sweep",
        ),
    ),
    Mutation(
        guard="what failed before fails nobody else",
        path="watchers/sweep/jobs.py",
        old="    yield from ([each] for each in suspects)\n",
        new="    yield suspects\n",
        tests=(
            f"{ROWS}::test_every_sweep_is_in_one_group_and_what_failed_before_is_there_alone",
        ),
    ),
    Mutation(
        guard="cold storage pays only for its own transactions",
        path="watchers/scan/inside.py",
        old="        if outcome.payer != hit.sender:\n",
        new="        if False:\n",
        tests=(f"{ROWS}::test_cold_storage_pays_for_what_it_sent_itself_and_for_nothing_else",),
    ),
    Mutation(
        guard="no difference is credited before the history is read",
        path="watchers/reconcile/comparison.py",
        old="            if arrived and not self.credits.history_known():\n",
        new="            if False:\n",
        tests=(
            f"{SILENT}::test_silent_money_waits_until_the_history_of_the_keystore_was_read",
        ),
    ),
    Mutation(
        guard="what is final already is not noted to be swept once more",
        path="migrations/sql/0009_1_unswept.sql",
        old="        WHERE now.status = 'confirmed' AND before.status <> 'confirmed'\n",
        new="        WHERE now.status = 'confirmed'\n",
        tests=(
            "tests/gateway/deposits/test_unswept.py::test_deposits_that_become_final_together_add_up_at_their_address",
        ),
    ),
)
