"""Guards of what follows a transaction that a rewritten chain ends otherwise."""

from tests.mutations.mutation import Mutation

HOUSE = "tests/watchers/test_reopen_house.py::test_"
SWEPT = "tests/watchers/test_reopen_swept.py::test_"
LEFT = f"{SWEPT}what_a_sweep_did_not_move_on_the_new_chain_waits_again"
RENT = "tests/watchers/test_reopen_rent.py::test_rent_is_booked_once_and_as_the_chain_that_stands_gave_it_back"
REFUNDS = "tests/watchers/test_reopen_refunds.py::test_"
UNPAID = f"{REFUNDS}a_refund_that_was_not_paid_after_all_leaves_its_deposit_open"
PAID = f"{REFUNDS}a_refund_that_was_paid_after_all_is_done_and_the_next_one_is_called_back"
ASKED = f"{REFUNDS}a_refund_that_was_paid_after_all_waits_for_what_is_being_asked"
TWICE = f"{REFUNDS}what_was_given_away_and_paid_back_after_all_needs_a_person"
REFILLS = "tests/watchers/test_sweep_refills.py::test_"
GAS = "tests/watchers/test_pay_cancel_gas.py"
REBOOKING = "tests/gateway/withdrawals/test_rebooking.py::test_"
INCLUSION, TURNED, TURNING = (
    "watchers/pay/inclusion.py",
    "watchers/sweep/turned.py",
    "gateway/desk/turning.py",
)
SQL = "migrations/sql/0008_4_turning.sql"
COSTS = "migrations/sql/0009_31_costs.sql"
TWO_TURNS = "tests/watchers/test_reopen_twice.py::test_a_withdrawal_turns_as_often_as_its_chain_is_rewritten"
SHOWN = "tests/watchers/test_reopen_twice.py::test_what_is_shown_of_a_fee_is_what_the_standing_chain_took"
SWEPT_SHOWN = "tests/watchers/test_reopen_twice.py::test_a_sweep_shows_what_the_standing_chain_took_for_it"
BUSY_WORD = "tests/watchers/test_contention.py::test_a_person_s_word_about_what_is_being_changed_is_to_be_said_again"
DEADLOCK = "tests/watchers/test_contention.py::test_what_is_chosen_to_end_a_deadlock_is_done_again_by_itself"
AGAIN = "watchers/pay/again.py"
FEES = "tests/watchers/test_reopen_fees.py::test_"
CANCELS = "tests/watchers/test_reopen_cancels.py::test_"
BUSY = f"{REBOOKING}a_refund_that_is_being_asked_for_is_not_overlooked"
STRANDED = (
    "tests/watchers/test_reopen_sweeps.py::"
    "test_an_address_whose_swept_coins_never_come_back_is_free_when_its_sweep_is_taken_back"
)
FOLLOWED = (
    "tests/watchers/test_pay_adoption.py::"
    "test_who_follows_orders_of_the_house_is_known_to_one_database_alone"
)

TURNS = (
    Mutation(
        guard="after a network was reopened a cancel of the house is seen where it lands",
        path=INCLUSION,
        old="c.purpose = 'cancel' AND c.state = 'replaced'\n",
        new="c.purpose = 'cancel' AND false\n",
        tests=(f"{HOUSE}of_an_order_of_the_house_whatever_lands_on_the_new_chain_ends_it",),
    ),
    Mutation(
        guard="after a network was reopened a cancel that is looked for is never sent",
        path=INCLUSION,
        old='        attempt.state = "replaced" if looked_for else "signed"\n',
        new='        attempt.state = "signed"\n',
        tests=(
            f"{HOUSE}a_cancel_that_is_only_looked_for_is_not_sent_where_its_block_goes_too",
        ),
    ),
    Mutation(
        guard="after a network was reopened what a sweep did not move waits again",
        path="watchers/sweep/keeper.py",
        old="            await turned.follow(session, attempt, end, moment)\n",
        new="",
        tests=(
            LEFT,
            f"{SWEPT}a_sweep_that_moves_on_the_new_chain_what_it_had_not_is_done",
            "tests/watchers/test_reopen_sweeps.py::test_coins_that_a_rewritten_chain_left_at_their_address_are_swept_again",
        ),
    ),
    Mutation(
        guard="after a network was reopened a sweep that goes on knows that it moved nothing",
        path=TURNED,
        old="            sweep.failure_reason = None if moved else NOT_MOVED\n        elif",
        new="            pass\n        elif",
        tests=(LEFT,),
    ),
    Mutation(
        guard="what was forgotten under a sweep is noted where it is credited anew alone",
        path=TURNED,
        old="    units = max(0, sweep.units - int(await session.scalar(forgotten) or 0))\n",
        new="    units = sweep.units\n    del forgotten\n",
        tests=(LEFT,),
    ),
    Mutation(
        guard="gas that was sent ahead is noted once whichever chain shows it",
        path="watchers/sweep/keeper.py",
        old="            units = 0 if reopened else",
        new="            units =",
        tests=(f"{SWEPT}gas_that_was_sent_ahead_is_noted_once_whichever_chain_shows_it",),
    ),
    Mutation(
        guard="an ended sweep changes where its chain judges it again alone",
        path=COSTS,
        old="            AND EXISTS (SELECT 1 FROM reopened_order WHERE order_id = OLD.moving_order)\n            OR",
        new="            OR",
        tests=(
            f"{SWEPT}a_sweep_that_has_ended_is_changed_only_where_its_chain_judges_it_again",
        ),
    ),
    Mutation(
        guard="of an ended sweep whose chain judges it again its end changes alone",
        path=COSTS,
        old=" AND to_jsonb(NEW) - ends = to_jsonb(OLD) - ends  -- with what it cost\n",
        new="\n",
        tests=(
            f"{SWEPT}a_sweep_that_has_ended_is_changed_only_where_its_chain_judges_it_again",
        ),
    ),
    Mutation(
        guard="rent that a rewritten chain did not give back is not booked",
        path="watchers/sweep/keeper.py",
        old="            await rent.correct(session, attempt, native.id, moment)\n",
        new="",
        tests=(RENT,),
    ),
    Mutation(
        guard="rent of what another transaction of its order replaced is taken back",
        path="watchers/sweep/rent.py",
        old="        back = returned(each) if each.id == ended.id else 0\n",
        new="        back = returned(each)\n",
        tests=(RENT,),
    ),
    Mutation(
        guard="a resolution follows its refund where that turns",
        path="gateway/desk/carrying.py",
        old="    turned = await follow_turned(desk, network)\n",
        new="    turned = False\n",
        tests=(UNPAID, PAID, ASKED, TWICE),
    ),
    Mutation(
        guard="a deposit whose refund was not paid after all is nobody's",
        path=TURNING,
        old='    deposit.purpose = "unattributed"\n',
        new="",
        tests=(UNPAID,),
    ),
    Mutation(
        guard="a second refund of what was paid back after all is called back",
        path=TURNING,
        old="        if row is not None and row.status in UNSIGNED:\n",
        new="        if False:\n",
        tests=(PAID,),
    ),
    Mutation(
        guard="nothing more is done with what was paid back after all",
        path=TURNING,
        old='        deposit.purpose = "refund"  # what',
        new="        pass  # what",
        tests=(ASKED,),
    ),
    Mutation(
        guard="what was resolved otherwise before and paid back after all needs a person",
        path=TURNING,
        old='    if "done" in live:\n',
        new="    if False:\n",
        tests=(TWICE,),
    ),
    Mutation(
        guard="an ended resolution turns where its refund has turned alone",
        path=SQL,
        old="        IF NOT FOUND THEN\n            RAISE EXCEPTION 'resolution %: it has ended",
        new="        IF false THEN\n            RAISE EXCEPTION 'resolution %: it has ended",
        tests=(UNPAID,),
    ),
    Mutation(
        guard="refunds of an invoice that was paid back after all are called back",
        path="gateway/withdrawals/recall.py",
        old='            row.rejected_by, row.failure_reason = f"reopened:{paid.id}", PAID_BACK\n            await move(session, row, "rejected", moment)\n',
        new="",
        tests=(
            f"{REBOOKING}refunds_of_an_invoice_that_was_paid_back_after_all_are_called_back",
        ),
    ),
    Mutation(
        guard="refunds of an invoice that was paid back after all are called back as far as needed",
        path="gateway/withdrawals/recall.py",
        old="            over -= row.units\n",
        new="",
        tests=(
            f"{REBOOKING}refunds_of_an_invoice_that_was_paid_back_after_all_are_called_back",
        ),
    ),
    Mutation(
        guard="what is left to an account is read under its row lock",
        path=SQL,
        old="WHERE account = $1 AND currency_id = $2 FOR UPDATE\n",
        new="WHERE account = $1 AND currency_id = $2\n",
        tests=(
            f"{REBOOKING}what_was_paid_after_all_is_taken_from_what_is_left_at_that_moment",
        ),
    ),
    Mutation(
        guard="a refund that is being asked for is not overlooked where an earlier one was paid after all",
        path="gateway/withdrawals/recall.py",
        old="    if await session.scalar(free) is None:\n",
        new="    if False:\n",
        tests=(BUSY,),
    ),
    Mutation(
        guard="what turns while its invoice is being changed needs no person",
        path="watchers/pay/settler.py",
        old="        except Busy:\n",
        new="        except ZeroDivisionError:\n",
        tests=(f"{REFUNDS}a_refund_of_an_invoice_that_somebody_has_turns_at_the_next_look",),
    ),
    Mutation(
        guard="a fee that the new chain did not take is not spent",
        path=AGAIN,
        old="    if entry is None or not await post(session, entry, moment):\n",
        new="    if entry is not None and not await post(session, entry, moment):\n",
        tests=(f"{FEES}a_fee_that_the_new_chain_did_not_take_is_not_spent",),
    ),
    Mutation(
        guard="what a chain that comes back took is booked once more",
        path="gateway/withdrawals/rebooking.py",
        old='    return replace(entry, ref=f"{entry.ref}#{used + 1}") if used else entry\n',
        new="    return entry\n",
        tests=(
            TWO_TURNS,
            f"{FEES}a_fee_follows_a_chain_that_goes_back_and_forth",
            f"{FEES}a_fee_follows_what_expires_again_and_again",
            "tests/watchers/test_reopen_rent.py::test_rent_follows_a_chain_that_goes_back_and_forth",
        ),
    ),
    Mutation(
        guard="a wish to cancel what had landed first is over where a network is reopened",
        path=AGAIN,
        old="        await _close_wish(session, landed, moment)\n",
        new="        pass\n",
        tests=(f"{CANCELS}a_wish_that_nobody_has_closed_is_over_where_its_payment_had_landed",),
    ),
    Mutation(
        guard="after a network was reopened a wish sends the cancel that was only looked for",
        path="watchers/pay/cancels.py",
        old="                await self._bring_back(order_id)\n",
        new="                pass\n",
        tests=(f"{CANCELS}what_was_carried_out_before_its_chain_was_rewritten_is_taken_back",),
    ),
    Mutation(
        guard="after a network was reopened a wish sends the cancel of what had been paid",
        path="watchers/pay/transactions.py",
        old='Attempt.purpose == "cancel", ~_wanted()),\n    )\n',
        new='Attempt.purpose == "cancel"),\n    )\n',
        tests=(f"{CANCELS}what_was_carried_out_before_its_chain_was_rewritten_is_taken_back",),
    ),
    Mutation(
        guard="no fee rises beside a cancel that is not sent",
        path="watchers/pay/outbids.py",
        old="        if newest.order_id in self._barred:\n",
        new="        if False:\n",
        tests=(f"{CANCELS}no_fee_rises_beside_a_cancel_that_is_not_sent",),
    ),
    Mutation(
        guard="what is being changed is not called refused by the ledger",
        path="watchers/pay/judged.py",
        old="    except Busy as busy:\n",
        new="    except ZeroDivisionError as busy:\n",
        tests=(BUSY_WORD,),
    ),
    Mutation(
        guard="what a deadlock undid is done again",
        path="watchers/contention.py",
        old="            if not isinstance(fault.orig, CHOSEN):\n",
        new="            if True:\n",
        tests=(DEADLOCK,),
    ),
    Mutation(
        guard="of a reopened withdrawal no fee is shown until the standing chain took one",
        path="watchers/pay/again.py",
        old="        await (await keeper_of(session, landed)).reopened(session, landed, moment)\n",
        new="",
        tests=(SHOWN, SWEPT_SHOWN),
    ),
    Mutation(
        guard="a cancel that its pool address cannot pay is sent its gas",
        path="watchers/sweep/stranded.py",
        old="            if units > 0 and attempt.sender not in resting:\n",
        new="            if False:\n",
        tests=(STRANDED,),
    ),
    Mutation(
        guard="a node that calls an address empty empties no gas wallet",
        path="watchers/sweep/stranded.py",
        old="    return needed - max(balance, brought)\n",
        new="    return needed - balance\n",
        tests=(
            "tests/watchers/test_stranded.py::test_a_node_that_calls_it_empty_again_and_again_gets_no_more_than_the_dearest_bid",
        ),
    ),
    Mutation(
        guard="a payment is taken over however slow nodes are",
        path="watchers/pay/adoption.py",
        old="            await bear_silence(session)\n",
        new="",
        tests=(
            "tests/watchers/test_pay_slow_nodes.py::test_a_node_slower_than_a_silent_transaction_may_be_keeps_nothing_from_being_taken_over",
        ),
    ),
    Mutation(
        guard="one node that is trusted outvotes nobody",
        path="watchers/scan/ends.py",
        old="unanimous=height is None or alone)\n",
        new="unanimous=height is None)\n",
        tests=(
            "tests/watchers/test_pay_outvoted.py::test_one_trusted_node_outvotes_no_other_that_contradicts_it",
        ),
    ),
    Mutation(
        guard="a command that nobody reads is refused in one line",
        path="gateway/heard.py",
        old="    except BrokenPipeError:\n",
        new="    except ZeroDivisionError:\n",
        tests=(
            "tests/watchers/test_command.py::test_nobody_who_reads_is_one_line_and_an_exit_code",
            "tests/gateway/commands/test_seed_dev.py::test_nobody_who_reads_is_one_line_and_an_exit_code",
        ),
    ),
    Mutation(
        guard="a command of the keystore that nobody reads is refused in one line",
        path="keystore/__main__.py",
        old="        sys.stdout.flush()\n    except BrokenPipeError:\n",
        new="    except ZeroDivisionError:\n",
        tests=(
            "tests/keystore/test_keystore_commands.py::test_nobody_who_reads_is_one_line_and_an_exit_code",
        ),
    ),
    Mutation(
        guard="who follows the house's orders is known to its database alone",
        path="watchers/pay/keepers.py",
        old="    database.info.setdefault(KEEPERS, {})[purpose] = keeper\n",
        new="    _ALWAYS[purpose] = keeper\n",
        tests=(FOLLOWED,),
    ),
    Mutation(
        guard="what was missing at one turn is given to nobody at the next",
        path="gateway/withdrawals/rebooking.py",
        old="    bore = last or {",
        new="    bore = {",
        tests=(
            "tests/watchers/test_reopen_twice.py::test_what_was_missing_at_one_turn_is_given_to_nobody_at_the_next",
        ),
    ),
    Mutation(
        guard="a withdrawal that is paid after all once more is charged what there is by now",
        path="gateway/withdrawals/rebooking.py",
        old="    credit = Credit(account, withdrawal.currency_id, held, left, parts, surety)\n",
        new="    left = min(left, last.get(account, left))\n"
        "    credit = Credit(account, withdrawal.currency_id, held, left, parts, surety)\n",
        tests=(
            f"{REBOOKING}each_time_it_was_paid_after_all_the_whole_hold_is_taken_of_what_there_is_then",
        ),
    ),
    Mutation(
        guard="a fee that was missing at one turn is made good by the next",
        path="gateway/withdrawals/rebooking.py",
        old="    earned = -last.get(REVENUE, 0) if last else fee\n",
        new="    earned = fee\n",
        tests=(f"{REBOOKING}a_fee_that_was_missing_at_one_turn_is_made_good_by_the_next",),
    ),
    Mutation(
        guard="what the keystore refused the house is not asked for again at once",
        path="watchers/sweep/payments.py",
        old="            for each in await _refused(session, self.name, order.purpose, moment.at):\n",
        new="            for each in ():\n",
        tests=(
            f"{REFILLS}a_refill_that_the_keystore_refuses_rests_before_it_is_asked_for_again",
        ),
    ),
    Mutation(
        guard="cold storage of one asset does not wait for another",
        path="watchers/sweep/upkeep.py",
        old="                refusal = refusal or trouble\n",
        new="                raise\n",
        tests=(
            f"{REFILLS}cold_storage_of_one_asset_does_not_wait_for_another_that_is_refused",
        ),
    ),
    Mutation(
        guard="a cancel that waits for its gas keeps its bid",
        path="watchers/pay/outbids.py",
        old="        if fed and await self._waits_for_gas(newest):\n",
        new="        if False:\n",
        tests=(f"{GAS}::test_a_cancel_that_waits_for_its_gas_keeps_its_bid",),
    ),
    Mutation(
        guard="a lying balance delays no cancel of a wallet that nobody feeds",
        path="watchers/pay/outbids.py",
        old='        fed = order[0].purpose == "sweep" and newest.purpose == CANCEL\n',
        new="        fed = newest.purpose == CANCEL\n",
        tests=(
            f"{GAS}::test_a_cancel_of_the_hot_wallet_is_raised_whatever_a_node_says_that_it_holds",
        ),
    ),
    Mutation(
        guard="gas that has to land once more is not sent a second time",
        path="watchers/sweep/jobs.py",
        old="            if sweep.address in awaited:\n",
        new="            if False:\n",
        tests=(
            "tests/watchers/test_reopen_sweeps.py::test_gas_that_has_to_land_once_more_is_not_sent_a_second_time",
        ),
    ),
)
