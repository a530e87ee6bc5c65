"""Guards of what merchants may do with invoices, of exports, and of played payments."""

from tests.mutations.mutation import Mutation

SQL = "migrations/sql/0004_6_invoices.sql"
DECISIONS = "tests/gateway/invoices/test_decisions.py"
CONDITIONS = "tests/gateway/invoices/test_conditions.py"
OPEN = "tests/gateway/invoices/test_open_amount.py"
EXPORTS = "tests/gateway/exports/test_exports.py"
SIMULATION = "tests/gateway/simulation/test_simulation.py"
PLAYED = "tests/watchers/test_simulate.py"
PLAIN_SQL = "tests/gateway/subscriptions/test_guards.py"

INVOICES = (
    Mutation(
        guard="a mark is the last word",
        path="gateway/domain/invoice.py",
        old='Standing(status, "marked", final=True)',
        new='Standing(status, "marked", final=False)',
        tests=(f"{DECISIONS}::test_a_mark_is_the_last_word",),
    ),
    Mutation(
        guard="the API's role judges no invoice",
        path=SQL,
        old="    IF current_user = 'gw_api'\n       AND (NEW.status",
        new="    IF current_user = 'nobody'\n       AND (NEW.status",
        tests=(f"{DECISIONS}::test_the_apis_role_judges_no_invoice",),
    ),
    Mutation(
        guard="the rate of what was paid in is locked",
        path=SQL,
        old="            AND currency_id = OLD.currency_id AND status IN ('pending', 'confirmed')) THEN",
        new="            AND currency_id = OLD.currency_id AND status = 'nothing') THEN",
        tests=(f"{DECISIONS}::test_the_apis_role_judges_no_invoice",),
    ),
    Mutation(
        guard="fresh rates leave out what was paid in",
        path="gateway/invoices/changes.py",
        old="if o.currency.id not in paid and",
        new="if o.currency.id not in () and",
        tests=(f"{DECISIONS}::test_fresh_rates_are_locked_for_what_is_not_paid",),
    ),
    Mutation(
        guard="an open amount is counted at the price of its receipt",
        path="gateway/invoices/standing.py",
        old="            at=deposit.block_time,\n            max_age=RECEIPT_PRICE_AGE,",
        new="            at=deposit.detected_at + RECEIPT_PRICE_AGE,\n            max_age=2 * RECEIPT_PRICE_AGE,",
        tests=(f"{OPEN}::test_whatever_comes_is_credited_at_the_price_of_its_receipt",),
    ),
    Mutation(
        guard="an invoice above every tier waits for finality",
        path="gateway/domain/confirmation.py",
        old='and amount < Decimal(str(tier["below"]))',
        new="",
        tests=(f"{CONDITIONS}::test_small_invoices_settle_early_by_the_merchants_tiers",),
    ),
    Mutation(
        guard="reuse puts equal requests in a row",
        path="gateway/invoices/reuse.py",
        old="    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))\n",
        new="",
        tests=(f"{CONDITIONS}::test_a_pending_invoice_is_reused_where_it_asks_the_same",),
    ),
    Mutation(
        guard="no cell of an export is a formula",
        path="gateway/exports/csv.py",
        old="    calm = _CELL.sub(",
        new="    calm = re.compile(r'(?!)').sub(",
        tests=(
            "tests/gateway/exports/test_csv.py::test_a_cell_is_never_a_formula",
            "tests/gateway/exports/test_csv.py::test_no_reader_of_a_file_finds_a_formula",
            f"{EXPORTS}::test_every_list_comes_as_csv_and_as_json_lines",
        ),
    ),
    Mutation(
        guard="a merchant has one export at a time",
        path="gateway/exports/streaming.py",
        old="if tenant in self._tenants or self.under_way >= self.at_once:",
        new="if False:",
        tests=(f"{EXPORTS}::test_a_reader_who_does_not_read_holds_the_database_back",),
    ),
    Mutation(
        guard="an export that broke off is no whole file",
        path="gateway/exports/streaming.py",
        old="            yield chunk\n        await work\n",
        new="            yield chunk\n",
        tests=(f"{EXPORTS}::test_an_export_that_breaks_off_is_no_whole_file",),
    ),
    Mutation(
        guard="nothing is played where the settings name no local network",
        path="gateway/simulation/service.py",
        old="        and network.local\n",
        new="",
        tests=(f"{SIMULATION}::test_what_cannot_be_played_is_refused_with_a_code",),
    ),
    Mutation(
        guard="the database plays with no real money",
        path=SQL,
        old="              AND o.address IS NOT NULL AND n.test AND n.local AND n.enabled) THEN",
        new="              AND o.address IS NOT NULL) AND false THEN",
        tests=(f"{SIMULATION}::test_the_database_plays_with_no_real_money_whoever_asks",),
    ),
    Mutation(
        guard="a watcher plays on its own local test network only",
        path="watchers/simulate/player.py",
        old="        if not (self.settings.test and self.settings.local):\n",
        new="        if False:\n",
        tests=(f"{PLAYED}::test_what_was_being_played_when_a_watcher_stopped_has_failed",),
    ),
    Mutation(
        guard="an option shows an address of its own invoice",
        path=SQL,
        old="            AND p.address = NEW.address AND p.invoice_id = NEW.invoice_id) THEN\n",
        new="            AND p.address = NEW.address) THEN\n",
        tests=(f"{PLAIN_SQL}::test_nobody_pays_to_an_address_that_is_not_the_invoices",),
    ),
    Mutation(
        guard="an address is claimed for an invoice of its merchant",
        path=SQL,
        old="WHERE id = NEW.invoice_id AND merchant_id = NEW.merchant_id) THEN\n",
        new="WHERE id = NEW.invoice_id) THEN\n",
        tests=(f"{PLAIN_SQL}::test_an_address_is_claimed_for_an_invoice_of_ones_own",),
    ),
)
