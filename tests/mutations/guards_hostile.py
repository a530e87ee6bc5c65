"""Guards that lying nodes of Tron and Solana, edited rows and lost money have shown to be needed."""

from tests.mutations.mutation import Mutation

ATTACKS = "tests/networks/tron/test_tron_attacks.py"
BALANCES = "tests/networks/solana/test_solana_decode.py"
OVERLOOKED = "tests/watchers/test_pay_overlooked.py"
FOUND = (
    f"{OVERLOOKED}::test_it_is_found_as_soon_as_a_node_tells_of_it_and_nothing_is_paid_again"
)
REFILLS = "tests/watchers/test_sweep_refills.py"
BORNE = f"{REFILLS}::test_a_gas_wallet_that_lost_money_is_an_alarm_until_an_operator_bears_it"

HOSTILE = (
    Mutation(
        guard="solana: what moved money did not fail",
        path="watchers/networks/solana/landed.py",
        old="        if meta.err is not None and (before[1:] != after[1:] or meta.moved_tokens()):\n",
        new="        if False:\n",
        tests=(
            f"{BALANCES}::test_a_transaction_called_failed_that_moved_money_is_not_believed_to_have_failed",
        ),
    ),
    Mutation(
        guard="tron: block and info both say that a transaction failed",
        path="watchers/networks/tron/outcomes.py",
        old="        if failed and not (info.result or info.receipt.result):\n",
        new="        if False:\n",
        tests=(f"{ATTACKS}::test_case_42_a_trx_transfer_without_success_pays_nobody",),
    ),
    Mutation(
        guard="what the scan passed before it was known is looked for until it is found",
        path="watchers/pay/payouts.py",
        old="        await self.adoption.look_again()\n",
        new="",
        tests=(FOUND,),
    ),
    Mutation(
        guard="a block that does not hold a payment does not settle it",
        path="watchers/pay/overlooked.py",
        old="    if standing is None or standing.hash != block.ref.hash or tx_hash not in block.outcomes:\n"
        "        return False\n",
        new="    if standing is None:\n        return False\n",
        tests=(FOUND,),
    ),
    Mutation(
        guard="nodes are asked only for what our scan has passed",
        path="watchers/pay/overlooked.py",
        old="        return scanned >= self._gone[first.order_id]\n",
        new="        return True\n",
        tests=(
            f"{OVERLOOKED}::test_nodes_are_not_asked_for_what_has_yet_to_land_or_to_be_scanned",
        ),
    ),
    Mutation(
        guard="a gas wallet that is not filled is an alarm",
        path="watchers/outgoing.py",
        old="        if self.sweeping.upkeep.differs is not None:\n",
        new="        if False:\n",
        tests=(BORNE,),
    ),
    Mutation(
        guard="only a drift that an operator bears lets the gas wallet be filled",
        path="watchers/sweep/upkeep.py",
        old="        return 0 if drift is None else max(0, -drift.acknowledged_units)\n",
        new="        return 0 if drift is None else max(0, -drift.units)\n",
        tests=(BORNE,),
    ),
)
