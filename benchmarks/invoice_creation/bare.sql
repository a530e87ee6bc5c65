-- One creation as gateway/invoices does it, with rows as long; only the ids are made here.
\set made :made + 1
\set n :first + :made * 8 + :client_id
SELECT * FROM authenticate_key(decode(:hash, 'hex'), now(), 0, '127.0.0.1', NULL, NULL);
BEGIN;
SELECT set_config('app.merchant_id', 'mer_bench', true);
SELECT pg_try_advisory_xact_lock(hashtextextended('mer_bench key ' || :n, 0));
SELECT request_hash, response_status, response_body, expires_at FROM idempotency_key WHERE merchant_id = 'mer_bench' AND endpoint = 'test POST /v1/invoices'
    AND key = 'key-' || :n;
SELECT m.invoice_expiry_minutes, m.monitoring_days, m.tolerance_basis_points, s.payment_methods,
    s.confirmation_policy, s.success_url, s.cancel_url, s.tax_rate, s.tax_label, s.tax_inclusive
    FROM merchant m LEFT JOIN merchant_settings s ON s.merchant_id = m.id
    WHERE m.id = 'mer_bench' AND m.deleted_at IS NULL;
SELECT address AS address, index AS index, path AS path, encode(signature, 'hex') AS signature
    FROM claim_address('ethereum', 'inv_0000000000' || :n, now()) \gset
WITH made AS (
    INSERT INTO invoice (id, merchant_id, livemode, order_id, metadata, amount, currency,
        tolerance_basis_points, confirmation_policy, status, exception, final, created_at, expires_at,
        monitoring_until)
    VALUES ('inv_0000000000' || :n, 'mer_bench', false, '' || :made, '{"basket": "7"}', 25, 'USD', 50, 'final', 'pending',
        'none', false, now(), now() + interval '1 hour', now() + interval '7 days')
), offered AS (
    INSERT INTO payment_option (invoice_id, merchant_id, currency_id, network_id, amount_units, rate,
        rate_source, rate_at, address, address_index, address_path, address_signature, activated_at)
    SELECT 'inv_0000000000' || :n, 'mer_bench', o.* FROM jsonb_to_recordset(jsonb_build_array(jsonb_build_object(
        'currency_id', 'ETH-ETHEREUM', 'network_id', 'ethereum', 'amount_units', '10000000000000000',
        'rate', '2500', 'rate_source', 'static', 'rate_at', now(), 'address', CAST(:address AS text),
        'address_index', CAST(:index AS integer), 'address_path', CAST(:path AS text),
        'address_signature', '\x' || :signature, 'activated_at', now())))
        AS o(currency_id text, network_id text, amount_units numeric, rate numeric, rate_source text,
            rate_at timestamptz, address text, address_index integer, address_path text,
            address_signature bytea, activated_at timestamptz)
)
INSERT INTO invoice_timeline (invoice_id, merchant_id, status, exception, reason, at)
VALUES ('inv_0000000000' || :n, 'mer_bench', 'pending', 'none', 'the invoice was created', now());
WITH told AS (
    INSERT INTO event (id, merchant_id, type, subject, sequence, livemode, api_version, data, at)
    VALUES ('evt_0000000000' || :n, 'mer_bench', 'invoice.created', 'inv_0000000000' || :n, 1, false, '1',
        CAST(:document AS jsonb), now())
    RETURNING sequence
), wanted AS (
    SELECT id, CAST(row_number() OVER (ORDER BY id) AS integer) AS place FROM webhook_endpoint
    WHERE merchant_id = 'mer_bench' AND status = 'enabled' AND deleted_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM merchant WHERE id = 'mer_bench' AND deleted_at IS NOT NULL)
        AND NOT livemode AND events && ARRAY['*', 'invoice.created']
    ORDER BY id LIMIT 32
), queued AS (
    INSERT INTO webhook_delivery (id, merchant_id, endpoint_id, event_id, subject, sequence, status,
        attempts, next_attempt_at, created_at)
    SELECT 'whd_000000000' || :n || wanted.place, 'mer_bench', wanted.id, 'evt_0000000000' || :n, 'inv_0000000000' || :n,
        told.sequence, 'scheduled', 0, now(), now()
    FROM told, wanted
    RETURNING 1
)
SELECT pg_notify('webhook_deliveries', '') FROM (SELECT 1 FROM queued LIMIT 1) AS any_of_them;
INSERT INTO audit_log (merchant_id, actor, action, subject, after, address, endpoint, request_id, at)
VALUES ('mer_bench', 'key_bench', 'invoice.created', 'inv_0000000000' || :n,
    '{"amount": "25", "currency": "USD", "order_id": "1"}', '127.0.0.1', 'POST /v1/invoices',
    'req_0000000000' || :n, now());
INSERT INTO idempotency_key (merchant_id, endpoint, key, request_hash, response_status, response_body,
    created_at, expires_at)
VALUES ('mer_bench', 'test POST /v1/invoices', 'key-' || :n, sha256('body'), 201, :kept,
    now(), now() + interval '1 day');
COMMIT;
