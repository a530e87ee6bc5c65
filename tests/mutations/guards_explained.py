"""Guards of what is told: what was signed and has no row, what is no payment, why money waits."""

from tests.mutations.mutation import Mutation

SIGNED = "tests/watchers/test_recon_signatures.py"
STRAYS = "tests/watchers/test_strays.py"
BESIDE = "tests/watchers/test_strays_beside.py"
COUNTED = "tests/watchers/test_strays_counted.py"
DESK = "tests/watchers/test_desk.py"
HELD = "tests/watchers/test_explain_held.py"
NAMED = "tests/watchers/test_explain_named.py"

EXPLAINED = (
    Mutation(
        guard="signatures: one that no row knows pauses its asset",
        path="watchers/reconcile/signed.py",
        old="    reason = NO_ROW if row is None else _difference(payment, row)\n",
        new="    reason = None if row is None else _difference(payment, row)\n",
        tests=(
            f"{SIGNED}::test_a_signature_that_no_row_knows_pauses_its_asset_until_the_row_is_back",
        ),
    ),
    Mutation(
        guard="signatures: rows say what was signed",
        path="watchers/reconcile/signed.py",
        old='        "intent": understood(row.intent) == _spelled(payment.intent),\n',
        new='        "intent": True,\n',
        tests=(f"{SIGNED}::test_rows_edited_by_hand_are_not_what_was_signed",),
    ),
    Mutation(
        guard="signatures: a contract in another spelling is no drift",
        path="watchers/reconcile/signed.py",
        old="    return _spelled(found)\n",
        new="    return found\n",
        tests=(
            f"{SIGNED}::test_a_contract_is_itself_in_either_spelling",
            f"{SIGNED}::test_rows_edited_by_hand_are_not_what_was_signed",
        ),
    ),
    Mutation(
        guard="signatures: rows that nothing signed explain nothing",
        path="watchers/reconcile/signatures.py",
        old="            ours = await signature_rows.unnumbered(session, self.name, AGAIN_MAX)\n",
        new="            ours: list[Finding] = []\n",
        tests=(f"{SIGNED}::test_a_row_that_nothing_signed_explains_no_theft",),
    ),
    Mutation(
        guard="signatures: a look ends",
        path="watchers/reconcile/signatures.py",
        old="        while len(found) < self.look:\n",
        new="        while True:\n",
        tests=(f"{SIGNED}::test_each_look_goes_on_where_the_last_one_ended",),
    ),
    Mutation(
        guard="signatures: a drift is borne as it was",
        path="watchers/reconcile/signature_rows.py",
        old="    borne = case((same, SignatureDrift.acknowledged), else_=False)\n",
        new="    borne = SignatureDrift.acknowledged\n",
        tests=(f"{SIGNED}::test_what_an_operator_bears_holds_nobody_until_it_changes",),
    ),
    Mutation(
        guard="strays: each token has its own ration",
        path="watchers/scan/ration.py",
        old="    return Ration(Place(transfer.recipient, day), transfer.asset)\n",
        new='    return Ration(Place(transfer.recipient, day), "x")\n',
        tests=(f"{STRAYS}::test_a_flood_of_one_token_hides_no_other_token",),
    ),
    Mutation(
        guard="strays: grains hide no sum",
        path="watchers/scan/ration.py",
        old="rows < ROWS_PER_DAY or larger",
        new="rows < ROWS_PER_DAY",
        tests=(f"{STRAYS}::test_grains_of_the_same_token_hide_no_sum",),
    ),
    Mutation(
        guard="strays: amounts that double have an end",
        path="watchers/scan/ration.py",
        old="self.rows < ROWS_PER_DAY + LARGER_PER_DAY and ",
        new="",
        tests=(f"{STRAYS}::test_amounts_that_double_have_an_end",),
    ),
    Mutation(
        guard="strays: an address has a ceiling",
        path="watchers/scan/ration.py",
        old="            taken[ration.place] += 1\n",
        new="",
        tests=(
            f"{STRAYS}::test_many_tokens_in_many_amounts_leave_room_for_what_is_worth_something",
        ),
    ),
    Mutation(
        guard="strays: rows of before count for the ceiling",
        path="watchers/scan/strays.py",
        old="func.sum(StrayDay.kept)",
        new="func.count()",
        tests=(f"{STRAYS}::test_at_a_full_address_a_listed_asset_has_its_row",),
    ),
    Mutation(
        guard="strays: there is room for a token without a row",
        path="watchers/scan/ration.py",
        old="    return UNLISTED_PER_PLACE if first else REPEATED_PER_PLACE\n",
        new="    return UNLISTED_PER_PLACE\n",
        tests=(
            f"{STRAYS}::test_many_tokens_in_many_amounts_leave_room_for_what_is_worth_something",
        ),
    ),
    Mutation(
        guard="strays: there is room for listed assets",
        path="watchers/scan/ration.py",
        old="    if listed:\n",
        new="    if False:\n",
        tests=(
            f"{STRAYS}::test_many_tokens_in_many_amounts_leave_room_for_what_is_worth_something",
            f"{STRAYS}::test_at_a_full_address_a_listed_asset_has_its_row",
        ),
    ),
    Mutation(
        guard="explain: what was refused waits for nothing",
        path="watchers/explain/transfer.py",
        old='    if move.status in ("rejected", "reorged"):\n',
        new='    if move.status == "reorged":\n',
        tests=(f"{HELD}::test_what_was_refused_waits_for_nothing",),
    ),
    Mutation(
        guard="explain: a suspended asset is named",
        path="watchers/explain/waits.py",
        old="holds.get(each.currency_id) or ",
        new="",
        tests=(f"{HELD}::test_a_suspended_asset_is_named",),
    ),
    Mutation(
        guard="explain: why something is held is the operator's to read",
        path="watchers/explain/facts.py",
        old="        move = replace(move, wait=Wait(move.wait.cause))\n",
        new="        move = replace(move)\n",
        tests=(
            f"{HELD}::test_a_suspended_asset_is_named",
            f"{HELD}::test_a_network_that_stands_still_is_named",
            f"{HELD}::test_what_no_second_node_shows_is_named",
        ),
    ),
    Mutation(
        guard="explain: a final payment without a row is no payment that waits",
        path="watchers/explain/transfer.py",
        old='    return "missed" if reached and _is_final(evidence, evidence.height) else "open"\n',
        new='    return "open"\n',
        tests=(f"{HELD}::test_a_final_payment_without_a_row_never_comes_by_itself",),
    ),
    Mutation(
        guard="explain: what the house moved was not missed",
        path="watchers/explain/transfer.py",
        old='    if made in HOUSE or (made is not None and owner.purpose == "wallet"):\n',
        new="    if False:\n",
        tests=(f"{HELD}::test_our_own_transactions_are_not_missed",),
    ),
    Mutation(
        guard="explain: that there is a row under our own name is its owner's to know",
        path="watchers/explain/facts.py",
        old="        moves=_known(moves) if evidence.named else moves,\n",
        new="        moves=moves,\n",
        tests=(f"{NAMED}::test_our_own_names_are_explained_from_our_rows",),
    ),
    Mutation(
        guard="explain: what a block brought silently is its owner's to know",
        path="watchers/explain/facts.py",
        old="        silent=_known(silent),\n",
        new="        silent=silent,\n",
        tests=(f"{NAMED}::test_a_balance_that_rose_in_a_block_without_traces_is_shown",),
    ),
    Mutation(
        guard="explain: a block without traces denies nothing",
        path="watchers/explain/providers.py",
        old="    return bool(blocks) and not any(block.internal for block in blocks)\n",
        new="    return False\n",
        tests=(
            f"{NAMED}::test_a_transaction_without_a_transfer_and_without_traces_is_not_denied",
        ),
    ),
    Mutation(
        guard="strays: a token that is listed later, out of reach, keeps one row",
        path="watchers/scan/strays.py",
        old="if _unlisted(each) in known]",
        new="if False]",
        tests=(
            f"{BESIDE}::test_tokens_beside_the_canonical_account_that_are_listed_later_have_one_row",
        ),
    ),
    Mutation(
        guard="desk: beside a wallet of the house no command is named that refuses",
        path="gateway/desk/service.py",
        old="(beside.STAYS if by_wallet else beside.GATHER)",
        new="beside.GATHER",
        tests=(
            f"{DESK}::test_what_lies_beside_an_account_of_the_operators_wallet_names_what_can_be_done",
        ),
    ),
    Mutation(
        guard="strays: a deposit strikes off what has its own kind",
        path="gateway/deposits/writing.py",
        old="    AND stray.kind = %(kind)s AND stray.ordinal",
        new="    AND stray.ordinal",
        tests=(
            f"{COUNTED}::test_what_lies_beside_a_payment_stays_when_the_payment_comes_back",
        ),
    ),
    Mutation(
        guard="strays: a deposit strikes off what has its own place",
        path="gateway/deposits/writing.py",
        old="%(kind)s AND stray.ordinal = now.ordinal",
        new="%(kind)s",
        tests=(
            f"{COUNTED}::test_of_two_assets_in_one_transaction_the_listed_one_is_struck_off",
        ),
    ),
    Mutation(
        guard="strays: only what an address moves to itself brings home",
        path="gateway/deposits/writing.py",
        old="        if each.sender == each.address\n",
        new="",
        tests=(f"{COUNTED}::test_a_payment_strikes_off_nothing_that_lay_beside_before",),
    ),
)
