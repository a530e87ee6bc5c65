-- One order of ours (a withdrawal, a sweep, a top-up) may take several transactions, all for the
-- same place on the chain: the first, and those that replace it with a higher fee or cancel it. At
-- most one of them lands; the others end as `replaced`.
ALTER TABLE attempt ADD COLUMN order_id text;
ALTER TABLE attempt DISABLE TRIGGER attempt_guard;
UPDATE attempt SET order_id = coalesce(withdrawal_id, id);
ALTER TABLE attempt ENABLE ALWAYS TRIGGER attempt_guard;
ALTER TABLE attempt ALTER COLUMN order_id SET NOT NULL,
    ADD COLUMN place integer NOT NULL DEFAULT 1 CHECK (place > 0),
    DROP CONSTRAINT attempt_withdrawal_id_key,
    DROP CONSTRAINT attempt_network_id_sender_nonce_key,
    DROP CONSTRAINT attempt_network_id_nonce_account_nonce_value_key,
    DROP CONSTRAINT attempt_purpose_check,
    DROP CONSTRAINT attempt_check,
    DROP CONSTRAINT attempt_state_check,
    ADD CONSTRAINT attempt_purpose_check CHECK (purpose IN ('payout', 'setup', 'cancel', 'sweep',
        'top_up', 'refill', 'cold', 'resource')),
    ADD CONSTRAINT attempt_withdrawal_check CHECK (CASE purpose WHEN 'payout' THEN withdrawal_id IS NOT NULL
        WHEN 'cancel' THEN place > 1 ELSE withdrawal_id IS NULL END),
    ADD CONSTRAINT attempt_order_check CHECK (order_id = coalesce(withdrawal_id, order_id)),
    ADD CONSTRAINT attempt_state_check CHECK (state IN ('prepared', 'signed', 'included', 'succeeded',
        'failed', 'refused', 'replaced')),
    ADD CONSTRAINT attempt_order_place UNIQUE (order_id, place);
CREATE INDEX attempt_withdrawal ON attempt (withdrawal_id);
CREATE UNIQUE INDEX attempt_nonce ON attempt (network_id, sender, nonce) WHERE place = 1;
CREATE UNIQUE INDEX attempt_nonce_value ON attempt (network_id, nonce_account, nonce_value) WHERE place = 1;

-- A replacement takes the place of its order's first transaction, and no other.
CREATE FUNCTION guard_replacement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.place > 1 AND NOT EXISTS (SELECT 1 FROM attempt f WHERE f.order_id = NEW.order_id
        AND f.place = 1 AND f.network_id = NEW.network_id AND f.sender = NEW.sender
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

-- An address that only takes: the operator's cold storage.
ALTER TABLE application_wallet DROP CONSTRAINT application_wallet_purpose_check,
    ADD CONSTRAINT application_wallet_purpose_check CHECK (purpose IN ('hot', 'gas', 'nonce', 'cold'));

-- downgrade
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
-- Fails while there are rows that revision 0001 cannot hold: money's rows are never deleted.
DROP INDEX attempt_withdrawal, attempt_nonce, attempt_nonce_value;
ALTER TABLE attempt DROP CONSTRAINT attempt_purpose_check,
    DROP CONSTRAINT attempt_withdrawal_check,
    DROP CONSTRAINT attempt_order_check,
    DROP CONSTRAINT attempt_state_check,
    DROP CONSTRAINT attempt_order_place,
    DROP COLUMN order_id,
    DROP COLUMN place,
    ADD CONSTRAINT attempt_purpose_check CHECK (purpose IN ('payout', 'setup')),
    ADD CONSTRAINT attempt_state_check CHECK (state IN ('prepared', 'signed', 'included', 'succeeded', 'failed', 'refused')),
    ADD CONSTRAINT attempt_check CHECK ((purpose = 'payout') = (withdrawal_id IS NOT NULL)),
    ADD CONSTRAINT attempt_withdrawal_id_key UNIQUE (withdrawal_id),
    ADD CONSTRAINT attempt_network_id_sender_nonce_key UNIQUE (network_id, sender, nonce),
    ADD CONSTRAINT attempt_network_id_nonce_account_nonce_value_key UNIQUE (network_id, nonce_account, nonce_value);
