-- Funds that arrived without being a payment, and what operators did about them.

-- An operator's key stands where a merchant's id otherwise stands in the running transaction.
CREATE FUNCTION is_operator() RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM api_key
        WHERE id = current_merchant() AND merchant_id IS NULL AND revoked_at IS NULL)
$$;
REVOKE ALL ON FUNCTION is_operator() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_operator() TO gw_api;

-- Value at an address of ours that no listed asset describes (`token`), or that lies in an account
-- which a sweep does not reach (`account`). It is in no ledger: nobody knows what it is worth.
CREATE TABLE stray (
    id text PRIMARY KEY,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    tx_hash text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('token', 'account')),
    ordinal integer NOT NULL,
    asset text NOT NULL,
    units units NOT NULL CHECK (units > 0),
    sender text NOT NULL,
    address text NOT NULL,
    reason text NOT NULL CHECK (reason IN ('asset_not_listed', 'account_not_canonical')),
    status text NOT NULL CHECK (status IN ('pending', 'confirmed', 'reorged', 'counted')),
    block_height bigint NOT NULL,
    block_hash text NOT NULL,
    block_time timestamptz NOT NULL,
    detected_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    UNIQUE (network_id, tx_hash, kind, ordinal)
);
CREATE INDEX stray_pending ON stray (network_id, block_height) WHERE status = 'pending';

-- Rows per address and day of block time; beyond the limit only `dropped` grows. A block that is
-- read again after a reorganisation counts again: it is a measure of spam, not of money.
CREATE TABLE stray_day (
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    address text NOT NULL,
    day date NOT NULL,
    kept integer NOT NULL,
    dropped bigint NOT NULL,
    PRIMARY KEY (network_id, address, day)
);

-- What one operator asked to do about an unattributed deposit and another decided; the network's
-- watcher carries it out. One at a time per deposit, and none after one is done.
CREATE TABLE resolution (
    id text PRIMARY KEY,
    deposit_id text NOT NULL REFERENCES deposit ON DELETE RESTRICT,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    kind text NOT NULL CHECK (kind IN ('assign', 'refund')),
    merchant_id text REFERENCES merchant ON DELETE RESTRICT,
    invoice_id text REFERENCES invoice ON DELETE RESTRICT,
    destination text,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'approved', 'paying', 'done', 'rejected', 'failed')),
    failure_reason text,
    withdrawal_id text UNIQUE REFERENCES withdrawal ON DELETE RESTRICT,
    requested_by text NOT NULL,
    decided_by text,
    created_at timestamptz NOT NULL,
    decided_at timestamptz,
    ended_at timestamptz,
    CHECK (decided_by <> requested_by),
    CHECK ((status = 'pending') = (decided_by IS NULL)),
    CHECK ((kind = 'assign') = (merchant_id IS NOT NULL)),
    CHECK ((kind = 'refund') = (destination IS NOT NULL)),
    CHECK (invoice_id IS NULL OR kind = 'assign'),
    CHECK (withdrawal_id IS NULL OR kind = 'refund')
);
CREATE UNIQUE INDEX resolution_live ON resolution (deposit_id)
    WHERE status IN ('pending', 'approved', 'paying', 'done');
CREATE INDEX resolution_open ON resolution (network_id) WHERE status IN ('approved', 'paying');

-- What was asked for never changes, a decision is made once, and an ended one rests.
CREATE FUNCTION guard_resolution() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.deposit_id, NEW.network_id, NEW.kind, NEW.merchant_id, NEW.invoice_id,
        NEW.destination, NEW.reason, NEW.requested_by)
       IS DISTINCT FROM
       (OLD.id, OLD.deposit_id, OLD.network_id, OLD.kind, OLD.merchant_id, OLD.invoice_id,
        OLD.destination, OLD.reason, OLD.requested_by)
       OR (OLD.decided_by IS NOT NULL AND NEW.decided_by IS DISTINCT FROM OLD.decided_by)
       OR (OLD.withdrawal_id IS NOT NULL AND NEW.withdrawal_id IS DISTINCT FROM OLD.withdrawal_id) THEN
        RAISE EXCEPTION 'resolution %: what was asked for and decided never changes', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT (CASE OLD.status
        WHEN 'pending' THEN NEW.status IN ('approved', 'rejected')
        WHEN 'approved' THEN NEW.status IN ('paying', 'done', 'failed')
        WHEN 'paying' THEN NEW.status IN ('done', 'failed')
        ELSE false END) THEN
        RAISE EXCEPTION 'resolution %: % cannot become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER resolution_guard BEFORE UPDATE ON resolution
    FOR EACH ROW EXECUTE FUNCTION guard_resolution();
ALTER TABLE resolution ENABLE ALWAYS TRIGGER resolution_guard;

-- A withdrawal of nobody is a refund out of suspense: it pays exactly what an approved resolution says.
CREATE FUNCTION check_refund() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.merchant_id IS NULL AND NOT EXISTS (
        SELECT 1 FROM resolution r JOIN deposit d ON d.id = r.deposit_id
        WHERE r.withdrawal_id = NEW.id AND r.kind = 'refund' AND r.status = 'paying'
          AND r.destination = NEW.destination AND r.requested_by = NEW.created_by
          AND r.decided_by = NEW.approved_by
          AND d.status = 'confirmed' AND d.purpose = 'refund'
          AND d.currency_id = NEW.currency_id AND d.units = NEW.units + NEW.fee_units) THEN
        RAISE EXCEPTION 'withdrawal % belongs to nobody and refunds nothing', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER withdrawal_refund AFTER INSERT ON withdrawal
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_refund();
ALTER TABLE withdrawal ENABLE ALWAYS TRIGGER withdrawal_refund;
REVOKE ALL ON FUNCTION guard_resolution(), check_refund() FROM PUBLIC;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['stray', 'stray_day', 'resolution']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY operator ON %I FOR SELECT TO gw_api USING ((SELECT is_operator()))', t);
        EXECUTE format('CREATE POLICY watcher ON %I TO gw_watcher USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO gw_api, gw_watcher', t);
    END LOOP;
END $$;
CREATE POLICY operator ON deposit FOR SELECT TO gw_api
    USING (merchant_id IS NULL AND (SELECT is_operator()));
CREATE POLICY operator ON withdrawal FOR SELECT TO gw_api
    USING (merchant_id IS NULL AND (SELECT is_operator()));
CREATE POLICY operator ON audit_log FOR SELECT TO gw_api
    USING (merchant_id IS NULL AND (SELECT is_operator()));
CREATE POLICY operator_writes ON audit_log FOR INSERT TO gw_api
    WITH CHECK (merchant_id IS NULL AND actor = current_merchant() AND (SELECT is_operator()));
-- Each writes under its own name only: a decision by the one who asked fails the row's own check.
CREATE POLICY asked ON resolution FOR INSERT TO gw_api
    WITH CHECK (requested_by = current_merchant() AND status = 'pending' AND (SELECT is_operator()));
CREATE POLICY decided ON resolution FOR UPDATE TO gw_api USING (status = 'pending' AND (SELECT is_operator()))
    WITH CHECK (decided_by = current_merchant() AND status IN ('approved', 'rejected'));
CREATE POLICY refund_only ON withdrawal AS RESTRICTIVE FOR INSERT TO gw_watcher
    WITH CHECK (merchant_id IS NULL AND status = 'approved');

GRANT INSERT ON resolution TO gw_api;
GRANT UPDATE (status, failure_reason, decided_by, decided_at, ended_at) ON resolution TO gw_api;
GRANT INSERT ON stray, stray_day, withdrawal, audit_log TO gw_watcher;
GRANT UPDATE (status, units, block_height, block_hash, block_time, confirmed_at) ON stray TO gw_watcher;
GRANT UPDATE (kept, dropped) ON stray_day TO gw_watcher;
GRANT UPDATE (status, failure_reason, withdrawal_id, ended_at) ON resolution TO gw_watcher;
GRANT UPDATE (purpose, merchant_id, invoice_id) ON deposit TO gw_watcher;
