-- What merchants may ask for: quotes, batches, address book, automatic withdrawals, refunds.
ALTER TABLE question DROP CONSTRAINT question_kind_check,
    ADD CONSTRAINT question_kind_check CHECK (kind IN ('explain', 'destination')),
    DROP CONSTRAINT question_body_check,
    ADD CONSTRAINT question_body_check CHECK (octet_length(body::text) <= 32768);

-- What a payout costs the operator now, in the network's own coin: published by the watcher.
CREATE TABLE fee_quote (
    currency_id text PRIMARY KEY REFERENCES currency ON DELETE RESTRICT,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    typical_units units NOT NULL,
    ceiling_units units NOT NULL,
    parts jsonb NOT NULL,
    published_at timestamptz NOT NULL
);

-- Withdrawals that were asked for together; each of them stands alone.
CREATE TABLE withdrawal_batch (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    livemode boolean NOT NULL,
    items integer NOT NULL CHECK (items BETWEEN 1 AND 100),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL
);

-- Where a merchant's money may go. An entry counts from `usable_at` on; what it says never changes.
CREATE TABLE address_book_entry (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    livemode boolean NOT NULL,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    address text NOT NULL,
    label text NOT NULL CHECK (length(label) BETWEEN 1 AND 100),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    usable_at timestamptz NOT NULL CHECK (usable_at >= created_at),
    deleted_at timestamptz
);
CREATE UNIQUE INDEX address_book_live ON address_book_entry (merchant_id, livemode, network_id, address)
    WHERE deleted_at IS NULL;

-- Opening the book again takes as long as a new entry: `restricted_until` is when it is over.
CREATE TABLE withdrawal_settings (
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    livemode boolean NOT NULL,
    address_book_only boolean NOT NULL,
    restricted_until timestamptz,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, livemode),
    CHECK (address_book_only = (restricted_until IS NULL))
);

-- Above `threshold_units` the balance goes to an entry of the book, down to `keep_units`.
CREATE TABLE payout_rule (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    livemode boolean NOT NULL,
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    entry_id text NOT NULL REFERENCES address_book_entry ON DELETE RESTRICT,
    threshold_units units NOT NULL CHECK (threshold_units > 0),
    keep_units units NOT NULL CHECK (keep_units < threshold_units),
    approval text NOT NULL CHECK (approval IN ('merchant', 'automatic')),
    period_minutes integer NOT NULL CHECK (period_minutes BETWEEN 1 AND 44640),
    enabled boolean NOT NULL,
    reason text,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz
);
CREATE UNIQUE INDEX payout_rule_live ON payout_rule (merchant_id, currency_id) WHERE deleted_at IS NULL;

ALTER TABLE withdrawal
    ADD COLUMN batch_id text REFERENCES withdrawal_batch ON DELETE RESTRICT,
    ADD COLUMN batch_index integer CHECK (batch_index >= 0),
    ADD COLUMN invoice_id text REFERENCES invoice ON DELETE RESTRICT,
    ADD COLUMN refund_kind text CHECK (refund_kind IN ('full', 'excess', 'remainder')),
    ADD COLUMN rule_id text REFERENCES payout_rule ON DELETE RESTRICT,
    ADD CONSTRAINT withdrawal_batch_check CHECK ((batch_id IS NULL) = (batch_index IS NULL)),
    ADD CONSTRAINT withdrawal_refund_check CHECK ((invoice_id IS NULL) = (refund_kind IS NULL)),
    ADD CONSTRAINT withdrawal_rule_check CHECK (CASE WHEN rule_id IS NULL THEN created_by NOT LIKE 'auto:%'
        ELSE created_by = 'auto:' || rule_id END);
CREATE UNIQUE INDEX withdrawal_of_batch ON withdrawal (batch_id, batch_index) WHERE batch_id IS NOT NULL;
CREATE INDEX withdrawal_of_invoice ON withdrawal (invoice_id) WHERE invoice_id IS NOT NULL;
-- One automatic withdrawal of a rule at a time, whatever the worker does.
CREATE UNIQUE INDEX withdrawal_of_rule ON withdrawal (rule_id) WHERE rule_id IS NOT NULL
    AND status IN ('pending', 'approved', 'signing', 'broadcast', 'confirming');

-- What a withdrawal belongs to never changes; a rule approves its own only, and below the limit.
CREATE FUNCTION guard_withdrawal_links() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.batch_id, NEW.batch_index, NEW.invoice_id, NEW.refund_kind, NEW.rule_id)
       IS DISTINCT FROM (OLD.batch_id, OLD.batch_index, OLD.invoice_id, OLD.refund_kind, OLD.rule_id) THEN
        RAISE EXCEPTION 'withdrawal %: what it belongs to never changes', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.approved_by LIKE 'auto:%' AND NEW.approved_by IS DISTINCT FROM OLD.approved_by
       AND NOT (NEW.approved_by = NEW.created_by AND EXISTS (
            SELECT 1 FROM payout_rule r JOIN currency c ON c.id = r.currency_id
            WHERE r.id = NEW.rule_id AND r.approval = 'automatic'
              AND NEW.units < c.automatic_approval_below_units)) THEN
        RAISE EXCEPTION 'withdrawal %: its rule may not approve it', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER withdrawal_links BEFORE UPDATE ON withdrawal
    FOR EACH ROW EXECUTE FUNCTION guard_withdrawal_links();
ALTER TABLE withdrawal ENABLE ALWAYS TRIGGER withdrawal_links;

-- Nobody is refunded more of a currency than the invoice received of it: the invoice's row lock
-- puts refunds in an order. An automatic withdrawal pays what its rule says, where it says.
CREATE FUNCTION check_withdrawal_links() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE i invoice%ROWTYPE; received numeric; refunded numeric;
BEGIN
    IF NEW.invoice_id IS NOT NULL THEN
        SELECT * INTO i FROM invoice WHERE id = NEW.invoice_id FOR UPDATE;
        SELECT coalesce(sum(units), 0) INTO received FROM deposit WHERE invoice_id = NEW.invoice_id
            AND merchant_id = NEW.merchant_id AND currency_id = NEW.currency_id AND status = 'confirmed';
        SELECT coalesce(sum(units), 0) INTO refunded FROM withdrawal WHERE invoice_id = NEW.invoice_id
            AND currency_id = NEW.currency_id AND status NOT IN ('rejected', 'canceled', 'failed');
        IF (i.merchant_id, i.livemode) IS DISTINCT FROM (NEW.merchant_id, NEW.livemode)
           OR refunded > received THEN
            RAISE EXCEPTION 'withdrawal % refunds more than invoice % received', NEW.id, NEW.invoice_id
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    IF NEW.batch_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM withdrawal_batch b
        WHERE b.id = NEW.batch_id AND b.merchant_id = NEW.merchant_id AND b.livemode = NEW.livemode) THEN
        RAISE EXCEPTION 'withdrawal % is in a batch of somebody else', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.rule_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM payout_rule r JOIN address_book_entry e ON e.id = r.entry_id
        WHERE r.id = NEW.rule_id AND r.enabled AND r.deleted_at IS NULL
          AND r.merchant_id = NEW.merchant_id AND r.livemode = NEW.livemode
          AND r.currency_id = NEW.currency_id AND e.merchant_id = r.merchant_id
          AND e.livemode = r.livemode AND e.network_id = NEW.network_id
          AND e.address = NEW.destination AND e.deleted_at IS NULL AND e.usable_at <= NEW.created_at) THEN
        RAISE EXCEPTION 'withdrawal % is not what its rule says', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER withdrawal_links_check AFTER INSERT ON withdrawal
    FOR EACH ROW EXECUTE FUNCTION check_withdrawal_links();
ALTER TABLE withdrawal ENABLE ALWAYS TRIGGER withdrawal_links_check;
REVOKE ALL ON FUNCTION guard_withdrawal_links(), check_withdrawal_links() FROM PUBLIC;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['withdrawal_batch', 'address_book_entry', 'withdrawal_settings', 'payout_rule']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO gw_api USING (merchant_id = (SELECT current_merchant()))', t);
        EXECUTE format('CREATE POLICY worker ON %I TO gw_worker USING (true)', t);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO gw_api', t);
        EXECUTE format('GRANT SELECT ON %I TO gw_worker', t);
    END LOOP;
END $$;
GRANT SELECT ON fee_quote TO gw_api;
GRANT SELECT, INSERT, UPDATE ON fee_quote TO gw_watcher;
GRANT UPDATE (label, deleted_at) ON address_book_entry TO gw_api;
GRANT UPDATE (address_book_only, restricted_until, changed_at) ON withdrawal_settings TO gw_api;
GRANT UPDATE (entry_id, threshold_units, keep_units, approval, period_minutes, enabled, reason, updated_at, deleted_at)
    ON payout_rule TO gw_api;

-- The API lets go, refuses and takes back; what the chain decides is the watchers' to write.
CREATE POLICY before_the_chain ON withdrawal AS RESTRICTIVE FOR UPDATE TO gw_api USING (true)
    WITH CHECK (status IN ('pending', 'approved', 'rejected', 'canceled'));
-- The worker asks for what a rule says, and approves it where the rule may: nothing else.
CREATE POLICY no_rule ON withdrawal AS RESTRICTIVE FOR INSERT TO gw_api WITH CHECK (rule_id IS NULL);
CREATE POLICY automatic_request ON withdrawal AS RESTRICTIVE FOR INSERT TO gw_worker
    WITH CHECK (rule_id IS NOT NULL AND status = 'pending' AND approved_by IS NULL
        AND approved_at IS NULL AND tx_hash IS NULL);
CREATE POLICY automatic_approval ON withdrawal AS RESTRICTIVE FOR UPDATE TO gw_worker
    USING (rule_id IS NOT NULL AND status = 'pending')
    WITH CHECK (status = 'approved' AND approved_by = created_by);
CREATE POLICY automatic_hold ON journal AS RESTRICTIVE FOR INSERT TO gw_worker WITH CHECK (kind = 'hold');
CREATE POLICY automatic_hold ON balance_history AS RESTRICTIVE FOR INSERT TO gw_worker
    WITH CHECK (change_type = 'HOLD' AND delta_confirmed + delta_locked = 0);
CREATE POLICY automatic_record ON audit_log AS RESTRICTIVE FOR INSERT TO gw_worker
    WITH CHECK (actor LIKE 'auto:%' AND merchant_id IS NOT NULL);
CREATE POLICY worker ON pause FOR SELECT TO gw_worker USING (true);
GRANT SELECT ON wallet, journal, pause TO gw_worker;
GRANT SELECT (id) ON audit_log TO gw_worker;
GRANT INSERT ON withdrawal, journal, audit_log TO gw_worker;
GRANT INSERT (journal_id, account, currency_id, change_type, delta_confirmed, delta_locked, at)
    ON balance_history TO gw_worker;
GRANT UPDATE (status, blocked_reason, approved_by, approved_at, updated_at) ON withdrawal TO gw_worker;
GRANT UPDATE (reason) ON payout_rule TO gw_worker;
GRANT EXECUTE ON FUNCTION is_own_address(text, text) TO gw_worker;

-- downgrade
DROP POLICY before_the_chain ON withdrawal;
REVOKE EXECUTE ON FUNCTION is_own_address(text, text) FROM gw_worker;
REVOKE UPDATE (status, blocked_reason, approved_by, approved_at, updated_at) ON withdrawal FROM gw_worker;
REVOKE INSERT (journal_id, account, currency_id, change_type, delta_confirmed, delta_locked, at)
    ON balance_history FROM gw_worker;
REVOKE INSERT ON withdrawal, journal, audit_log FROM gw_worker;
REVOKE SELECT (id) ON audit_log FROM gw_worker;
REVOKE SELECT ON wallet, journal, pause FROM gw_worker;
DROP POLICY automatic_record ON audit_log;
DROP POLICY worker ON pause;
DROP POLICY automatic_hold ON balance_history;
DROP POLICY automatic_hold ON journal;
DROP POLICY automatic_approval ON withdrawal;
DROP POLICY automatic_request ON withdrawal;
DROP POLICY no_rule ON withdrawal;
DROP TRIGGER withdrawal_links_check ON withdrawal;
DROP TRIGGER withdrawal_links ON withdrawal;
DROP FUNCTION check_withdrawal_links();
DROP FUNCTION guard_withdrawal_links();
ALTER TABLE withdrawal DROP COLUMN batch_id, DROP COLUMN batch_index, DROP COLUMN invoice_id, DROP COLUMN refund_kind, DROP COLUMN rule_id;
DROP TABLE payout_rule, withdrawal_settings, address_book_entry, withdrawal_batch, fee_quote;
DELETE FROM question WHERE kind <> 'explain' OR octet_length(body::text) > 1024;
ALTER TABLE question DROP CONSTRAINT question_kind_check,
    ADD CONSTRAINT question_kind_check CHECK (kind IN ('explain')),
    DROP CONSTRAINT question_body_check,
    ADD CONSTRAINT question_body_check CHECK (octet_length(body::text) <= 1024);
