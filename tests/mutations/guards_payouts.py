"""Guards of payouts and sweeps whose way is barred: held, displaced, not inspected."""

from tests.mutations.mutation import Mutation

WAITS = (
    "tests/watchers/test_sweep_ethereum.py::"
    "test_a_funded_sweep_waits_while_it_is_held_and_keeps_nobody_else_back"
)
SIGNER = "tests/networks/ethereum/test_ethereum_signer.py"
LIAR = f"{SIGNER}::test_a_node_that_names_another_sender_or_nonce_is_not_believed"

LANE_TAKEN = "tests/networks/solana/test_solana_taken.py"
BESIDE = f"{LANE_TAKEN}::test_one_beside_the_value_counts_once_the_account_holds_another"
NOTHING_ELSE = f"{LANE_TAKEN}::test_nothing_else_takes_the_place_of_an_order"
ON_A_LANE = (
    "tests/watchers/test_pay_displaced.py::"
    "test_an_order_on_a_nonce_lane_ends_where_another_spent_its_value"
)
LANE_ALARM = (
    "tests/watchers/test_pay_lanes.py::"
    "test_a_lane_that_a_stranger_moved_is_an_alarm_once_our_scan_has_come_so_far"
)
SOLANA_TAKEN = "watchers/networks/solana/taken.py"

RULES = "tests/watchers/test_destinations_rules.py"
RULE_LOOKS = f"{RULES}::test_a_rule_asks_for_nothing_where_its_destination_cannot_receive"

PAYOUT_GUARDS = (
    Mutation(
        guard="a payout rule holds nothing for a destination that cannot receive",
        path="gateway/payout_rules/runs.py",
        old="            made = await request_withdrawal(gate, payout, looked.finding, origin)\n",
        new="            made = await request_withdrawal(gate, payout, None, origin)\n",
        tests=(RULE_LOOKS,),
    ),
    Mutation(
        guard="a payout rule asks about a refused destination once a minute",
        path="gateway/payout_rules/runs.py",
        old="            if rests or found.network.id in self._silent:\n",
        new="            if False:\n",
        tests=(RULE_LOOKS,),
    ),
    Mutation(
        guard="the worker asks about destinations alone",
        path="migrations/sql/0007_11_rules.sql",
        old="    WITH CHECK (kind = 'destination' AND NOT operator AND answer IS NULL);\n",
        new="    WITH CHECK (true);\n",
        tests=(f"{RULES}::test_the_worker_asks_about_destinations_and_nothing_else",),
    ),
    Mutation(
        guard="a lane was moved by the account's own authority alone",
        path=SOLANA_TAKEN,
        old="    if place.sender not in signers:\n",
        new="    if False:\n",
        tests=(NOTHING_ELSE,),
    ),
    Mutation(
        guard="what moved a lane has valid signatures",
        path=SOLANA_TAKEN,
        old="    if not all(transaction.verify_with_results()):\n",
        new="    if False:\n",
        tests=(NOTHING_ELSE,),
    ),
    Mutation(
        guard="a lane that still holds an order's value is not taken",
        path=SOLANA_TAKEN,
        old="    if held is not None and held.value == place.nonce_value:\n",
        new="    if False:\n",
        tests=(BESIDE,),
    ),
    Mutation(
        guard="our scan comes as far as a lane's value was seen to be gone",
        path="watchers/pay/displaced.py",
        old="    needed = max(told.placed.height, told.placed.gone_at)\n",
        new="    needed = told.placed.height\n",
        tests=(ON_A_LANE,),
    ),
    Mutation(
        guard="a lane is no alarm before our scan has come so far",
        path="watchers/pay/estranged.py",
        old="        return final >= self._gone[order]\n",
        new="        return True\n",
        tests=(LANE_ALARM,),
    ),
    Mutation(
        guard="who took a nonce is read from bytes of that very hash",
        path="watchers/networks/ethereum/taken.py",
        old="    return signer if signer.tx_hash == tx_hash else None\n",
        new="    return signer\n",
        tests=(LIAR,),
    ),
    Mutation(
        guard="a node that tells another sender than the bytes do is not believed",
        path="watchers/networks/ethereum/taken.py",
        old="    if (sent.from_.lower(), nonce) != (signer.sender, signer.nonce):\n",
        new="    if False:\n",
        tests=(LIAR,),
    ),
    Mutation(
        guard="a sweep that is held is not given up",
        path="watchers/sweep/sweeper.py",
        old="            if len(group) == 1 and isinstance(refusal, Held):\n",
        new="            if False:\n",
        tests=(WAITS,),
    ),
    Mutation(
        guard="the time that a sweep was held is not counted against it",
        path="watchers/sweep/sweeper.py",
        old="        since = max(idle, self._waited.get(sweep.id, idle))\n",
        new="        since = idle\n",
        tests=(WAITS,),
    ),
    Mutation(
        guard="a sweep that is held takes no place",
        path="watchers/sweep/choice.py",
        old="            at_once=self.settings.sweeping.at_once + len(kept_back),\n",
        new="            at_once=self.settings.sweeping.at_once,\n",
        tests=(WAITS,),
    ),
)
