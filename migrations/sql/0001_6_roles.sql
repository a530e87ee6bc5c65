-- Runtime roles own nothing. gw_api sees one tenant; gw_worker and gw_watcher see all, each by an
-- explicit policy and only the columns their work needs.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['merchant', 'users', 'api_key', 'audit_log', 'idempotency_key', 'wallet',
        'journal', 'balance_history', 'address_pool', 'invoice', 'payment_option', 'invoice_timeline',
        'deposit', 'withdrawal', 'webhook_endpoint', 'event', 'webhook_delivery']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO gw_api USING (%s = (SELECT current_merchant()))',
            t, CASE WHEN t = 'merchant' THEN 'id' ELSE 'merchant_id' END);
        EXECUTE format('CREATE POLICY worker ON %I TO gw_worker USING (true)', t);
        EXECUTE format('CREATE POLICY watcher ON %I TO gw_watcher USING (true)', t);
    END LOOP;
END $$;
-- A compromised API can hold and release its tenant's money, and nothing else in the ledger.
CREATE POLICY hold_only ON journal AS RESTRICTIVE FOR INSERT TO gw_api
    WITH CHECK (kind IN ('hold', 'release'));
CREATE POLICY hold_only ON balance_history AS RESTRICTIVE FOR INSERT TO gw_api
    WITH CHECK (change_type IN ('HOLD', 'RELEASE') AND delta_confirmed + delta_locked = 0);
-- A request is born pending and unapproved, whoever writes it for the API.
CREATE POLICY born_pending ON withdrawal AS RESTRICTIVE FOR INSERT TO gw_api
    WITH CHECK (status = 'pending' AND approved_by IS NULL AND approved_at IS NULL AND tx_hash IS NULL);

GRANT SELECT ON alembic_version, network, currency, network_health, price_history TO gw_api, gw_worker, gw_watcher;
GRANT EXECUTE ON FUNCTION current_merchant() TO gw_api, gw_worker, gw_watcher;

-- gw_api
GRANT EXECUTE ON FUNCTION authenticate_key(bytea, timestamptz), claim_address(text, text, timestamptz),
    free_addresses(text), invoice_merchant(text), is_own_address(text, text) TO gw_api;
GRANT SELECT ON merchant, users, api_key, audit_log, idempotency_key, wallet, journal, balance_history,
    address_pool, invoice, payment_option, invoice_timeline, deposit, withdrawal, webhook_endpoint,
    event, webhook_delivery, application_wallet, application_wallet_balance TO gw_api;
GRANT INSERT ON merchant, api_key, audit_log, idempotency_key, invoice, payment_option, invoice_timeline,
    withdrawal, webhook_endpoint, event, webhook_delivery, journal TO gw_api;
GRANT INSERT (journal_id, account, currency_id, change_type, delta_confirmed, delta_locked, at)
    ON balance_history TO gw_api;
GRANT UPDATE (name, email, invoice_expiry_minutes, monitoring_days, tolerance_basis_points) ON merchant TO gw_api;
GRANT UPDATE (name, revoked_at) ON api_key TO gw_api;
GRANT UPDATE (response_status, response_body) ON idempotency_key TO gw_api;
GRANT DELETE ON idempotency_key TO gw_api;
GRANT UPDATE (order_id, description, metadata, status, exception, final) ON invoice TO gw_api;
GRANT UPDATE (address, address_index, address_path, address_signature, activated_at) ON payment_option TO gw_api;
GRANT UPDATE (status, blocked_reason, failure_reason, approved_by, approved_at, rejected_by, updated_at)
    ON withdrawal TO gw_api;
GRANT UPDATE (url, events, secret_version, status, exhausted_in_a_row, deleted_at) ON webhook_endpoint TO gw_api;

-- gw_worker
GRANT SELECT ON merchant, invoice, payment_option, invoice_timeline, deposit, withdrawal, webhook_endpoint,
    event, webhook_delivery, idempotency_key TO gw_worker;
GRANT INSERT ON price_history, event, webhook_delivery, invoice_timeline TO gw_worker;
GRANT UPDATE (status, exception, final, paid_at, settled_at) ON invoice TO gw_worker;
GRANT UPDATE (status, attempts, next_attempt_at, leased_until, response_status, response_body, error,
    duration_ms, ended_at) ON webhook_delivery TO gw_worker;
GRANT UPDATE (status, exhausted_in_a_row) ON webhook_endpoint TO gw_worker;
GRANT DELETE ON price_history, idempotency_key TO gw_worker;

-- gw_watcher
GRANT SELECT ON merchant, wallet, journal, balance_history, address_pool, free_address, invoice,
    payment_option, invoice_timeline, block, cursor, transaction, deposit, deposit_sighting,
    application_wallet, application_wallet_balance, withdrawal, attempt, webhook_endpoint, event,
    webhook_delivery TO gw_watcher;
GRANT INSERT ON address_pool, free_address, invoice_timeline, block, cursor, transaction, deposit,
    deposit_sighting, application_wallet, application_wallet_balance, attempt, event, webhook_delivery,
    journal, network_health TO gw_watcher;
GRANT INSERT (journal_id, account, currency_id, change_type, delta_confirmed, delta_locked, at)
    ON balance_history TO gw_watcher;
GRANT UPDATE (status) ON address_pool TO gw_watcher;
GRANT UPDATE (status, exception, final, paid_at, settled_at) ON invoice TO gw_watcher;
GRANT UPDATE (orphaned) ON block, deposit_sighting TO gw_watcher;
GRANT UPDATE ON cursor, network_health, application_wallet_balance TO gw_watcher;
GRANT UPDATE (status, block_height, block_hash, block_time, payer_spent_units, final_at) ON transaction TO gw_watcher;
GRANT UPDATE (status, reason, units, late, block_height, block_hash, block_time, confirmed_at) ON deposit TO gw_watcher;
GRANT UPDATE (next_nonce) ON application_wallet TO gw_watcher;
GRANT UPDATE (status, blocked_reason, failure_reason, tx_hash, network_fee_units, completed_at, updated_at)
    ON withdrawal TO gw_watcher;
GRANT UPDATE ON attempt TO gw_watcher;
GRANT UPDATE (approved_by, approved_at) ON withdrawal TO gw_watcher;  -- what a restored copy forgot
GRANT SELECT, INSERT ON signature TO gw_watcher;
