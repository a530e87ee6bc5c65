"""Guards of what is read again, and of what one node says against what was read first."""

from tests.mutations.mutation import Mutation

AGAIN = "tests/watchers/test_rescan_disputes.py"
ELSEWHERE = "tests/watchers/test_final_elsewhere.py"
INVENTED = (
    f"{AGAIN}::test_an_invented_deposit_is_refused_once_two_nodes_do_not_show_its_payment"
)

RESCANS = (
    Mutation(
        guard="a rescan overwrites no pending deposit on one node's word",
        path="watchers/scan/rescan.py",
        old="            if dispute.theirs is not None and dispute not in proved:\n",
        new="            if False:\n",
        tests=(
            f"{AGAIN}::test_a_rescan_lets_no_second_node_overwrite_what_a_block_brought",
            f"{AGAIN}::test_a_rescan_moves_no_deposit_into_another_standing_block",
        ),
    ),
    Mutation(
        guard="two nodes decide a dispute, and more than stand by ours",
        path="watchers/scan/disputes.py",
        old="        if agree >= max(WITNESSES, track.quorum) and agree > against:\n",
        new="        if agree:\n",
        tests=(
            f"{AGAIN}::test_two_nodes_that_show_another_payment_put_a_rescan_right",
            INVENTED,
        ),
    ),
    Mutation(
        guard="a node that cannot see a transfer disproves nothing",
        path="watchers/scan/evidence.py",
        old='    return transfer.kind == "internal" and not block.internal\n',
        new="    return False\n",
        tests=(f"{AGAIN}::test_a_node_that_cannot_see_a_transfer_disproves_nothing",),
    ),
    Mutation(
        guard="who read a block again is on record as its reader",
        path="watchers/scan/rescan.py",
        old="            await add_readers(session, track.network, run)\n",
        new="",
        tests=(f"{AGAIN}::test_who_reads_a_block_again_is_no_second_witness_of_what_it_holds",),
    ),
    Mutation(
        guard="an invoice whose payment is another's now steps back",
        path="gateway/deposits/service.py",
        old='    await judge(desk, _turned(stood, known.values()) - touched, "a payment changed", heads)\n',
        new="",
        tests=(f"{AGAIN}::test_an_invoice_whose_payment_is_anothers_now_steps_back",),
    ),
    Mutation(
        guard="what came during the second look waits for one of its own",
        path="watchers/scan/evidence.py",
        old="        return frozenset(claim.id for claim in await self._open(session, final_height))\n",
        new="        return self._held\n",
        tests=(
            f"{AGAIN}::test_what_a_rescan_adds_during_the_second_look_is_not_credited_without_one",
        ),
    ),
    Mutation(
        guard="balances prove what arrived, and no other amount",
        path="watchers/scan/rises.py",
        old="    return bool(rose - shown + taken(sent, block) == inside)\n",
        new="    return bool(rose)\n",
        tests=(
            "tests/watchers/test_second_look.py::test_balances_that_rose_by_another_amount_prove_nothing",
        ),
    ),
    Mutation(
        guard="what was disproved is no holding",
        path="watchers/reconcile/moves.py",
        old="        Deposit.reason.in_([COUNTED_AS_BALANCE, OWN_TRANSACTION, NOT_SHOWN, FORGOTTEN]),\n",
        new="        Deposit.reason.in_([COUNTED_AS_BALANCE, OWN_TRANSACTION, FORGOTTEN]),\n",
        tests=(INVENTED,),
    ),
    Mutation(
        guard="what was disproved is on record",
        path="watchers/scan/rescan.py",
        old="        for row in rows:\n            await audit.record(",
        new="        for row in ():\n            await audit.record(",
        tests=(INVENTED,),
    ),
    Mutation(
        guard="another final block below ours stops the network",
        path="watchers/scan/final_lane.py",
        old="        if theirs.hash == ours.hash:\n            self.branches.below.settle()\n",
        new="        if True:\n            self.branches.below.settle()\n",
        tests=(
            f"{ELSEWHERE}::test_another_final_block_below_ours_stops_the_network_before_it_is_longer",
        ),
    ),
    Mutation(
        guard="the network is not stopped while as many nodes show our final block",
        path="watchers/scan/branches.py",
        old="        if self.below.believes(theirs.height, theirs.hash, said, time.monotonic()):\n",
        new="        if True:\n",
        tests=(
            f"{ELSEWHERE}::test_while_as_many_nodes_show_our_final_block_the_network_waits",
        ),
    ),
    Mutation(
        guard="the first block that was asked for is read",
        path="watchers/scan/start.py",
        old="        height = max(0, start_height - step)\n",
        new="        return (await reader.read(start_height)).ref\n",
        tests=(
            "tests/watchers/test_scan_start.py::test_a_payment_in_the_first_block_that_was_asked_for_is_credited",
        ),
    ),
    Mutation(
        guard="a chain that stands still is not well",
        path="watchers/commands/status.py",
        old='    return "-" if age <= most else ',
        new='    return "-" if age else ',
        tests=("tests/watchers/test_status.py::test_a_chain_that_stands_still_is_not_well",),
    ),
    Mutation(
        guard="a network whose watcher never began is not well",
        path="watchers/commands/status.py",
        old="sorted(lags.keys() - {row.network_id for row in rows})",
        new="sorted(lags.keys() & set())",
        tests=(
            "tests/watchers/test_status.py::test_a_network_whose_watcher_never_began_is_named",
        ),
    ),
)
