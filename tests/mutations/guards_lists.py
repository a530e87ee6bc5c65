"""Guards of what lists show: rows read past the session, and verdicts that are remembered."""

from tests.mutations.mutation import Mutation

DOCUMENTS = "tests/gateway/invoices/test_documents.py"

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
)
