-- One order of ours (a withdrawal, a sweep, a top-up) may take several transactions, all for the
-- same place on the chain: the first, and those that replace it with a higher fee or cancel it. At
-- most one of them lands; the others end as `replaced`. What was `refused` was never signed: it
-- leaves its place to another. `lost` was signed for a withdrawal that a restored copy does not have.
ALTER TABLE attempt ADD COLUMN order_id text;
ALTER TABLE attempt DISABLE TRIGGER attempt_guard;
UPDATE attempt SET order_id = coalesce(withdrawal_id, id);
ALTER TABLE attempt ENABLE ALWAYS TRIGGER attempt_guard;
ALTER TABLE attempt ALTER COLUMN order_id SET NOT NULL,
    ADD COLUMN place integer NOT NULL DEFAULT 1 CHECK (place > 0),
    ADD COLUMN sent_height bigint,
    ADD COLUMN passed_height bigint,
    DROP CONSTRAINT attempt_withdrawal_id_key,
    DROP CONSTRAINT attempt_network_id_sender_nonce_key,
    DROP CONSTRAINT attempt_network_id_nonce_account_nonce_value_key,
    DROP CONSTRAINT attempt_purpose_check,
    DROP CONSTRAINT attempt_check,
    DROP CONSTRAINT attempt_state_check,
    ADD CONSTRAINT attempt_purpose_check CHECK (purpose IN ('payout', 'setup', 'cancel', 'sweep',
        'top_up', 'refill', 'cold', 'resource', 'lost')),
    ADD CONSTRAINT attempt_withdrawal_check CHECK (CASE purpose WHEN 'payout' THEN withdrawal_id IS NOT NULL
        WHEN 'cancel' THEN place > 1 ELSE withdrawal_id IS NULL END),
    ADD CONSTRAINT attempt_order_check CHECK (order_id = coalesce(withdrawal_id, order_id)),
    ADD CONSTRAINT attempt_state_check CHECK (state IN ('prepared', 'signed', 'included', 'succeeded',
        'failed', 'refused', 'replaced')),
    ADD CONSTRAINT attempt_refused_check CHECK (state <> 'refused' OR raw IS NULL);
CREATE UNIQUE INDEX attempt_order_place ON attempt (order_id, place) WHERE state <> 'refused';
CREATE INDEX attempt_order ON attempt (order_id);
CREATE INDEX attempt_withdrawal ON attempt (withdrawal_id);
CREATE UNIQUE INDEX attempt_nonce ON attempt (network_id, sender, nonce) WHERE place = 1;
CREATE UNIQUE INDEX attempt_nonce_value ON attempt (network_id, nonce_account, nonce_value) WHERE place = 1;

-- A replacement takes the nonce of its order's first transaction, and no other. Where there is no
-- nonce a second transaction would be a second payment.
CREATE FUNCTION guard_replacement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.place > 1 AND NOT EXISTS (SELECT 1 FROM attempt f WHERE f.order_id = NEW.order_id
        AND f.place = 1 AND f.state <> 'refused' AND f.nonce IS NOT NULL AND f.network_id = NEW.network_id AND f.sender = NEW.sender
        AND f.withdrawal_id IS NOT DISTINCT FROM NEW.withdrawal_id
        AND (f.nonce, f.nonce_account, f.nonce_value)
            IS NOT DISTINCT FROM (NEW.nonce, NEW.nonce_account, NEW.nonce_value)) THEN
        RAISE EXCEPTION 'attempt %: replaces nothing in its place', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER attempt_replacement BEFORE INSERT ON attempt
    FOR EACH ROW EXECUTE FUNCTION guard_replacement();
ALTER TABLE attempt ENABLE ALWAYS TRIGGER attempt_replacement;

-- The guard of 0001 with the new columns.
CREATE OR REPLACE FUNCTION guard_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.network_id, NEW.purpose, NEW.withdrawal_id, NEW.order_id, NEW.place, NEW.intent,
        NEW.sender, NEW.nonce_account)
       IS DISTINCT FROM
       (OLD.id, OLD.network_id, OLD.purpose, OLD.withdrawal_id, OLD.order_id, OLD.place, OLD.intent,
        OLD.sender, OLD.nonce_account)
       OR (OLD.raw IS NOT NULL AND (NEW.raw, NEW.tx_hash) IS DISTINCT FROM (OLD.raw, OLD.tx_hash))
       OR (NEW.nonce IS NOT NULL AND NEW.nonce IS DISTINCT FROM OLD.nonce)
       OR (NEW.nonce_value IS NOT NULL AND NEW.nonce_value IS DISTINCT FROM OLD.nonce_value) THEN
        RAISE EXCEPTION 'attempt %: an intent and its bytes never change', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- The guard of 0001: an intent that nobody would sign makes way, and its withdrawal waits again.
CREATE OR REPLACE FUNCTION guard_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.merchant_id, NEW.currency_id, NEW.network_id, NEW.units, NEW.fee_units,
        NEW.destination, NEW.created_by)
       IS DISTINCT FROM
       (OLD.id, OLD.merchant_id, OLD.currency_id, OLD.network_id, OLD.units, OLD.fee_units,
        OLD.destination, OLD.created_by) THEN
        RAISE EXCEPTION 'withdrawal %: what was asked for never changes', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT (CASE OLD.status
        WHEN 'pending' THEN NEW.status IN ('approved', 'rejected', 'canceled')
        WHEN 'approved' THEN NEW.status IN ('signing', 'rejected', 'canceled')
        WHEN 'signing' THEN NEW.status IN ('approved', 'broadcast', 'failed')
        WHEN 'broadcast' THEN NEW.status IN ('confirming', 'completed', 'failed')
        WHEN 'confirming' THEN NEW.status IN ('broadcast', 'completed', 'failed')
        ELSE false END) THEN
        RAISE EXCEPTION 'withdrawal %: % cannot become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    -- A statement of its own: only the watcher goes back, and only it may read attempts.
    IF OLD.status = 'signing' AND NEW.status = 'approved' THEN
        PERFORM 1 FROM attempt a WHERE a.order_id = OLD.id AND a.state <> 'refused';
        IF FOUND THEN
            RAISE EXCEPTION 'withdrawal %: its transaction may have been signed', OLD.id
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;

-- An operator's wish that an order be taken back: its watcher replaces the transaction that waits
-- by one that moves nothing.
CREATE TABLE cancel_request (
    id text PRIMARY KEY,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    order_id text NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    answer text,
    ended_at timestamptz
);
CREATE UNIQUE INDEX cancel_request_open ON cancel_request (order_id) WHERE ended_at IS NULL;
GRANT SELECT, INSERT, UPDATE (answer, ended_at) ON cancel_request TO gw_watcher;

-- What was signed for nothing that this copy knows may have paid somebody: an operator looks first.
ALTER TABLE asset_hold DROP CONSTRAINT asset_hold_cause_check,
    ADD CONSTRAINT asset_hold_cause_check CHECK (cause IN ('drift', 'changed', 'refused', 'paused', 'frozen',
        'lost'));

-- An address that only takes: the operator's cold storage.
ALTER TABLE application_wallet DROP CONSTRAINT application_wallet_purpose_check,
    ADD CONSTRAINT application_wallet_purpose_check CHECK (purpose IN ('hot', 'gas', 'nonce', 'cold'));

-- downgrade
DROP TABLE cancel_request;
DELETE FROM asset_hold WHERE cause = 'lost';
ALTER TABLE asset_hold DROP CONSTRAINT asset_hold_cause_check,
    ADD CONSTRAINT asset_hold_cause_check CHECK (cause IN ('drift', 'changed', 'refused', 'paused', 'frozen'));
DROP TRIGGER attempt_replacement ON attempt;
DROP FUNCTION guard_replacement();
DELETE FROM application_wallet_balance b USING application_wallet w WHERE w.id = b.wallet_id AND w.purpose = 'cold';
DELETE FROM application_wallet WHERE purpose = 'cold';
ALTER TABLE application_wallet DROP CONSTRAINT application_wallet_purpose_check,
    ADD CONSTRAINT application_wallet_purpose_check CHECK (purpose IN ('hot', 'gas', 'nonce'));
CREATE OR REPLACE FUNCTION guard_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.network_id, NEW.purpose, NEW.withdrawal_id, NEW.intent, NEW.sender, NEW.nonce_account)
       IS DISTINCT FROM
       (OLD.id, OLD.network_id, OLD.purpose, OLD.withdrawal_id, OLD.intent, OLD.sender, OLD.nonce_account)
       OR (OLD.raw IS NOT NULL AND (NEW.raw, NEW.tx_hash) IS DISTINCT FROM (OLD.raw, OLD.tx_hash))
       OR (NEW.nonce IS NOT NULL AND NEW.nonce IS DISTINCT FROM OLD.nonce)
       OR (NEW.nonce_value IS NOT NULL AND NEW.nonce_value IS DISTINCT FROM OLD.nonce_value) THEN
        RAISE EXCEPTION 'attempt %: an intent and its bytes never change', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION guard_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.merchant_id, NEW.currency_id, NEW.network_id, NEW.units, NEW.fee_units,
        NEW.destination, NEW.created_by)
       IS DISTINCT FROM
       (OLD.id, OLD.merchant_id, OLD.currency_id, OLD.network_id, OLD.units, OLD.fee_units,
        OLD.destination, OLD.created_by) THEN
        RAISE EXCEPTION 'withdrawal %: what was asked for never changes', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT (CASE OLD.status
        WHEN 'pending' THEN NEW.status IN ('approved', 'rejected', 'canceled')
        WHEN 'approved' THEN NEW.status IN ('signing', 'rejected', 'canceled')
        WHEN 'signing' THEN NEW.status IN ('broadcast', 'failed')
        WHEN 'broadcast' THEN NEW.status IN ('confirming', 'completed', 'failed')
        WHEN 'confirming' THEN NEW.status IN ('broadcast', 'completed', 'failed')
        ELSE false END) THEN
        RAISE EXCEPTION 'withdrawal %: % cannot become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- Fails while there are rows that revision 0001 cannot hold: money's rows are never deleted.
DROP INDEX attempt_withdrawal, attempt_nonce, attempt_nonce_value, attempt_order, attempt_order_place;
ALTER TABLE attempt DROP CONSTRAINT attempt_purpose_check,
    DROP CONSTRAINT attempt_withdrawal_check,
    DROP CONSTRAINT attempt_order_check,
    DROP CONSTRAINT attempt_state_check,
    DROP CONSTRAINT attempt_refused_check,
    DROP COLUMN order_id,
    DROP COLUMN place,
    DROP COLUMN sent_height,
    DROP COLUMN passed_height,
    ADD CONSTRAINT attempt_purpose_check CHECK (purpose IN ('payout', 'setup')),
    ADD CONSTRAINT attempt_state_check CHECK (state IN ('prepared', 'signed', 'included', 'succeeded', 'failed', 'refused')),
    ADD CONSTRAINT attempt_check CHECK ((purpose = 'payout') = (withdrawal_id IS NOT NULL)),
    ADD CONSTRAINT attempt_withdrawal_id_key UNIQUE (withdrawal_id),
    ADD CONSTRAINT attempt_network_id_sender_nonce_key UNIQUE (network_id, sender, nonce),
    ADD CONSTRAINT attempt_network_id_nonce_account_nonce_value_key UNIQUE (network_id, nonce_account, nonce_value);
