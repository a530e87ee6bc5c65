"""Guards of money that a second reading put in: bills, fees, commissions, lists."""

from tests.mutations.mutation import Mutation

SQL = "migrations/sql/0005_2_money.sql"
BILLS = "tests/gateway/subscriptions/test_bills.py"
RECALL = "tests/gateway/referrals/test_recall.py"
SUSPENSE = "tests/gateway/referrals/test_suspense.py"
ADDRESSES = "tests/gateway/customers/test_addresses.py"
TERMS = "tests/gateway/withdrawals/test_terms.py"

MONEY = (
    Mutation(
        guard="who paid in time is not put out before the block is read",
        path="gateway/subscriptions/bills.py",
        old="    return invoice.status in UNDECIDED\n",
        new="    return False\n",
        tests=(f"{BILLS}::test_who_paid_in_time_is_not_put_out_before_the_block_is_read",),
    ),
    Mutation(
        guard="a bill's rate holds for an hour",
        path="gateway/invoices/changes.py",
        old="        return option.row.rate_at <= self.until\n",
        new="        return True\n",
        tests=(f"{BILLS}::test_a_bill_follows_the_price_of_its_coin",),
    ),
    Mutation(
        guard="the worker tells of an altered address",
        path="gateway/subscriptions/billing.py",
        old="        if isinstance(refusal, AddressUnverified):\n",
        new="        if False:\n",
        tests=(f"{BILLS}::test_an_altered_address_is_an_alarm_of_the_worker_too",),
    ),
    Mutation(
        guard="the worker changes the rates of open bills only",
        path=SQL,
        old="CREATE POLICY open_bill ON payment_option AS RESTRICTIVE",
        new="CREATE POLICY open_bill ON payment_option AS PERMISSIVE",
        tests=(f"{BILLS}::test_the_worker_changes_no_rate_of_an_ordinary_invoice",),
    ),
    Mutation(
        guard="the house says what a withdrawal costs",
        path=SQL,
        old="              AND c.withdrawal_fee_units = NEW.fee_units) THEN\n",
        new="              ) THEN\n",
        tests=(f"{TERMS}::test_the_apis_role_sets_no_fee_of_its_own",),
    ),
    Mutation(
        guard="what waits in suspense earns nobody a commission",
        path="migrations/sql/0006_5_referrals.sql",
        old="kind = 'deposit' AND j.merchant_id = NEW.merchant_id\n",
        new="kind = 'deposit'\n",
        tests=(f"{SUSPENSE}::test_what_is_final_before_the_rest_is_counts_once",),
    ),
    Mutation(
        guard="a busy balance is left for the next round",
        path="gateway/referrals/sharing.py",
        old="        if not isinstance(fault.orig, LockNotAvailable):\n",
        new="        if True:\n",
        tests=(f"{SUSPENSE}::test_one_busy_balance_keeps_nobody_else_waiting",),
    ),
    Mutation(
        guard="a merchant's requests answer for its customer",
        path="gateway/deposits/reversal.py",
        old="        await _short(desk, deposit, None, short)",
        new="        pass",
        tests=(
            f"{RECALL}::test_a_merchant_who_charged_its_customer_does_not_get_away_with_it",
        ),
    ),
    Mutation(
        guard="a referrer's requests are called back",
        path="gateway/referrals/reversal.py",
        old="        session, holder, row.currency_id, row.units, deposit_id",
        new="        session, holder, row.currency_id, 0, deposit_id",
        tests=(f"{RECALL}::test_a_commission_on_its_way_out_is_called_back",),
    ),
    Mutation(
        guard="a merchant does without what its own referrer spent",
        path="gateway/referrals/reversal.py",
        old="    units = min(row.units, max(left, 0)) if own else row.units\n",
        new="    units = row.units\n",
        tests=(f"{RECALL}::test_a_merchant_does_without_what_its_own_referrer_spent",),
    ),
    Mutation(
        guard="what cannot be read is refused by the client",
        path="clients/python/cryptic_gateway/webhooks.py",
        old="            except (WebhookVerificationError, ValueError):\n",
        new="            except WebhookVerificationError:\n",
        tests=("tests/client/test_client.py::test_a_delivery_that_cannot_be_read_is_refused",),
    ),
    Mutation(
        guard="one address on two networks is listed twice",
        path="gateway/customers/repository.py",
        old="    place = (AddressPool.customer_id, AddressPool.network_id)\n",
        new="    place = (AddressPool.customer_id, AddressPool.customer_id)\n",
        tests=(f"{ADDRESSES}::test_the_same_address_on_two_networks_is_listed_twice",),
    ),
)
