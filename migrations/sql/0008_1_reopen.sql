-- A chain that was rewritten below what was final. A final deposit that the new chain does not show is
-- taken back; where it shows it later it is credited anew, and its journals need names of their own.
ALTER TABLE deposit ADD COLUMN reversals integer NOT NULL DEFAULT 0 CHECK (reversals >= 0);

-- The guard of 0004: with such a deposit goes its fee, which is written again when it comes back.
CREATE OR REPLACE FUNCTION note_deposit_fee() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.fee_units = 0 AND NEW.status = 'rejected' AND NEW.reversals > OLD.reversals THEN
        RETURN NULL;
    END IF;
    IF OLD.fee_units <> 0 OR NEW.merchant_id IS NULL OR NEW.status <> 'confirmed' THEN
        RAISE EXCEPTION 'deposit %: its fee is written once, when it is credited', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    PERFORM fill_pot(NEW.id, 'house', NEW.merchant_id, NEW.merchant_id, NEW.currency_id,
        NEW.fee_units, NEW.confirmed_at);
    RETURN NULL;
END $$;

-- As in 0004: one that was final once is as good as new, too. A balance difference may have credited it.
DROP TRIGGER deposit_count_again ON deposit;
CREATE TRIGGER deposit_count_again BEFORE UPDATE OF status ON deposit FOR EACH ROW
    WHEN (NEW.status = 'pending' AND (OLD.status = 'reorged' OR OLD.status = 'rejected' AND OLD.reason = 'forgotten'))
    EXECUTE FUNCTION count_once();
ALTER TABLE deposit ENABLE ALWAYS TRIGGER deposit_count_again;

-- As its journals name it now. What they said before it was taken back speaks of it no more.
CREATE FUNCTION deposit_ref(d deposit) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT concat_ws(':', d.network_id, d.tx_hash, d.kind, d.ordinal)
        || CASE WHEN d.reversals > 0 THEN '#' || (d.reversals + 1)::text ELSE '' END
$$;
CREATE OR REPLACE FUNCTION note_invoice_payment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM journal j WHERE j.kind = 'deposit' AND j.merchant_id = NEW.merchant_id
            AND j.ref = deposit_ref(NEW)) THEN
        PERFORM count_invoice_payment(NEW.id);
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION guard_counted_payment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM journal j WHERE j.kind IN ('deposit', 'assign') AND j.merchant_id = OLD.merchant_id
            AND j.ref = deposit_ref(OLD)) THEN
        RAISE EXCEPTION 'deposit %: it is credited to its invoice', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION note_customer_assignment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE part text[] := regexp_match(NEW.ref, '^([^:]+):(.+):([a-z]+):([0-9]+)(?:#[0-9]+)?$');
BEGIN
    PERFORM count_invoice_payment(id) FROM deposit WHERE network_id = part[1] AND tx_hash = part[2]
        AND kind = part[3] AND ordinal = part[4]::integer AND invoice_id IS NOT NULL;
    RETURN NULL;
END $$;

-- Orders of ours that had ended in blocks which were given up: their chain judges them again. Only the
-- owner of the tables writes it.
CREATE TABLE reopened_order (
    order_id text PRIMARY KEY,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    reopened_at timestamptz NOT NULL
);
GRANT SELECT ON reopened_order TO gw_watcher;

-- The guard of 0002: an ended withdrawal rests, unless it was reopened and its chain says now that it
-- ended otherwise. The ledger has to say so first, to the unit and this way around, and neither the API
-- nor the worker may.
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
        WHEN 'completed' THEN NEW.status = 'failed' AND current_user NOT IN ('gw_api', 'gw_worker')
        WHEN 'failed' THEN NEW.status = 'completed' AND current_user NOT IN ('gw_api', 'gw_worker')
        ELSE false END) THEN
        RAISE EXCEPTION 'withdrawal %: % cannot become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.status IN ('completed', 'failed') AND NEW.status <> OLD.status THEN
        PERFORM 1 FROM journal j JOIN reopened_order r ON r.order_id = j.ref
            WHERE j.kind = 'reversal' AND j.ref = OLD.id AND j.merchant_id IS NOT DISTINCT FROM OLD.merchant_id
            AND OLD.units * (CASE NEW.status WHEN 'completed' THEN 1 ELSE -1 END) = (
                SELECT sum(b.delta_confirmed) FROM balance_history b WHERE b.journal_id = j.id
                AND b.account = 'custody' AND b.currency_id = OLD.currency_id);
        IF NOT FOUND THEN
            RAISE EXCEPTION 'withdrawal %: it has ended, and nothing takes that back', OLD.id
                USING ERRCODE = 'check_violation';
        END IF;
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

-- What was not paid after all earned no fee to share, and no customer got it back.
CREATE FUNCTION note_unpaid() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM count_paid(NEW.id, NEW.merchant_id, i.customer_id, NEW.currency_id, NEW.units, 0, NEW.updated_at)
        FROM invoice i WHERE i.id = NEW.invoice_id AND i.customer_id IS NOT NULL;
    UPDATE commission_pot SET shared_at = NEW.updated_at, next_attempt_at = NULL, reason = 'the payment was reversed'
        WHERE payment_id = NEW.id AND shared_at IS NULL;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER withdrawal_unpaid AFTER UPDATE OF status ON withdrawal
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.status = 'failed' AND OLD.status = 'completed') EXECUTE FUNCTION note_unpaid();
ALTER TABLE withdrawal ENABLE ALWAYS TRIGGER withdrawal_unpaid;
REVOKE ALL ON FUNCTION deposit_ref(deposit), note_unpaid() FROM PUBLIC;

-- downgrade
-- Fails while there is a deposit that was taken back: its journals have names of their own.
ALTER TABLE deposit ADD CHECK (reversals = 0);
DROP TRIGGER withdrawal_unpaid ON withdrawal;
DROP FUNCTION note_unpaid();
CREATE OR REPLACE FUNCTION note_customer_assignment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE part text[] := regexp_match(NEW.ref, '^([^:]+):(.+):([a-z]+):([0-9]+)$');
BEGIN
    PERFORM count_invoice_payment(id) FROM deposit WHERE network_id = part[1] AND tx_hash = part[2]
        AND kind = part[3] AND ordinal = part[4]::integer AND invoice_id IS NOT NULL;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION guard_counted_payment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM journal j WHERE j.kind IN ('deposit', 'assign') AND j.merchant_id = OLD.merchant_id
            AND j.ref = concat_ws(':', OLD.network_id, OLD.tx_hash, OLD.kind, OLD.ordinal)) THEN
        RAISE EXCEPTION 'deposit %: it is credited to its invoice', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION note_invoice_payment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM journal j WHERE j.kind = 'deposit' AND j.merchant_id = NEW.merchant_id
            AND j.ref = concat_ws(':', NEW.network_id, NEW.tx_hash, NEW.kind, NEW.ordinal)) THEN
        PERFORM count_invoice_payment(NEW.id);
    END IF;
    RETURN NULL;
END $$;
DROP FUNCTION deposit_ref(deposit);
DROP TRIGGER deposit_count_again ON deposit;
CREATE TRIGGER deposit_count_again BEFORE UPDATE OF status ON deposit
    FOR EACH ROW WHEN (OLD.status = 'reorged' AND NEW.status = 'pending')
    EXECUTE FUNCTION count_once();
ALTER TABLE deposit ENABLE ALWAYS TRIGGER deposit_count_again;
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
CREATE OR REPLACE FUNCTION note_deposit_fee() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.fee_units <> 0 OR NEW.merchant_id IS NULL OR NEW.status <> 'confirmed' THEN
        RAISE EXCEPTION 'deposit %: its fee is written once, when it is credited', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    PERFORM fill_pot(NEW.id, 'house', NEW.merchant_id, NEW.merchant_id, NEW.currency_id,
        NEW.fee_units, NEW.confirmed_at);
    RETURN NULL;
END $$;
ALTER TABLE deposit DROP COLUMN reversals;
DROP TABLE reopened_order;
