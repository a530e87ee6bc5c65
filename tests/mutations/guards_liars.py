"""Guards against a node that lies to whoever pays: nonce values, clocks, balances of our own."""

from tests.mutations.mutation import Mutation

LANE = "tests/networks/solana/test_solana_lane.py"
PRESENT = "tests/watchers/test_pay_present.py"
UNREAD = "tests/watchers/test_pay_unread.py"
SCANNED = f"{PRESENT}::test_another_value_is_taken_once_our_scan_has_come_to_where_it_was_seen"
KEYSTORE = "tests/keystore/test_keystore_present.py"
REFILLS = "tests/watchers/test_sweep_refills.py"
CLOCK = "tests/networks/tron/test_tron_clock.py"
UNWANTED_SAID = (
    "tests/watchers/test_pay_unwanted.py::"
    "test_what_every_node_declines_again_and_again_is_said_until_one_takes_it"
)

LIARS = (
    Mutation(
        guard="nothing is signed on a nonce value that too few nodes show",
        path="watchers/networks/solana/lane.py",
        old="    if count < quorum or (others and others[0][1] == count):\n",
        new="    if others and others[0][1] == count:\n",
        tests=(f"{LANE}::test_nothing_is_signed_while_too_few_nodes_agree_about_the_value",),
    ),
    Mutation(
        guard="no node is believed against another about a nonce value",
        path="watchers/networks/solana/lane.py",
        old="    if count < quorum or (others and others[0][1] == count):\n",
        new="    if count < quorum:\n",
        tests=(f"{LANE}::test_of_two_nodes_neither_is_believed_against_the_other",),
    ),
    Mutation(
        guard="a lane is moved on another value only where our scan has come so far",
        path="watchers/pay/present.py",
        old="        if cursor.final_height < height:\n",
        new="        if False:\n",
        tests=(SCANNED,),
    ),
    Mutation(
        guard="what our scan may have passed unknown is taken back on its own value alone",
        path="watchers/pay/present.py",
        old="        if passed(order) and not await self._read(order):\n",
        new="        if False:\n",
        tests=(SCANNED,),
    ),
    Mutation(
        guard="what stands in a block that the scan had passed is not taken back",
        path="watchers/pay/passed.py",
        old="            if await self._read_again(row) & {each.tx_hash for each in order}:\n",
        new="            if not await self._read_again(row) and False:\n",
        tests=(f"{UNREAD}::test_it_is_seen_in_the_block_that_the_scan_had_passed",),
    ),
    Mutation(
        guard="blocks that do not go back to an order's making prove nothing of it",
        path="watchers/pay/passed.py",
        old="        return UNDATED if made is None else made - MARGIN\n",
        new="        return datetime.max.replace(tzinfo=UTC)\n",
        tests=(f"{UNREAD}::test_where_our_blocks_do_not_go_back_so_far_a_person_is_asked_for",),
    ),
    Mutation(
        guard="no node may know what a person calls unpaid",
        path="watchers/pay/unread.py",
        old="        await require_unknown(nodes, attempt, locate, paid=judgement.paid)\n",
        new="        del attempt\n",
        tests=(f"{UNREAD}::test_a_person_s_word_that_it_never_landed_lets_it_be_taken_back",),
    ),
    Mutation(
        guard="an advance on another value stands in its order's slot",
        path="keystore/networks/solana_advance.py",
        old="    return SolanaDraft(slot=made.slot, message=on_nonce(present, payer, []).message)\n",
        new="    return on_nonce(present, payer, [])\n",
        tests=(f"{KEYSTORE}::test_an_order_on_a_false_value_is_taken_back_on_the_true_one",),
    ),
    Mutation(
        guard="nothing is signed on Tron under a clock far from the chain's",
        path="watchers/networks/tron/times.py",
        old="    if abs(ours - reference.time) > APART:\n",
        new="    if False:\n",
        tests=(
            f"{CLOCK}::test_nothing_is_made_under_a_clock_far_from_the_chains",
            f"{CLOCK}::test_a_payout_has_a_look_at_the_clock_of_its_own",
        ),
    ),
    Mutation(
        guard="the gas wallet gets nothing that our own rows find there",
        path="watchers/sweep/upkeep.py",
        old="        if ours >= low:\n",
        new="        if False:\n",
        tests=(
            f"{REFILLS}::test_what_a_node_says_of_the_gas_wallet_is_held_against_our_own_rows",
        ),
    ),
    Mutation(
        guard="what no node takes is told",
        path="watchers/pay/hands.py",
        old="                await self.unwanted.hear(session, attempt, refusal, moment)\n",
        new="                pass\n",
        tests=(UNWANTED_SAID,),
    ),
)
