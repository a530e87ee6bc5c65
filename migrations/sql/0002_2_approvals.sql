-- Orders that people approve, their proofs, the keystore's policy as published, and what is paused.

-- What the keystore goes by, for people to read: it decides from its own file, never from here.
-- `approvers` are the people that the rules name, with their public keys.
CREATE TABLE policy_snapshot (
    network_id text PRIMARY KEY REFERENCES network ON DELETE CASCADE,
    fingerprint text NOT NULL,
    rules jsonb NOT NULL,
    approvers jsonb NOT NULL,
    published_at timestamptz NOT NULL
);

-- Whether the running transaction is an approver's: `approver:NAME` stands where a merchant's id
-- otherwise stands, and some network's policy names that person.
CREATE FUNCTION is_approver() RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM policy_snapshot s CROSS JOIN jsonb_array_elements(s.approvers) a
        WHERE 'approver:' || (a ->> 'name') = current_merchant())
$$;
-- The merchant whose own system this approver is; null for people of the house, who see every order.
CREATE FUNCTION approver_merchant() RETURNS text
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT min(a ->> 'merchant') FROM policy_snapshot s CROSS JOIN jsonb_array_elements(s.approvers) a
        WHERE 'approver:' || (a ->> 'name') = current_merchant()
$$;
REVOKE ALL ON FUNCTION is_approver(), approver_merchant() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_approver(), approver_merchant() TO gw_api;

-- What people approve: a withdrawal in full, as the keystore will compare it with the payment.
-- One that expired is followed by another revision, which has to be approved anew.
CREATE TABLE approval_order (
    id text PRIMARY KEY,
    withdrawal_id text NOT NULL REFERENCES withdrawal ON DELETE RESTRICT,
    revision integer NOT NULL CHECK (revision > 0),
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    asset text NOT NULL,
    destination text NOT NULL,
    units units NOT NULL CHECK (units > 0),
    fee_ceiling_units units NOT NULL,
    merchant_id text REFERENCES merchant ON DELETE RESTRICT,
    requested_by text NOT NULL,
    expires_ms bigint NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (withdrawal_id, revision)
);
CREATE INDEX approval_order_open ON approval_order (expires_ms);

CREATE FUNCTION check_approval_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM withdrawal w JOIN currency c ON c.id = w.currency_id
        WHERE w.id = NEW.withdrawal_id AND w.network_id = NEW.network_id AND w.units = NEW.units
          AND w.destination = NEW.destination AND w.created_by = NEW.requested_by
          AND w.merchant_id IS NOT DISTINCT FROM NEW.merchant_id
          AND NEW.asset = CASE WHEN c.contract IS NULL THEN 'native'
              WHEN c.contract LIKE '0x%' THEN lower(c.contract) ELSE c.contract END) THEN
        RAISE EXCEPTION 'order % is not its withdrawal', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.revision > 1 AND NOT EXISTS (SELECT 1 FROM approval_order o
        WHERE o.withdrawal_id = NEW.withdrawal_id AND o.revision = NEW.revision - 1
          AND o.expires_ms <= extract(epoch FROM NEW.created_at) * 1000) THEN
        RAISE EXCEPTION 'order %: the one before it has not expired', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approval_order_check BEFORE INSERT ON approval_order
    FOR EACH ROW EXECUTE FUNCTION check_approval_order();
ALTER TABLE approval_order ENABLE ALWAYS TRIGGER approval_order_check;

-- A person's proof for one order; the keystore proves it again.
CREATE TABLE approval (
    order_id text NOT NULL REFERENCES approval_order ON DELETE RESTRICT,
    approver text NOT NULL,
    proof jsonb NOT NULL CHECK (octet_length(proof::text) <= 8192),
    at timestamptz NOT NULL,
    PRIMARY KEY (order_id, approver)
);

-- A person's no, with the signature of the request that said it. One is enough; the network's
-- watcher carries it out.
CREATE TABLE refusal (
    order_id text PRIMARY KEY REFERENCES approval_order ON DELETE RESTRICT,
    approver text NOT NULL,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    proof jsonb NOT NULL CHECK (octet_length(proof::text) <= 8192),
    at timestamptz NOT NULL
);

-- A no is final: it waits for whoever begins the payment just now, and finds it begun or stops it.
CREATE FUNCTION check_refusal_in_time() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE standing text;
BEGIN
    IF EXISTS (SELECT 1 FROM refusal r WHERE r.order_id = NEW.order_id) THEN RETURN NEW; END IF;
    SELECT w.status INTO standing FROM approval_order o JOIN withdrawal w ON w.id = o.withdrawal_id
        WHERE o.id = NEW.order_id FOR UPDATE OF w;
    IF standing IS DISTINCT FROM 'approved' THEN
        RAISE EXCEPTION 'order %: its payment is begun', NEW.order_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION check_refusal_in_time() FROM PUBLIC;
CREATE TRIGGER refusal_in_time BEFORE INSERT ON refusal
    FOR EACH ROW EXECUTE FUNCTION check_refusal_in_time();
ALTER TABLE refusal ENABLE ALWAYS TRIGGER refusal_in_time;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['approval_order', 'approval', 'refusal']
    LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I
            FOR EACH ROW EXECUTE FUNCTION refuse_change()', t || '_append_only', t);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t || '_no_truncate', t);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t, t || '_append_only');
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', t, t || '_no_truncate');
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY watcher ON %I TO gw_watcher USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO gw_api, gw_watcher', t);
    END LOOP;
END $$;

CREATE POLICY deciding ON approval_order FOR SELECT TO gw_api USING ((SELECT is_operator())
    OR (SELECT is_approver() AND approver_merchant() IS NULL) OR merchant_id = (SELECT approver_merchant()));
-- Whoever sees an order sees what was said to it.
CREATE POLICY deciding ON approval FOR SELECT TO gw_api
    USING (EXISTS (SELECT 1 FROM approval_order o WHERE o.id = order_id));
CREATE POLICY deciding ON refusal FOR SELECT TO gw_api
    USING (EXISTS (SELECT 1 FROM approval_order o WHERE o.id = order_id));
-- An approver writes under its own name only; an operator's key may carry a proof that proves itself.
CREATE POLICY proved ON approval FOR INSERT TO gw_api WITH CHECK (
    EXISTS (SELECT 1 FROM approval_order o WHERE o.id = order_id)
    AND ((SELECT is_operator()) OR ((SELECT is_approver()) AND 'approver:' || approver = current_merchant())));
CREATE POLICY refused ON refusal FOR INSERT TO gw_api WITH CHECK (
    EXISTS (SELECT 1 FROM approval_order o WHERE o.id = order_id)
    AND (SELECT is_approver()) AND 'approver:' || approver = current_merchant());
-- Who decides about an order sees its withdrawal, and refunds, which are no merchant's.
CREATE POLICY deciding ON withdrawal FOR SELECT TO gw_api USING (
    ((SELECT is_approver()) OR (SELECT is_operator()))
    AND (merchant_id IS NULL AND (SELECT approver_merchant()) IS NULL
        OR EXISTS (SELECT 1 FROM approval_order o WHERE o.withdrawal_id = withdrawal.id)));
CREATE POLICY approver ON audit_log FOR SELECT TO gw_api
    USING (merchant_id IS NULL AND actor = current_merchant() AND (SELECT is_approver()));
CREATE POLICY approver_writes ON audit_log FOR INSERT TO gw_api
    WITH CHECK (merchant_id IS NULL AND actor = current_merchant() AND (SELECT is_approver()));

-- How many proofs a withdrawal has and needs, as its watcher last saw it; null where nobody is asked.
ALTER TABLE withdrawal ADD COLUMN approvals_have integer CHECK (approvals_have >= 0),
    ADD COLUMN approvals_need integer CHECK (approvals_need >= 0);

GRANT SELECT ON policy_snapshot TO gw_api, gw_watcher;
GRANT INSERT, UPDATE ON policy_snapshot TO gw_watcher;
GRANT INSERT ON approval_order TO gw_watcher;
GRANT INSERT ON approval, refusal TO gw_api;
GRANT UPDATE (approvals_have, approvals_need, rejected_by) ON withdrawal TO gw_watcher;

-- What an operator stopped paying out: a network, an asset, a merchant, or what fits all that are
-- named. Deposits go on. `livemode` is the operator's own: a test key stops no real money.
CREATE TABLE pause (
    id text PRIMARY KEY,
    livemode boolean NOT NULL,
    network_id text REFERENCES network ON DELETE RESTRICT,
    currency_id text REFERENCES currency ON DELETE RESTRICT,
    merchant_id text REFERENCES merchant ON DELETE RESTRICT,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 300),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    lifted_at timestamptz,
    lifted_by text,
    CHECK ((lifted_at IS NULL) = (lifted_by IS NULL))
);
CREATE INDEX pause_standing ON pause (created_at) WHERE lifted_at IS NULL;

CREATE FUNCTION guard_pause() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.livemode, NEW.network_id, NEW.currency_id, NEW.merchant_id, NEW.reason,
        NEW.created_by, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.livemode, OLD.network_id, OLD.currency_id, OLD.merchant_id, OLD.reason,
        OLD.created_by, OLD.created_at)
       OR OLD.lifted_at IS NOT NULL THEN
        RAISE EXCEPTION 'pause %: it is lifted once, and nothing else changes', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER pause_guard BEFORE UPDATE ON pause FOR EACH ROW EXECUTE FUNCTION guard_pause();
ALTER TABLE pause ENABLE ALWAYS TRIGGER pause_guard;
REVOKE ALL ON FUNCTION check_approval_order(), guard_pause() FROM PUBLIC;

ALTER TABLE pause ENABLE ROW LEVEL SECURITY;
CREATE POLICY operator ON pause FOR SELECT TO gw_api USING ((SELECT is_operator()));
CREATE POLICY paused ON pause FOR INSERT TO gw_api
    WITH CHECK (created_by = current_merchant() AND lifted_at IS NULL AND (SELECT is_operator()));
CREATE POLICY lifted ON pause FOR UPDATE TO gw_api USING (lifted_at IS NULL AND (SELECT is_operator()))
    WITH CHECK (lifted_by = current_merchant());
CREATE POLICY watcher ON pause TO gw_watcher USING (true);
GRANT SELECT ON pause TO gw_api, gw_watcher;
GRANT INSERT, UPDATE (lifted_at, lifted_by) ON pause TO gw_api;

-- downgrade
DROP POLICY approver ON audit_log;
DROP POLICY approver_writes ON audit_log;
DROP POLICY deciding ON withdrawal;
REVOKE UPDATE (rejected_by) ON withdrawal FROM gw_watcher;
ALTER TABLE withdrawal DROP COLUMN approvals_have, DROP COLUMN approvals_need;
DROP TABLE pause, refusal, approval, approval_order;
DROP FUNCTION check_approval_order();
DROP FUNCTION check_refusal_in_time();
DROP FUNCTION guard_pause();
DROP FUNCTION is_approver();
DROP FUNCTION approver_merchant();
DROP TABLE policy_snapshot;
