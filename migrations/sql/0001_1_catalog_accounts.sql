-- Amounts: whole base units up to uint256. A domain over plain numeric refuses fractions, NaN,
-- infinity and overflow, where numeric(78,0) would round in silence.
CREATE DOMAIN units AS numeric
    CHECK (VALUE = trunc(VALUE) AND VALUE >= 0 AND VALUE < 2::numeric ^ 256);
CREATE DOMAIN signed_units AS numeric
    CHECK (VALUE = trunc(VALUE) AND abs(VALUE) < 2::numeric ^ 256);

-- The tenant of the running transaction; set only with set_config(..., is_local => true).
CREATE FUNCTION current_merchant() RETURNS text LANGUAGE sql STABLE
    AS $$ SELECT nullif(current_setting('app.merchant_id', true), '') $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TABLE network (
    id text PRIMARY KEY CHECK (id ~ '^[a-z][a-z0-9_]*$'),
    family text NOT NULL CHECK (family IN ('ethereum', 'tron', 'solana')),
    display_name text NOT NULL,
    identity text NOT NULL,
    test boolean NOT NULL,
    local boolean NOT NULL,
    enabled boolean NOT NULL DEFAULT true
);

CREATE TABLE currency (
    id text PRIMARY KEY,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    code text NOT NULL CHECK (code ~ '^[A-Z0-9]{2,12}$'),
    contract text,
    token_program text,
    decimals smallint NOT NULL CHECK (decimals BETWEEN 0 AND 18),
    minimum_deposit_units units NOT NULL DEFAULT 0,
    withdrawal_fee_units units NOT NULL DEFAULT 0,
    automatic_approval_below_units units NOT NULL DEFAULT 0,
    enabled boolean NOT NULL DEFAULT true,
    UNIQUE (network_id, code)
);
CREATE UNIQUE INDEX currency_contract ON currency (network_id, coalesce(contract, 'native'));

-- What a watcher publishes every few seconds; the API reads it and never asks a node.
CREATE TABLE network_health (
    network_id text PRIMARY KEY REFERENCES network ON DELETE CASCADE,
    head_height bigint NOT NULL,
    scanned_height bigint NOT NULL,
    final_height bigint NOT NULL,
    head_time timestamptz,
    trouble text,
    updated_at timestamptz NOT NULL
);

CREATE TABLE price_history (
    code text NOT NULL,
    quote text NOT NULL,
    source text NOT NULL,
    price numeric(38, 18) NOT NULL CHECK (price > 0),
    at timestamptz NOT NULL,
    PRIMARY KEY (code, quote, source, at)
);

CREATE TABLE merchant (
    id text PRIMARY KEY,
    name text NOT NULL,
    email text,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    invoice_expiry_minutes integer NOT NULL DEFAULT 60 CHECK (invoice_expiry_minutes BETWEEN 1 AND 10080),
    monitoring_days integer NOT NULL DEFAULT 7 CHECK (monitoring_days BETWEEN 1 AND 365),
    tolerance_basis_points integer NOT NULL DEFAULT 50 CHECK (tolerance_basis_points BETWEEN 0 AND 1000),
    created_at timestamptz NOT NULL,
    deleted_at timestamptz
);

CREATE TABLE users (
    id text PRIMARY KEY,
    merchant_id text REFERENCES merchant ON DELETE RESTRICT,
    email text NOT NULL UNIQUE,
    role text NOT NULL CHECK (role IN ('ADMIN', 'MERCHANT', 'OPERATOR')),
    created_at timestamptz NOT NULL,
    deleted_at timestamptz,
    CHECK ((role = 'MERCHANT') = (merchant_id IS NOT NULL))
);

-- merchant_id is null on an operator's key.
CREATE TABLE api_key (
    id text PRIMARY KEY,
    merchant_id text REFERENCES merchant ON DELETE RESTRICT,
    name text NOT NULL,
    prefix text NOT NULL,
    key_hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL,
    livemode boolean NOT NULL,
    allowed_ips text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_id text,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    before jsonb,
    after jsonb,
    address text,
    endpoint text,
    request_id text,
    at timestamptz NOT NULL
);
CREATE INDEX audit_log_subject ON audit_log (subject);
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_append_only;
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_no_truncate;

CREATE TABLE idempotency_key (
    merchant_id text NOT NULL,
    endpoint text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    response_status integer,
    response_body text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, endpoint, key)
);

-- Look-ups that must cross tenants before the tenant is known; each returns one row at most.
CREATE FUNCTION authenticate_key(hash bytea, now timestamptz)
    RETURNS TABLE (id text, merchant_id text, scopes text[], livemode boolean, allowed_ips text[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE api_key k SET last_used_at = now
        WHERE k.key_hash = hash AND (k.last_used_at IS NULL OR k.last_used_at < now - interval '1 minute');
    RETURN QUERY SELECT k.id, k.merchant_id, k.scopes, k.livemode, k.allowed_ips
        FROM api_key k LEFT JOIN merchant m ON m.id = k.merchant_id
        WHERE k.key_hash = hash AND k.revoked_at IS NULL
          AND (k.expires_at IS NULL OR k.expires_at > now)
          AND (k.merchant_id IS NULL OR (m.status = 'active' AND m.deleted_at IS NULL));
END $$;
