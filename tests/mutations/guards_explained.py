"""Guards of what is told: what was signed and has no row, what arrived and is no payment."""

from tests.mutations.mutation import Mutation

SIGNED = "tests/watchers/test_recon_signatures.py"
STRAYS = "tests/watchers/test_strays.py"

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
)
