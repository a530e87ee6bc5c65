-- Money: what whoever took over the API could still write, and what was shared before it was credited.

-- What a withdrawal costs is the house's to say, and its currency, network and mode belong together:
-- without this the API's role could ask for nothing, or hand a merchant's balance to the fee.
CREATE FUNCTION check_withdrawal_terms() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM currency c JOIN network n ON n.id = c.network_id
            WHERE c.id = NEW.currency_id AND c.network_id = NEW.network_id AND n.test <> NEW.livemode
              AND c.withdrawal_fee_units = NEW.fee_units) THEN
        RAISE EXCEPTION 'withdrawal %: these are not the terms of %', NEW.id, NEW.currency_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION check_withdrawal_terms() FROM PUBLIC;
CREATE TRIGGER withdrawal_terms BEFORE INSERT ON withdrawal FOR EACH ROW
    WHEN (current_user IN ('gw_api', 'gw_worker')) EXECUTE FUNCTION check_withdrawal_terms();
ALTER TABLE withdrawal ENABLE ALWAYS TRIGGER withdrawal_terms;

-- A test key's reference takes none from real money.
DROP INDEX withdrawal_reference;
CREATE UNIQUE INDEX withdrawal_reference ON withdrawal (merchant_id, livemode, reference) WHERE reference IS NOT NULL;

-- A customer's payment is shared when it is credited, after the fee. A small one counts for the
-- customer before that, while it is still in suspense.
CREATE OR REPLACE FUNCTION note_customer_deposit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE d deposit%ROWTYPE;
BEGIN
    SELECT * INTO d FROM deposit WHERE id = NEW.id;
    IF d.status = 'confirmed' AND d.customer_id IS NOT NULL
       AND EXISTS (SELECT 1 FROM journal j WHERE j.kind = 'deposit' AND j.merchant_id = d.merchant_id
            AND j.ref = concat_ws(':', d.network_id, d.tx_hash, d.kind, d.ordinal)) THEN
        PERFORM fill_pot(d.id, 'merchant', d.merchant_id, d.customer_id, d.currency_id,
            d.units - d.fee_units, d.confirmed_at);
    END IF;
    RETURN NULL;
END $$;
-- The journal's name is the deposit's identity; a hash may have colons of its own.
CREATE FUNCTION note_customer_assignment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE d deposit%ROWTYPE; part text[] := regexp_match(NEW.ref, '^([^:]+):(.+):([a-z]+):([0-9]+)$');
BEGIN
    SELECT * INTO d FROM deposit WHERE network_id = part[1] AND tx_hash = part[2] AND kind = part[3]
        AND ordinal = part[4]::integer;
    IF d.customer_id IS NOT NULL THEN
        PERFORM fill_pot(d.id, 'merchant', d.merchant_id, d.customer_id, d.currency_id,
            d.units - d.fee_units, d.confirmed_at);
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION note_customer_assignment() FROM PUBLIC;
CREATE CONSTRAINT TRIGGER journal_of_customer AFTER INSERT ON journal
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'assign')
    EXECUTE FUNCTION note_customer_assignment();
ALTER TABLE journal ENABLE ALWAYS TRIGGER journal_of_customer;

-- A merchant's permanent addresses, customer by customer.
CREATE INDEX address_pool_customers ON address_pool (merchant_id, customer_id, network_id)
    WHERE customer_id IS NOT NULL;

-- Under row-level security an index serves no `lower(...)` or LIKE, which could leak what they see:
-- so what is searched for is a column.
DROP INDEX customer_by_reference, customer_by_email, customer_by_name;
ALTER TABLE customer
    ADD COLUMN reference_key text GENERATED ALWAYS AS (lower(reference)) STORED,
    ADD COLUMN email_key text GENERATED ALWAYS AS (lower(email)) STORED,
    ADD COLUMN name_key text GENERATED ALWAYS AS (lower(name)) STORED;
CREATE INDEX customer_by_reference ON customer (merchant_id, reference_key text_pattern_ops);
CREATE INDEX customer_by_email ON customer (merchant_id, email_key text_pattern_ops);
CREATE INDEX customer_by_name ON customer (merchant_id, name_key text_pattern_ops);

-- Whether a customer had this package before is asked whenever it has a trial.
CREATE INDEX subscription_of_customer ON subscription (customer_id, id DESC);

-- What is to be shared is found by when it is due, and a merchant's own that wait by merchant.
DROP INDEX commission_pot_open;
CREATE INDEX commission_pot_open ON commission_pot (next_attempt_at) WHERE shared_at IS NULL;
CREATE INDEX commission_pot_waiting ON commission_pot (merchant_id, earned_at) WHERE shared_at IS NULL;

-- The worker locks the rates of an open bill anew, and of nothing else.
GRANT UPDATE (amount_units, rate, rate_source, rate_at) ON payment_option TO gw_worker;
CREATE POLICY open_bill ON payment_option AS RESTRICTIVE FOR UPDATE TO gw_worker
    USING (EXISTS (SELECT 1 FROM subscription_period p
        WHERE p.invoice_id = payment_option.invoice_id AND p.status = 'open'));
-- Bills that are open already are looked at from now on as well.
UPDATE subscription s SET look_at = now() WHERE s.look_at IS NOT NULL AND EXISTS (
    SELECT 1 FROM subscription_period p WHERE p.subscription_id = s.id AND p.status = 'open');

-- downgrade
DROP POLICY open_bill ON payment_option;
REVOKE UPDATE (amount_units, rate, rate_source, rate_at) ON payment_option FROM gw_worker;
DROP INDEX commission_pot_waiting, commission_pot_open, subscription_of_customer;
CREATE INDEX commission_pot_open ON commission_pot (earned_at) WHERE shared_at IS NULL;
DROP INDEX customer_by_reference, customer_by_email, customer_by_name;
ALTER TABLE customer DROP COLUMN reference_key, DROP COLUMN email_key, DROP COLUMN name_key;
CREATE INDEX customer_by_reference ON customer (merchant_id, lower(reference) text_pattern_ops);
CREATE INDEX customer_by_email ON customer (merchant_id, lower(email) text_pattern_ops);
CREATE INDEX customer_by_name ON customer (merchant_id, lower(name) text_pattern_ops);
DROP INDEX address_pool_customers;
DROP TRIGGER journal_of_customer ON journal;
DROP FUNCTION note_customer_assignment();
CREATE OR REPLACE FUNCTION note_customer_deposit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE d deposit%ROWTYPE;
BEGIN
    SELECT * INTO d FROM deposit WHERE id = NEW.id;
    IF d.status = 'confirmed' AND d.customer_id IS NOT NULL THEN
        PERFORM fill_pot(d.id, 'merchant', d.merchant_id, d.customer_id, d.currency_id,
            d.units - d.fee_units, d.confirmed_at);
    END IF;
    RETURN NULL;
END $$;
-- Fails where a reference was used in both modes: money's rows are never deleted.
DROP INDEX withdrawal_reference;
CREATE UNIQUE INDEX withdrawal_reference ON withdrawal (merchant_id, reference) WHERE reference IS NOT NULL;
DROP TRIGGER withdrawal_terms ON withdrawal;
DROP FUNCTION check_withdrawal_terms();
