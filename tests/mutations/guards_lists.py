"""Guards of what lists show: rows read past the session, and verdicts that are remembered."""

from tests.mutations.mutation import Mutation

CURSORS = "tests/gateway/http/test_cursors.py"
DOCUMENTS = "tests/gateway/invoices/test_documents.py"
LEFT_OVER = "tests/gateway/checkout/test_left_over.py"

LISTS = (
    Mutation(
        guard="a list shows no address that was not proved",
        path="gateway/invoices/repository.py",
        old="            check(option)\n",
        new="            option.row.address\n",
        tests=(
            f"{DOCUMENTS}::test_a_list_that_was_shown_does_not_show_an_address_changed_since",
        ),
    ),
    Mutation(
        guard="rows read past the session see what it holds back",
        path="gateway/invoices/rows.py",
        old="        await session.flush()\n",
        new="",
        tests=(
            f"{DOCUMENTS}::test_rows_for_reading_are_the_models_rows_and_see_what_is_pending",
        ),
    ),
    Mutation(
        guard="what is due is rounded up",
        path="gateway/invoices/paid.py",
        old="to_text(-(-numerator * 10**decimals // denominator), decimals)",
        new="to_text(numerator * 10**decimals // denominator, decimals)",
        tests=(f"{DOCUMENTS}::test_what_was_paid_is_exact",),
    ),
    Mutation(
        guard="a cursor of another list is refused",
        path="gateway/paging.py",
        old="        if self.cursor is not None and not is_id(self.cursor, beginning):\n",
        new="        if False:\n",
        tests=(f"{CURSORS}::test_no_list_continues_at_a_cursor_of_another_kind",),
    ),
    Mutation(
        guard="balance entries are narrowed by their type",
        path="gateway/ledger/repository.py",
        old='    "type": lambda value: BalanceHistory.change_type == value.upper(),\n',
        new="",
        tests=(
            "tests/gateway/ledger/test_balances.py::test_entries_are_narrowed_like_other_lists",
        ),
    ),
    Mutation(
        guard="batches of another merchant are not listed",
        path="gateway/withdrawals/batches.py",
        old=(
            "    query = select(WithdrawalBatch).where(\n"
            "        WithdrawalBatch.merchant_id == gate.actor.tenant,\n"
            "        WithdrawalBatch.livemode == gate.actor.livemode,\n"
            "    )\n"
            "    query = made_between("
        ),
        new="    query = select(WithdrawalBatch)\n    query = made_between(",
        tests=(
            "tests/gateway/withdrawals/test_batch.py::test_batches_are_listed_as_they_stand",
        ),
    ),
    Mutation(
        guard="an answer to HEAD has no body",
        path="gateway/http/methods.py",
        old="        elif not ended:\n            ended = True\n",
        new="        else:\n            await send(message)\n            return\n",
        tests=("tests/gateway/http/test_methods.py::test_head_is_get_without_its_body",),
    ),
    Mutation(
        guard="nobody is sent to a coin in which the rest would be lost",
        path="gateway/invoices/option_documents.py",
        old="    return TOO_SMALL if due is not None and is_dust(due + paid, currency) else None\n",
        new="    return None\n",
        tests=(
            f"{LEFT_OVER}::test_an_option_says_that_what_is_left_cannot_be_paid_in_it",
            f"{LEFT_OVER}::test_no_address_is_given_where_the_rest_cannot_be_paid",
        ),
    ),
    Mutation(
        guard="a part that comes late is said",
        path="gateway/domain/invoice.py",
        old="        if facts.payments and not facts.cover(facts.payments):\n",
        new="        if False:\n",
        tests=(f"{LEFT_OVER}::test_a_part_that_comes_too_late_is_told_to_shop_and_payer",),
    ),
)
