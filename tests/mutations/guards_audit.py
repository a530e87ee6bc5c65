"""Guards of the audit log's readers, of refunds' commissions, of played payments, of members."""

from tests.mutations.mutation import Mutation

READING = "tests/gateway/audit/test_reading.py"
CHAIN = "tests/gateway/commands/test_audit.py::test_a_row_that_was_touched_is_named"
REFUNDED = "tests/gateway/referrals/test_refunded.py"
UNDOING = "migrations/sql/0007_6_referrals.sql"
BILLS = "tests/gateway/subscriptions/test_bills.py"
PLAYED = "tests/watchers/test_simulate.py::test_every_case_on_anvil"

AUDIT = (
    Mutation(
        guard="a merchant is not told where the house sits",
        path="gateway/audit/documents.py",
        old="    shown = own is None or row.actor in own\n",
        new="    shown = True\n",
        tests=(f"{READING}::test_a_merchant_reads_who_changed_what_from_where",),
    ),
    Mutation(
        guard="a test key does not read what was changed in live mode",
        path="gateway/audit/controller.py",
        old='    @get("/", guards=[requires("audit:read", shared=True)])\n',
        new='    @get("/", guards=[requires("audit:read")])\n',
        tests=(f"{READING}::test_a_test_key_reads_nothing_where_money_is_real",),
    ),
    Mutation(
        guard="whoever may look at invoices does not see where colleagues come from",
        path="gateway/domain/roles.py",
        old='if scope.endswith(":read")) - {\n',
        new='if scope.endswith(":read")) | {\n',
        tests=(f"{READING}::test_who_may_read_it",),
    ),
    Mutation(
        guard="a chain of the audit log that was cut at its end is found",
        path="gateway/audit/chain.py",
        old="    elif told is not None:\n",
        new="    elif False:\n",
        tests=(CHAIN,),
    ),
    Mutation(
        guard="a refund in part takes no commission back",
        path=UNDOING,
        old="    IF excess IS NULL OR excess < counted\n",
        new="    IF excess IS NULL\n",
        tests=(f"{REFUNDED}::test_what_is_refunded_earned_nothing",),
    ),
    Mutation(
        guard="what is taken back counts anew, and only then",
        path=UNDOING,
        old="            AND coalesce(w.confirmed, 0) < o.units) THEN\n",
        new="            AND false) THEN\n",
        tests=(f"{REFUNDED}::test_what_a_referrer_has_spent_stays_and_is_paid_again_first",),
    ),
    Mutation(
        guard="the worker takes nothing back that was not refunded",
        path=UNDOING,
        old="        AND refunded_at IS NOT NULL FOR UPDATE;\n",
        new="        FOR UPDATE;\n",
        tests=(f"{REFUNDED}::test_the_worker_takes_nothing_back_that_was_not_refunded",),
    ),
    Mutation(
        guard="a member is not put out because its bill comes late",
        path="gateway/subscriptions/documents.py",
        old="        goes_on=row.paused_at is None and not row.cancel_at_period_end,\n",
        new="        goes_on=False,\n",
        tests=(f"{BILLS}::test_a_bill_that_comes_late_puts_nobody_out",),
    ),
    Mutation(
        guard="nobody is written twice in the same minute",
        path="gateway/subscriptions/billing.py",
        old="        if period.created_at < period.period_start and not account.arriving:\n",
        new="        if not account.arriving:\n",
        tests=(f"{BILLS}::test_one_letter_at_a_time",),
    ),
    Mutation(
        guard="a deleted customer is not written to",
        path="gateway/subscriptions/billing.py",
        old="    if account.customer.deleted_at is not None:\n",
        new="    if False:\n",
        tests=(f"{BILLS}::test_one_letter_at_a_time",),
    ),
    Mutation(
        guard="a played part is a part by every lock",
        path="watchers/simulate/due.py",
        old="        least=math.floor(wanted.least * left),\n",
        new="        least=math.ceil(whole * left),\n",
        tests=(PLAYED,),
    ),
    Mutation(
        guard="a played excess is too much by every lock",
        path="watchers/simulate/due.py",
        old="        most=math.ceil(wanted.most * max(1 - much, Fraction(0))),\n",
        new="        most=math.ceil(whole * left),\n",
        tests=(PLAYED,),
    ),
    Mutation(
        guard="a played late payment is late by the chain's clock",
        path="watchers/simulate/player.py",
        old="        await self._past(invoice.expires_at)\n",
        new="",
        tests=(PLAYED,),
    ),
)
