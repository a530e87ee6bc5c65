"""Guards of payouts: turns, what a person may judge, what may cost how much, what is played first."""

from tests.mutations.mutation import Mutation

TURNS = "tests/watchers/test_pay_turns.py"
JUDGED = "tests/watchers/test_pay_judged.py"
AHEAD = "tests/watchers/test_pay_ahead.py"
PLAN = "tests/watchers/test_sweep_plan.py"
REHEARSAL = "tests/networks/solana/test_solana_rehearsal.py"
BROADCASTS = "tests/networks/test_broadcasts.py"

PAYING_GUARDS = (
    Mutation(
        guard="nobody starves behind payouts that are held",
        path="watchers/pay/claims.py",
        old="Withdrawal.blocked_reason.is_not(None), Withdrawal.updated_at, Withdrawal.id",
        new="Withdrawal.blocked_reason.is_not(None), Withdrawal.approved_at, Withdrawal.id",
        tests=(
            f"{TURNS}::test_a_payout_that_waited_once_is_not_starved_by_older_ones_that_are_held",
        ),
    ),
    Mutation(
        guard="what the chain shows is not judged away",
        path="watchers/pay/judged.py",
        old="    if not paid and outcome.success and inclusion.paid(block, attempt):\n",
        new="    if False:\n",
        tests=(f"{JUDGED}::test_what_the_chain_shows_is_not_judged_away",),
    ),
    Mutation(
        guard="a person judges what some node shows, and nothing else",
        path="watchers/pay/judged.py",
        old="    if not heard:\n",
        new="    if False:\n",
        tests=(f"{JUDGED}::test_what_the_chain_shows_is_not_judged_away",),
    ),
    Mutation(
        guard="what failed on chain was not paid",
        path="watchers/pay/judged.py",
        old="    if paid and not outcome.success:\n",
        new="    if False:\n",
        tests=(f"{JUDGED}::test_what_failed_on_chain_was_not_paid_whoever_says_so",),
    ),
    Mutation(
        guard="nothing is judged before its block is final",
        path="watchers/pay/judged.py",
        old="    if (parked[0].block_height or 0) > cursor.final_height:\n",
        new="    if False:\n",
        tests=(f"{JUDGED}::test_nothing_is_judged_before_its_block_is_final",),
    ),
    Mutation(
        guard="one node's count is not taken over",
        path="watchers/pay/ahead.py",
        old="    if len(set(counts.values())) > 1:\n",
        new="    if False:\n",
        tests=(f"{AHEAD}::test_only_what_enough_nodes_agree_on_is_believed",),
    ),
    Mutation(
        guard="no count is taken over beside an unsigned transaction",
        path="watchers/pay/ahead.py",
        old="    if await slots.unsigned(session, network, address):\n",
        new="    if False:\n",
        tests=(
            f"{AHEAD}::test_nothing_is_taken_over_while_a_transaction_waits_for_its_signature",
        ),
    ),
    Mutation(
        guard="a token that keeps a part is not sent",
        path="watchers/pay/holds.py",
        old="    if currency.fee_on_transfer:\n",
        new="    if False:\n",
        tests=(f"{TURNS}::test_a_token_that_keeps_a_part_of_every_transfer_is_not_sent",),
    ),
    Mutation(
        guard="a sweep costs no more than it was chosen for",
        path="watchers/sweep/plan.py",
        old="    return max(value // terms.ratio, most)\n",
        new="    return max(value, most)\n",
        tests=(f"{PLAN}::test_what_was_chosen_may_cost_no_more_than_it_is_worth",),
    ),
    Mutation(
        guard="a Solana payment is played before it is signed",
        path="watchers/networks/solana/writer.py",
        old="        await rehearse(self.rpc, intent, order.source)\n",
        new="",
        tests=(f"{REHEARSAL}::test_a_payment_that_fails_there_is_not_prepared",),
    ),
    Mutation(
        guard="every Tron node is handed the bytes",
        path="watchers/networks/tron/broadcast.py",
        old="    for body in await endpoints.post_everywhere(PATH, request):\n",
        new="    for body in [await endpoints.post(PATH, request)]:\n",
        tests=(
            f"{BROADCASTS}::test_every_node_is_handed_the_bytes_and_one_that_is_away_does_no_harm",
        ),
    ),
)
