"""Guards of what an option tells its payer, and of hashes as people type them."""

from tests.mutations.mutation import Mutation

OPTIONS = "tests/gateway/invoices/test_options.py"
CHECKOUT = "tests/gateway/checkout/test_checkout.py"
DEPOSITS = "tests/gateway/deposits/test_deposits.py"
DESK = "tests/watchers/test_desk.py"
SEARCH = "tests/gateway/invoices/test_search.py"

OPTION_GUARDS = (
    Mutation(
        guard="no wallet link begins with a token's contract",
        path="gateway/invoices/wallets.py",
        old='    own = family == "ethereum" and contract is None\n',
        new='    own = family == "ethereum"\n',
        tests=(
            f"{OPTIONS}::test_no_link_has_a_token_where_a_wallet_looks_for_the_recipient",
            f"{OPTIONS}::test_an_option_names_its_chain_and_what_settles_it",
        ),
    ),
    Mutation(
        guard="the page has no button for a request that begins with a token's contract",
        path="gateway/checkout/paying.py",
        old="    if option.payment_uri is not None and option.qr_text == option.payment_uri:\n",
        new="    if option.payment_uri is not None:\n",
        tests=(f"{CHECKOUT}::test_buttons_open_wallets_and_none_has_a_token_as_recipient",),
    ),
    Mutation(
        guard="no payer of a test network is sent to a main network",
        path="gateway/invoices/wallets.py",
        old="    coin = None if test else ",
        new="    coin = ",
        tests=(
            f"{OPTIONS}::test_money_that_costs_nothing_is_not_asked_for_on_a_chain_where_it_does",
        ),
    ),
    Mutation(
        guard="no payer of a main network's copy is sent to it",
        path="gateway/invoices/wallets.py",
        old="identity if own and not copied else None",
        new="identity if own else None",
        tests=(
            f"{OPTIONS}::test_money_that_costs_nothing_is_not_asked_for_on_a_chain_where_it_does",
        ),
    ),
    Mutation(
        guard="no wallet is opened where nothing is due",
        path="gateway/invoices/wallets.py",
        old="    if address is None or units == 0:\n",
        new="    if address is None:\n",
        tests=(f"{OPTIONS}::test_there_is_no_link_where_nothing_is_due",),
    ),
    Mutation(
        guard="an invoice does not seem to wait for more than finality",
        path="gateway/invoices/option_documents.py",
        old="    return min(wanted, final)\n",
        new="    return wanted\n",
        tests=(f"{OPTIONS}::test_an_option_names_its_chain_and_what_settles_it",),
    ),
    Mutation(
        guard="a transaction of an invoice is found however its hash is written",
        path="gateway/invoices/search.py",
        old="spellings(wanted.tx_hash)",
        new="[wanted.tx_hash]",
        tests=(f"{SEARCH}::test_a_transaction_is_found_however_its_hash_is_written",),
    ),
    Mutation(
        guard="a deposit is found however its hash is written",
        path="gateway/deposits/search.py",
        old='Deposit.tx_hash.in_(spellings(wanted["tx_hash"]))',
        new='Deposit.tx_hash.in_([wanted["tx_hash"]])',
        tests=(f"{SEARCH}::test_a_transaction_is_found_however_its_hash_is_written",),
    ),
    Mutation(
        guard="what is nobody's is found however its hash is written",
        path="gateway/desk/repository.py",
        old='spellings(wanted["tx_hash"])',
        new='[wanted["tx_hash"]]',
        tests=(f"{DESK}::test_everything_that_is_nobodys_is_listed_with_its_reason",),
    ),
    Mutation(
        guard="a deposit without a block has no confirmations",
        path="gateway/invoices/deposit_documents.py",
        old='    if head is None or deposit.status == "reorged":\n',
        new="    if head is None:\n",
        tests=(f"{DEPOSITS}::test_confirmations_are_counted_from_the_block_of_a_payment",),
    ),
    Mutation(
        guard="no script runs on a payer's page but the one that follows the invoice",
        path="gateway/checkout/following.py",
        old="    return f\"script-src 'sha256-{digest}'; connect-src 'self'\"\n",
        new="    return f\"script-src 'unsafe-inline' '{digest}'; connect-src 'self'\"\n",
        tests=(f"{CHECKOUT}::test_the_policy_lets_one_script_run_and_it_is_ours",),
    ),
    Mutation(
        guard="an open page hears of new rates",
        path="gateway/checkout/documents.py",
        old="            if o.reason != TOO_SMALL\n",
        new="            if False\n",
        tests=(f"{CHECKOUT}::test_new_rates_change_the_state_for_programs",),
    ),
    Mutation(
        guard="no network has a name that the keystore refuses",
        path="gateway/settings/checks.py",
        old="    if not NETWORK_NAME.fullmatch(name):\n",
        new="    if not name.isidentifier():\n",
        tests=(
            "tests/gateway/test_settings.py::test_a_name_that_the_keystore_refuses_is_refused",
        ),
    ),
    Mutation(
        guard="no network of the keystore has a name that the gateway refuses",
        path="keystore/settings.py",
        old='NETWORK_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")\n',
        new='NETWORK_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")\n',
        tests=(
            "tests/keystore/test_keystore_settings.py::test_a_name_that_the_gateway_takes_is_taken",
        ),
    ),
)
