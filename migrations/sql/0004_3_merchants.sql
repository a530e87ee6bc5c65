-- Merchants as businesses: who they are, what the operator found out about them, their settings,
-- and keys that can be rolled, narrowed and told to sign.
ALTER TABLE merchant
    ADD COLUMN legal_name text CHECK (length(legal_name) BETWEEN 1 AND 200),
    ADD COLUMN address jsonb CHECK (octet_length(address::text) <= 4096),
    ADD COLUMN country text CHECK (country ~ '^[A-Z]{2}$'),
    ADD COLUMN tax_id text CHECK (length(tax_id) BETWEEN 1 AND 64),
    ADD COLUMN website text CHECK (length(website) <= 2048),
    ADD COLUMN phone text CHECK (length(phone) <= 32),
    ADD COLUMN support_email text CHECK (length(support_email) <= 254),
    ADD COLUMN support_url text CHECK (length(support_url) <= 2048),
    ADD COLUMN verification text NOT NULL DEFAULT 'unverified'
        CHECK (verification IN ('unverified', 'pending', 'verified', 'rejected')),
    ADD COLUMN verification_note text CHECK (length(verification_note) <= 500),
    ADD COLUMN verification_by text,
    ADD COLUMN verification_at timestamptz,
    ADD COLUMN suspension_reason text CHECK (length(suspension_reason) BETWEEN 1 AND 500),
    ADD COLUMN suspended_by text,
    ADD COLUMN suspended_at timestamptz;

-- What only an operator decides, and what stays as it was verified. The tenant of an operator's
-- transaction is the operator's own id.
CREATE FUNCTION guard_merchant() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF current_user = 'gw_api' AND NOT is_operator() AND
       (NEW.status, NEW.suspension_reason, NEW.suspended_by, NEW.suspended_at, NEW.deleted_at,
        NEW.verification, NEW.verification_note, NEW.verification_by, NEW.verification_at)
       IS DISTINCT FROM
       (OLD.status, OLD.suspension_reason, OLD.suspended_by, OLD.suspended_at, OLD.deleted_at,
        OLD.verification, OLD.verification_note, OLD.verification_by, OLD.verification_at)
       OR current_user = 'gw_api' AND NOT is_operator() AND OLD.verification = 'verified' AND
       (NEW.legal_name, NEW.address, NEW.country, NEW.tax_id) IS DISTINCT FROM
       (OLD.legal_name, OLD.address, OLD.country, OLD.tax_id) THEN
        RAISE EXCEPTION 'merchant %: only an operator decides that', OLD.id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER merchant_decided BEFORE UPDATE ON merchant
    FOR EACH ROW EXECUTE FUNCTION guard_merchant();
ALTER TABLE merchant ENABLE ALWAYS TRIGGER merchant_decided;
REVOKE ALL ON FUNCTION guard_merchant() FROM PUBLIC;

CREATE POLICY operator ON merchant FOR SELECT TO gw_api USING ((SELECT is_operator()));
CREATE POLICY operator_decides ON merchant FOR UPDATE TO gw_api USING ((SELECT is_operator()));
CREATE POLICY born_unverified ON merchant AS RESTRICTIVE FOR INSERT TO gw_api
    WITH CHECK (status = 'active' AND verification = 'unverified' AND deleted_at IS NULL);
GRANT UPDATE (legal_name, address, country, tax_id, website, phone, support_email, support_url,
    verification, verification_note, verification_by, verification_at,
    status, suspension_reason, suspended_by, suspended_at, deleted_at) ON merchant TO gw_api;

-- Whoever is suspended or gone asks for no money, and lets none go.
CREATE FUNCTION is_active(merchant text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM merchant m
        WHERE m.id = is_active.merchant AND m.status = 'active' AND m.deleted_at IS NULL)
$$;
REVOKE ALL ON FUNCTION is_active(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_active(text) TO gw_api, gw_worker;
CREATE POLICY active_asks ON withdrawal AS RESTRICTIVE FOR INSERT TO gw_api, gw_worker
    WITH CHECK (is_active(merchant_id));
CREATE POLICY active_approves ON withdrawal AS RESTRICTIVE FOR UPDATE TO gw_api, gw_worker
    USING (true) WITH CHECK (status <> 'approved' OR is_active(merchant_id));

-- One row per merchant, made by its first change; null takes the house's default. `notifications` is
-- {kind: [channel, ...]}, `tax_rate` a percentage.
CREATE TABLE merchant_settings (
    merchant_id text PRIMARY KEY REFERENCES merchant ON DELETE RESTRICT,
    notifications jsonb NOT NULL DEFAULT '{}' CHECK (octet_length(notifications::text) <= 8192),
    payment_methods text[] CHECK (cardinality(payment_methods) BETWEEN 1 AND 50),
    confirmation_policy jsonb CHECK (octet_length(confirmation_policy::text) <= 8192),
    success_url text CHECK (length(success_url) <= 2048),
    cancel_url text CHECK (length(cancel_url) <= 2048),
    display_name text CHECK (length(display_name) BETWEEN 1 AND 100),
    primary_color text CHECK (primary_color ~ '^#[0-9a-f]{6}$'),
    logo_url text CHECK (logo_url ~ '^https://[a-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9._~/%-]*$' AND length(logo_url) <= 2048),
    tron_qr text NOT NULL DEFAULT 'address' CHECK (tron_qr IN ('address', 'uri', 'uri_amount')),
    allowed_ips text[] NOT NULL DEFAULT '{}' CHECK (cardinality(allowed_ips) <= 64),
    require_signature boolean NOT NULL DEFAULT false,
    tax_rate numeric(6, 4) CHECK (tax_rate >= 0 AND tax_rate < 100),
    tax_label text CHECK (length(tax_label) BETWEEN 1 AND 40),
    tax_inclusive boolean NOT NULL DEFAULT true,
    metadata jsonb NOT NULL DEFAULT '{}' CHECK (octet_length(metadata::text) <= 65536),
    updated_at timestamptz NOT NULL,
    CHECK ((tax_rate IS NULL) = (tax_label IS NULL))
);
ALTER TABLE merchant_settings ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON merchant_settings TO gw_api USING (merchant_id = (SELECT current_merchant()));
CREATE POLICY worker ON merchant_settings FOR SELECT TO gw_worker USING (true);
GRANT SELECT, INSERT ON merchant_settings TO gw_api;
GRANT UPDATE (notifications, payment_methods, confirmation_policy, success_url, cancel_url,
    display_name, primary_color, logo_url, tron_qr, allowed_ips, require_signature,
    tax_rate, tax_label, tax_inclusive, metadata, updated_at) ON merchant_settings TO gw_api;
GRANT SELECT ON merchant_settings TO gw_worker;

-- A key that is rolled keeps its id: whoever asked for a payment with the old secret is still the
-- one who may not approve it with the new one.
ALTER TABLE api_key
    ADD COLUMN last_used_address text,
    ADD COLUMN public_key bytea CHECK (length(public_key) = 32),
    ADD COLUMN requests_per_minute integer CHECK (requests_per_minute > 0),
    ADD COLUMN previous_key_hash bytea UNIQUE,
    ADD COLUMN previous_prefix text,
    ADD COLUMN previous_until timestamptz,
    ADD CONSTRAINT api_key_previous_check CHECK (num_nulls(previous_key_hash, previous_prefix, previous_until) IN (0, 3));
GRANT UPDATE (scopes, allowed_ips, expires_at, public_key, requests_per_minute,
    key_hash, prefix, previous_key_hash, previous_prefix, previous_until) ON api_key TO gw_api;

-- Nonces of signed requests until their window is over. Not logged, as the counters are not.
CREATE UNLOGGED TABLE request_nonce (
    key_id text NOT NULL,
    nonce text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (key_id, nonce)
);
CREATE INDEX request_nonce_over ON request_nonce (expires_at);
REVOKE ALL ON request_nonce FROM PUBLIC;

-- As in 0003, and still one round trip: who the merchant is and what it demands, and whether the
-- nonce of a signed request is fresh. A suspended merchant's key is found: what it may not do is
-- refused by name. `source` is the caller's address.
CREATE FUNCTION authenticate_key(
        hash bytea, now timestamptz, ceiling integer, source text, nonce text, nonce_until timestamptz)
    RETURNS TABLE (id text, merchant_id text, scopes text[], livemode boolean, allowed_ips text[],
                   quota integer, used integer, resets_in integer, suspended boolean,
                   merchant_ips text[], require_signature boolean, public_key bytea, fresh boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE k record; w rate_window%ROWTYPE; allowed integer; spent boolean := true;
BEGIN
    SELECT a.*, m.status = 'suspended' AS suspended, s.allowed_ips AS merchant_ips, s.require_signature
        INTO k
        FROM api_key a LEFT JOIN merchant m ON m.id = a.merchant_id
            LEFT JOIN merchant_settings s ON s.merchant_id = a.merchant_id
        WHERE (a.key_hash = $1 OR (a.previous_key_hash = $1 AND a.previous_until > $2))
          AND a.revoked_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > $2)
          AND m.deleted_at IS NULL;
    IF k.id IS NULL THEN RETURN; END IF;
    IF k.last_used_at IS NULL OR k.last_used_at < $2 - interval '1 minute' THEN
        -- Nobody waits here for a transaction that is changing the key.
        UPDATE api_key a SET last_used_at = $2, last_used_address = $4
            WHERE a.id = (SELECT o.id FROM api_key o WHERE o.id = k.id FOR UPDATE SKIP LOCKED);
    END IF;
    allowed := coalesce(least(nullif($3, 0), k.requests_per_minute), 0);
    IF allowed > 0 THEN
        INSERT INTO rate_window AS r VALUES (k.id, $2, 1)
            ON CONFLICT (key_id) DO UPDATE SET
                began = CASE WHEN r.began <= $2 - interval '60 s' THEN $2 ELSE r.began END,
                used = CASE WHEN r.began <= $2 - interval '60 s' THEN 1 ELSE least(r.used, allowed) + 1 END
            RETURNING * INTO w;
    END IF;
    IF $5 IS NOT NULL AND k.public_key IS NOT NULL AND coalesce(w.used, 0) <= allowed THEN
        DELETE FROM request_nonce n USING (SELECT o.key_id, o.nonce FROM request_nonce o
                WHERE o.expires_at <= $2 ORDER BY o.expires_at LIMIT 4 FOR UPDATE SKIP LOCKED) o
            WHERE n.key_id = o.key_id AND n.nonce = o.nonce;
        INSERT INTO request_nonce VALUES (k.id, $5, $6) ON CONFLICT DO NOTHING;
        spent := FOUND;
    END IF;
    RETURN QUERY SELECT k.id, k.merchant_id, k.scopes, k.livemode, k.allowed_ips,
        allowed, coalesce(w.used, 0),
        coalesce(ceil(extract(epoch FROM w.began + interval '60 s' - $2))::integer, 0),
        coalesce(k.suspended, false), coalesce(k.merchant_ips, '{}'::text[]),
        coalesce(k.require_signature, false), k.public_key, spent;
END $$;
REVOKE ALL ON FUNCTION authenticate_key(bytea, timestamptz, integer, text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate_key(bytea, timestamptz, integer, text, text, timestamptz) TO gw_api;

-- downgrade
DROP FUNCTION authenticate_key(bytea, timestamptz, integer, text, text, timestamptz);
DROP TABLE request_nonce;
REVOKE UPDATE (scopes, allowed_ips, expires_at, key_hash, prefix) ON api_key FROM gw_api;
ALTER TABLE api_key DROP COLUMN last_used_address, DROP COLUMN public_key, DROP COLUMN requests_per_minute,
    DROP COLUMN previous_key_hash, DROP COLUMN previous_prefix, DROP COLUMN previous_until;
DROP TABLE merchant_settings;
DROP POLICY active_approves ON withdrawal;
DROP POLICY active_asks ON withdrawal;
DROP FUNCTION is_active(text);
REVOKE UPDATE (status, deleted_at) ON merchant FROM gw_api;
DROP POLICY born_unverified ON merchant;
DROP POLICY operator_decides ON merchant;
DROP POLICY operator ON merchant;
DROP TRIGGER merchant_decided ON merchant;
DROP FUNCTION guard_merchant();
ALTER TABLE merchant DROP COLUMN legal_name, DROP COLUMN address, DROP COLUMN country, DROP COLUMN tax_id,
    DROP COLUMN website, DROP COLUMN phone, DROP COLUMN support_email, DROP COLUMN support_url,
    DROP COLUMN verification, DROP COLUMN verification_note, DROP COLUMN verification_by,
    DROP COLUMN verification_at, DROP COLUMN suspension_reason, DROP COLUMN suspended_by, DROP COLUMN suspended_at;
