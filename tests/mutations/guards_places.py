"""Guards of places on the chain: displaced orders, nonces advanced for nothing, sweeps given up."""

from tests.mutations.mutation import Mutation

DISPLACED = "tests/watchers/test_pay_displaced.py"
ENDS = f"{DISPLACED}::test_a_displaced_payout_fails_once_and_gives_its_hold_back"
NOTHING_ELSE = (
    f"{DISPLACED}::test_nothing_but_a_final_block_of_ours_with_the_other_transaction_ends_it"
)
MOVEMENT = "tests/keystore/test_keystore_movement.py"
BYTES = "tests/watchers/test_sweep_bytes.py"
LANES = "tests/watchers/test_pay_lanes.py"
SWEEPS = "tests/watchers/test_sweep_ethereum.py"
DISPLACING = "watchers/pay/displaced.py"
ADVANCING = "keystore/networks/solana_advance.py"
ADVANCED = f"{MOVEMENT}::test_an_advance_cancels_what_was_signed_on_its_value_and_nothing_else"

PLACES = (
    Mutation(
        guard="an order is displaced by a transaction on its own nonce alone",
        path=DISPLACING,
        old="    if taken != waits:\n",
        new="    if False:\n",
        tests=(NOTHING_ELSE,),
    ),
    Mutation(
        guard="a transaction of ours displaces no order",
        path=DISPLACING,
        old="    if (owner := await session.scalar(own.limit(1))) is not None:\n",
        new='    if (owner := "") is None:\n',
        tests=(
            NOTHING_ELSE,
            f"{DISPLACED}::test_a_transaction_of_another_order_of_ours_displaces_none",
        ),
    ),
    Mutation(
        guard="what is told of a payment by hand names the transaction that made it",
        path=DISPLACING,
        old="        withdrawal.tx_hash = told.tx_hash  # its event tells what paid it\n",
        new="        pass\n",
        tests=(f"{DISPLACED}::test_what_paid_the_very_destination_is_paid_and_never_failed",),
    ),
    Mutation(
        guard="an order is displaced in a final block, and while no node contradicts one",
        path=DISPLACING,
        old="    if cursor.halted is not None or needed > cursor.final_height:\n",
        new="    if False:\n",
        tests=(NOTHING_ELSE,),
    ),
    Mutation(
        guard="an order is displaced in a block of ours",
        path=DISPLACING,
        old="    if ours is None or (ours.height, ours.hash) != (\n",
        new='    if ours is None and (0, "") != (\n',
        tests=(NOTHING_ELSE,),
    ),
    Mutation(
        guard="a displaced order ends once",
        path=DISPLACING,
        old='    if (first.nonce, first.nonce_value) == (None, None) or first.state != "signed":\n',
        new="    if first.nonce is None:\n",
        tests=(f"{DISPLACED}::test_what_stands_in_a_block_or_has_no_bytes_is_not_displaced",),
    ),
    Mutation(
        guard="what was paid by hand is not given back",
        path=DISPLACING,
        old="    if pays == told.paid:\n",
        new="    if True:\n",
        tests=(
            NOTHING_ELSE,
            f"{DISPLACED}::test_what_paid_the_very_destination_is_paid_and_never_failed",
        ),
    ),
    Mutation(
        guard="nodes that differ about a transaction are not believed",
        path=DISPLACING,
        old="    if len(set(known.values())) > 1:\n",
        new="    if False:\n",
        tests=(f"{DISPLACED}::test_only_what_enough_nodes_tell_alike_is_believed",),
    ),
    Mutation(
        guard="all that competed for a taken place ends with it",
        path=DISPLACING,
        old="    await settler.replace(session, told.order_id, moment)\n",
        new="",
        tests=(ENDS,),
    ),
    Mutation(
        guard="a nonce is advanced in the place of its own order alone",
        path=ADVANCING,
        old="    if any(getattr(new, name) != getattr(old, name) for name in place):\n",
        new="    if False:\n",
        tests=(ADVANCED,),
    ),
    Mutation(
        guard="beside a cancel only a dearer one is signed",
        path=ADVANCING,
        old="    return same_limit and price > before and price * 8 >= before * 9\n",
        new="    return True\n",
        tests=(
            f"{MOVEMENT}::test_a_nonce_is_advanced_for_nothing_in_the_place_of_what_was_signed_on_it",
            f"{MOVEMENT}::test_nothing_is_signed_beside_a_cancel_for_nothing",
        ),
    ),
    Mutation(
        guard="the bytes of a cancel move nothing",
        path="watchers/networks/solana/advance.py",
        old="    if found.steps != wanted:\n",
        new="    if False:\n",
        tests=(f"{BYTES}::test_a_cancel_is_read_back_field_by_field_and_moves_nothing",),
    ),
    Mutation(
        guard="the database takes a cancel alone beside a payment on a lane",
        path="migrations/sql/0007_5_paying.sql",
        old="        AND (f.nonce IS NOT NULL OR f.nonce_value IS NOT NULL AND NEW.purpose = 'cancel')\n",
        new="",
        tests=(
            f"{LANES}::test_a_cancel_alone_stands_beside_a_payment_on_its_lane_and_no_fee_is_raised",
        ),
    ),
    Mutation(
        guard="a sweep under way is not given up",
        path="watchers/sweep/sweeper.py",
        old="        return since < now().at - self.give_up\n",
        new="        return True\n",
        tests=(
            f"{SWEEPS}::test_a_funded_sweep_that_became_too_dear_gives_its_place_back_and_its_gas_is_used",
        ),
    ),
)
