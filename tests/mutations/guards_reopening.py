"""Guards of `watchers reopen`: who is believed, what comes back, and that nothing is paid anew."""

from tests.mutations.mutation import Mutation

REOPEN = "tests/watchers/test_reopen.py"
BOTH = f"{REOPEN}::test_case_28_what_both_chains_show_counts_once_and_the_rest_is_taken_back"
FEW = f"{REOPEN}::test_nothing_is_forgotten_on_the_word_of_too_few_nodes_or_without_need"
MOVED = f"{REOPEN}::test_a_plan_is_carried_out_only_where_nothing_has_moved"
DECIDED = (
    f"{REOPEN}::test_what_operators_decided_about_a_deposit_is_called_back_and_stays_decided"
)
OUT = "tests/watchers/test_reopen_payouts.py"
AGAIN = f"{OUT}::test_a_payout_of_a_forgotten_block_is_sent_again_and_never_paid_anew"
CANCELED = f"{OUT}::test_a_failed_payout_is_not_sent_again_but_canceled"
TURNS = f"{OUT}::test_an_ended_withdrawal_turns_only_with_a_journal_and_never_for_the_api"
SLOTS = "tests/watchers/test_empty_slots.py"
RETURNS = "tests/watchers/test_reopen_returns.py"
EXPIRED = "tests/watchers/test_reopen_expired.py"
PLAN = "watchers/scan/reopen.py"
SQL = "migrations/sql/0008_1_reopen.sql"
TURNING = "migrations/sql/0009_30_turns.sql"
REBOOKING = "gateway/withdrawals/rebooking.py"

REOPENING = (
    Mutation(
        guard="a network is reopened where it is halted alone",
        path=PLAN,
        old="    if position.halted is None:\n",
        new="    if False:\n",
        tests=(FEW,),
    ),
    Mutation(
        guard="a network is reopened by as many nodes as its quorum",
        path="watchers/scan/forks.py",
        old="    if len(said) < track.quorum:\n",
        new="    if not said:\n",
        tests=(FEW,),
    ),
    Mutation(
        guard="a network is reopened by more nodes than contradict them",
        path="watchers/scan/forks.py",
        old="    if len(no) >= quorum and len(no) > len(yes):\n",
        new="    if len(no) >= quorum:\n",
        tests=(
            FEW,
            f"{REOPEN}::test_a_majority_is_as_many_as_the_quorum_and_more_than_the_others",
        ),
    ),
    Mutation(
        guard="a network is reopened where the cursor stood when the nodes were asked",
        path=PLAN,
        old="    if await store.position_of(session, cursor.network_id) != plan.position:\n",
        new="    if False:\n",
        tests=(MOVED,),
    ),
    Mutation(
        guard="a network is reopened with the very deposits that the nodes were asked about",
        path=PLAN,
        old="        if {each.id for each in found} != {each.claim.id for each in (*plan.kept, *plan.gone)}:\n",
        new="        if False:\n",
        tests=(MOVED,),
    ),
    Mutation(
        guard="a network that is reopened is no longer the running watcher's",
        path=PLAN,
        old="cursor.epoch + 1, None, None\n",
        new="cursor.epoch, None, None\n",
        tests=(BOTH,),
    ),
    Mutation(
        guard="a reopened network keeps a credit for a final block of the new chain alone",
        path="watchers/scan/doubted.py",
        old="        if height is None or height > fork.final:\n",
        new="        if height is None:\n",
        tests=(
            f"{REOPEN}::test_what_stands_in_no_final_block_yet_is_taken_back_and_comes_back",
        ),
    ),
    Mutation(
        guard="a reopened network keeps a credit for the very same sum alone",
        path="watchers/scan/doubted.py",
        old="(each.asset, each.recipient, each.units) == (ours.asset, ours.recipient, ours.units)\n",
        new="(each.asset, each.recipient) == (ours.asset, ours.recipient)\n",
        tests=(
            f"{REOPEN}::test_a_transaction_that_pays_another_amount_on_the_new_chain_is_credited_by_that",
        ),
    ),
    Mutation(
        guard="a deposit that a reopened network forgot is credited anew when it comes back",
        path="gateway/deposits/forgetting.py",
        old="deposit.reversals + 1, 0\n",
        new="deposit.reversals, deposit.fee_units\n",
        tests=(BOTH,),
    ),
    Mutation(
        guard="a deposit that a reopened network forgot comes back with a sighting",
        path="gateway/deposits/arrival.py",
        old='    return (deposit.status, deposit.reason) == ("rejected", FORGOTTEN)\n',
        new="    return False\n",
        tests=(BOTH,),
    ),
    Mutation(
        guard="a deposit that a reopened network forgot is refunded no more",
        path="gateway/deposits/forgetting.py",
        old="    if deposit.purpose == REFUND:\n",
        new="    if False:\n",
        tests=(DECIDED,),
    ),
    Mutation(
        guard="a deposit that a reopened network forgot is nobody's for the reason it was",
        path="gateway/deposits/service.py",
        old="                come_back(deposit, other, decided=deposit.id in decided)\n",
        new="                pass\n",
        tests=(DECIDED,),
    ),
    Mutation(
        guard="what a reopened network forgot is not expected on its chain",
        path="watchers/reconcile/moves.py",
        old="OWN_TRANSACTION, NOT_SHOWN, FORGOTTEN]",
        new="OWN_TRANSACTION, NOT_SHOWN]",
        tests=(BOTH,),
    ),
    Mutation(
        guard="a payout of a block that was reopened waits for a block again",
        path=PLAN,
        old="        await again.reopen(session, network, base.height, order.person, moment)\n",
        new="",
        tests=(AGAIN,),
    ),
    Mutation(
        guard="after a network was reopened nobody sends the opposite of what the ledger says",
        path="watchers/pay/transactions.py",
        old=", ~ended.exists())",
        new=")",
        tests=(
            CANCELED,
            f"{OUT}::test_of_a_payment_and_its_cancel_the_one_that_was_booked_is_sent_and_any_is_seen",
        ),
    ),
    Mutation(
        guard="after a network was reopened the place of a failed payout is taken by a cancel",
        path="watchers/pay/again.py",
        old="    if given_back and outrun and landed.purpose != CANCEL:\n",
        new="    if False:\n",
        tests=(CANCELED,),
    ),
    Mutation(
        guard="after a network was reopened a fee that nobody took is not spent",
        path="watchers/pay/settler.py",
        old="    await again.take_back_fees(session, attempt, replaced, native.id, moment)\n",
        new="",
        tests=(CANCELED,),
    ),
    Mutation(
        guard="after a network was reopened a fee is booked as the new chain took it",
        path="watchers/pay/again.py",
        old="        await _correct(session, ref, attempt, native_id, moment, units=units)\n",
        new="        pass\n",
        tests=(f"{OUT}::test_a_payout_that_both_chains_show_changes_nothing_but_its_fee",),
    ),
    Mutation(
        guard="after a network was reopened a fee of what expired is not spent",
        path="watchers/pay/settler.py",
        old='    await again.take_back_fees(session, attempt, [attempt.tx_hash or ""], native.id, moment)\n',
        new="",
        tests=(f"{OUT}::test_a_payout_that_can_land_no_more_on_the_new_chain_is_given_back",),
    ),
    Mutation(
        guard="a withdrawal turns where it was reopened alone",
        path=REBOOKING,
        old="    if await session.get(ReopenedOrder, withdrawal.id) is None:\n",
        new="    if False:\n",
        tests=(
            f"{OUT}::test_a_withdrawal_that_only_its_row_calls_completed_is_not_taken_for_ended",
        ),
    ),
    Mutation(
        guard="a withdrawal of a reopened network turns with a journal alone",
        path=TURNING,
        old="        IF NOT FOUND THEN  -- or the newest says otherwise\n            RAISE EXCEPTION 'withdrawal %: it has ended",
        new="        IF false THEN\n            RAISE EXCEPTION 'withdrawal %: it has ended",
        tests=(TURNS,),
    ),
    Mutation(
        guard="a withdrawal of a reopened network is turned by no API",
        path=TURNING,
        old="NEW.status = 'failed' AND current_user NOT IN ('gw_worker', 'gw_api')",
        new="NEW.status = 'failed'",
        tests=(TURNS,),
    ),
    Mutation(
        guard="a slot that is empty on another branch is rolled back and may be reopened",
        path="watchers/scan/standing.py",
        old="        if dense:\n            raise\n",
        new="        raise\n",
        tests=(
            f"{SLOTS}::test_a_block_whose_slot_is_empty_on_the_new_branch_is_rolled_back",
            f"{SLOTS}::test_below_finality_it_halts_and_the_way_out_forgets_it",
        ),
    ),
    Mutation(
        guard="dust that an operator assigned stays assigned after a network was reopened",
        path="gateway/deposits/arrival.py",
        old="    elif decided or deposit.purpose not in attribution.OWNED:\n",
        new="    elif deposit.purpose not in attribution.OWNED:\n",
        tests=(f"{RETURNS}::test_dust_that_an_operator_gave_to_its_own_invoice_is_its_again",),
    ),
    Mutation(
        guard="journals of a chain that is gone do not hold a deposit on the new one",
        path=SQL,
        old="            AND j.ref = deposit_ref(OLD)) THEN\n",
        new="            AND j.ref = concat_ws(':', OLD.network_id, OLD.tx_hash, OLD.kind, OLD.ordinal)) THEN\n",
        tests=(f"{RETURNS}::test_dust_that_was_credited_before_may_be_nobodys_now",),
    ),
    Mutation(
        guard="a forgotten deposit is not counted beside a difference of balances",
        path=SQL,
        old="(OLD.status = 'reorged' OR OLD.status = 'rejected' AND OLD.reason = 'forgotten')",
        new="OLD.status = 'reorged'",
        tests=(
            f"{RETURNS}::test_what_a_difference_of_balances_has_credited_meanwhile_does_not_come_back",
        ),
    ),
    Mutation(
        guard="a payment that had expired on the chain that is gone is looked for on the new one",
        path="watchers/pay/again.py",
        old="            or_(Attempt.block_height > above, lapsed),\n",
        new="            Attempt.block_height > above,\n",
        tests=(
            f"{EXPIRED}::test_what_had_expired_on_the_old_chain_is_looked_for_on_the_new_one",
        ),
    ),
    Mutation(
        guard="a payment that could land nowhere above the fork rests",
        path="watchers/pay/again.py",
        old='        Attempt.intent["expiration_ms"].as_numeric(20, 0) > base_ms,\n',
        new="",
        tests=(
            f"{EXPIRED}::test_what_had_expired_on_the_old_chain_is_looked_for_on_the_new_one",
        ),
    ),
    Mutation(
        guard="an expiry that the ledger refuses stops no scan",
        path="watchers/pay/settler.py",
        old="        except (IntegrityError, Conflict):\n            if not refused:",
        new="        except ZeroDivisionError:\n            if not refused:",
        tests=(f"{EXPIRED}::test_an_expiry_that_the_ledger_refuses_stops_nothing",),
    ),
    Mutation(
        guard="a withdrawal of a reopened network turns with the journal of that very turn alone",
        path=TURNING,
        old="            AND OLD.units * (CASE NEW.status WHEN 'completed' THEN 1 ELSE -1 END) = (  -- of this turn\n",
        new="            AND true OR 0 = (\n",
        tests=(TURNS,),
    ),
    Mutation(
        guard="no fee of a payment that was not made after all is shared",
        path=SQL,
        old="        WHERE payment_id = NEW.id AND shared_at IS NULL;\n",
        new="        WHERE false;\n",
        tests=(TURNS,),
    ),
)
