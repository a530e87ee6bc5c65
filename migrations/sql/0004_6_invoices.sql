-- What merchants may ask of invoices: open amounts, policies, taxes, marks, fresh rates, search;
-- and payments that are only played on local chains.
ALTER TABLE invoice
    ALTER COLUMN amount DROP NOT NULL,
    ADD COLUMN confirmation_policy text NOT NULL DEFAULT 'final'
        CHECK (confirmation_policy IN ('final', 'merchant', 'invoice')),
    ADD COLUMN customer_id text,
    ADD COLUMN tax_rate numeric(6, 4) CHECK (tax_rate >= 0 AND tax_rate < 100),
    ADD COLUMN tax_label text CHECK (length(tax_label) BETWEEN 1 AND 40),
    ADD CONSTRAINT invoice_tax_check CHECK ((tax_rate IS NULL) = (tax_label IS NULL)),
    DROP CONSTRAINT invoice_confirmations_check,
    ADD CONSTRAINT invoice_confirmations_check CHECK (confirmations >= 0);
UPDATE invoice SET confirmation_policy = 'invoice' WHERE confirmations IS NOT NULL;
ALTER TABLE payment_option ALTER COLUMN amount_units DROP NOT NULL;
CREATE INDEX invoice_customer ON invoice (merchant_id, customer_id, id DESC) WHERE customer_id IS NOT NULL;
CREATE INDEX invoice_unsettled ON invoice (merchant_id, status, id DESC)
    WHERE status IN ('pending', 'processing', 'invalid', 'canceled');
CREATE INDEX invoice_exception ON invoice (merchant_id, exception, id DESC) WHERE exception <> 'none';
CREATE INDEX invoice_paid ON invoice (merchant_id, paid_at) WHERE paid_at IS NOT NULL;

-- The API calls an open invoice off, or marks one; everything else about its standing is judged
-- from payments, by those who see them.
CREATE FUNCTION guard_invoice() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF current_user = 'gw_api'
       AND (NEW.status, NEW.exception, NEW.final, NEW.paid_at, NEW.settled_at)
           IS DISTINCT FROM (OLD.status, OLD.exception, OLD.final, OLD.paid_at, OLD.settled_at)
       AND NOT (NEW.status = 'canceled' AND OLD.status = 'pending' AND NOT NEW.final
           AND (NEW.exception, NEW.paid_at, NEW.settled_at)
               IS NOT DISTINCT FROM (OLD.exception, OLD.paid_at, OLD.settled_at))
       AND NOT (NEW.status IN ('settled', 'invalid') AND NEW.status <> OLD.status
           AND NEW.exception = 'marked') THEN
        RAISE EXCEPTION 'invoice %: only its payments decide that', OLD.id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoice_judged BEFORE UPDATE ON invoice
    FOR EACH ROW EXECUTE FUNCTION guard_invoice();
ALTER TABLE invoice ENABLE ALWAYS TRIGGER invoice_judged;
GRANT UPDATE (paid_at, settled_at) ON invoice TO gw_api;

-- What an option cost before its rate was locked anew. Nobody writes here but the trigger.
CREATE TABLE payment_option_rate (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id text NOT NULL,
    currency_id text NOT NULL,
    merchant_id text NOT NULL,
    amount_units units,
    rate numeric(38, 18) NOT NULL,
    rate_source text NOT NULL,
    rate_at timestamptz NOT NULL,
    until timestamptz NOT NULL CHECK (until >= rate_at),
    FOREIGN KEY (invoice_id, currency_id) REFERENCES payment_option ON DELETE RESTRICT
);
CREATE INDEX payment_option_rate_option ON payment_option_rate (invoice_id, currency_id, id);

CREATE FUNCTION keep_rate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.amount_units, NEW.rate, NEW.rate_source, NEW.rate_at)
       IS NOT DISTINCT FROM (OLD.amount_units, OLD.rate, OLD.rate_source, OLD.rate_at) THEN
        RETURN NEW;
    END IF;
    PERFORM 1 FROM invoice WHERE id = OLD.invoice_id AND status = 'pending' FOR UPDATE;
    IF NOT FOUND OR EXISTS (SELECT 1 FROM deposit WHERE invoice_id = OLD.invoice_id
            AND currency_id = OLD.currency_id AND status IN ('pending', 'confirmed')) THEN
        RAISE EXCEPTION 'invoice %: the rate of % is locked', OLD.invoice_id, OLD.currency_id
            USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO payment_option_rate (invoice_id, currency_id, merchant_id, amount_units, rate,
            rate_source, rate_at, until)
        VALUES (OLD.invoice_id, OLD.currency_id, OLD.merchant_id, OLD.amount_units, OLD.rate,
            OLD.rate_source, OLD.rate_at, NEW.rate_at);
    RETURN NEW;
END $$;
CREATE TRIGGER payment_option_rate_kept BEFORE UPDATE ON payment_option
    FOR EACH ROW EXECUTE FUNCTION keep_rate();
ALTER TABLE payment_option ENABLE ALWAYS TRIGGER payment_option_rate_kept;
GRANT UPDATE (amount_units, rate, rate_source, rate_at) ON payment_option TO gw_api;

-- An option shows an address that was claimed for its own invoice: another genuine one would send
-- the payer's money to somebody else.
CREATE FUNCTION guard_option_address() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM address_pool p WHERE p.network_id = NEW.network_id
            AND p.address = NEW.address AND p.invoice_id = NEW.invoice_id) THEN
        RAISE EXCEPTION 'option % of %: this address is not its invoice''s', NEW.currency_id, NEW.invoice_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payment_option_address AFTER INSERT OR UPDATE ON payment_option FOR EACH ROW
    WHEN (NEW.address IS NOT NULL AND current_user IN ('gw_api', 'gw_worker'))
    EXECUTE FUNCTION guard_option_address();
ALTER TABLE payment_option ENABLE ALWAYS TRIGGER payment_option_address;

-- An address is claimed for an invoice of the merchant that is credited there. Looked at in the end:
-- the invoice is written after its address.
CREATE FUNCTION guard_claim() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM invoice WHERE id = NEW.invoice_id AND merchant_id = NEW.merchant_id) THEN
        RAISE EXCEPTION 'address %: invoice % is another merchant''s', NEW.address, NEW.invoice_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER address_pool_claim AFTER UPDATE OF invoice_id ON address_pool
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.invoice_id IS NOT NULL)
    EXECUTE FUNCTION guard_claim();
ALTER TABLE address_pool ENABLE ALWAYS TRIGGER address_pool_claim;

-- What one coin of a payment was worth, in its invoice's currency, when its block was made: kept
-- because prices are forgotten. Only invoices with an open amount need it.
CREATE TABLE receipt_rate (
    deposit_id text NOT NULL REFERENCES deposit ON DELETE RESTRICT,
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    invoice_id text NOT NULL REFERENCES invoice ON DELETE RESTRICT,
    merchant_id text NOT NULL,
    rate numeric(38, 18) NOT NULL CHECK (rate > 0),
    rate_source text NOT NULL,
    rate_at timestamptz NOT NULL,
    PRIMARY KEY (deposit_id, currency_id, invoice_id)
);
CREATE INDEX receipt_rate_invoice ON receipt_rate (invoice_id);

-- Words of order ids and descriptions. A btree of plain text, because under row-level security no
-- operator of full text search may use an index: it could leak what it sees.
CREATE TABLE invoice_word (
    merchant_id text NOT NULL,
    livemode boolean NOT NULL,
    word text NOT NULL,
    invoice_id text NOT NULL,
    PRIMARY KEY (merchant_id, livemode, word, invoice_id)
);
CREATE INDEX invoice_word_invoice ON invoice_word (invoice_id);

-- Lower-case words between blanks and ASCII punctuation, each once, 64 letters and 64 words at most.
CREATE FUNCTION words_of(phrase text) RETURNS text[]
    LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT left(w, 64)), '{}') FROM (
        SELECT w FROM regexp_split_to_table(lower(phrase), '[\s!-/:-@\[-`{-~]+') AS w
        WHERE w <> '' LIMIT 64) AS found
$$;
CREATE FUNCTION keep_words() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM invoice_word WHERE invoice_id = NEW.id;
    END IF;
    INSERT INTO invoice_word (merchant_id, livemode, word, invoice_id)
        SELECT NEW.merchant_id, NEW.livemode, w, NEW.id
        FROM unnest(words_of(concat_ws(' ', NEW.order_id, NEW.description))) AS w;
    RETURN NULL;
END $$;
INSERT INTO invoice_word (merchant_id, livemode, word, invoice_id)
    SELECT i.merchant_id, i.livemode, w, i.id FROM invoice i,
        unnest(words_of(concat_ws(' ', i.order_id, i.description))) AS w;
CREATE TRIGGER invoice_words_new AFTER INSERT ON invoice
    FOR EACH ROW WHEN (NEW.order_id IS NOT NULL OR NEW.description IS NOT NULL)
    EXECUTE FUNCTION keep_words();
CREATE TRIGGER invoice_words_changed AFTER UPDATE OF order_id, description ON invoice
    FOR EACH ROW EXECUTE FUNCTION keep_words();

-- How far an invoice has come, for those who wait with nothing but its id.
CREATE FUNCTION invoice_steps(wanted text[]) RETURNS TABLE (invoice_id text, step bigint)
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT e.subject, max(e.sequence)::bigint FROM event e WHERE e.subject = ANY (wanted) GROUP BY e.subject
$$;

-- Payments that a test key asks the watcher of a local network to play. The database's clock
-- decides what has expired: it is the one clock that both processes share.
CREATE TABLE simulation (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    invoice_id text NOT NULL REFERENCES invoice ON DELETE RESTRICT,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    scenario text NOT NULL
        CHECK (scenario IN ('paid', 'partial', 'over', 'late', 'reorg', 'slow_confirm')),
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'done', 'failed')),
    reason text CHECK (length(reason) <= 500),
    tx_hash text,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '5 minutes',
    ended_at timestamptz,
    CHECK ((status IN ('done', 'failed')) = (ended_at IS NOT NULL)),
    FOREIGN KEY (invoice_id, currency_id) REFERENCES payment_option ON DELETE RESTRICT
);
CREATE INDEX simulation_open ON simulation (network_id, created_at) WHERE ended_at IS NULL;
CREATE INDEX simulation_invoice ON simulation (invoice_id, id DESC);

-- Nothing is played with real money, whoever asks.
CREATE FUNCTION guard_simulation() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM invoice i JOIN payment_option o ON o.invoice_id = i.id
            JOIN network n ON n.id = o.network_id
            WHERE i.id = NEW.invoice_id AND i.merchant_id = NEW.merchant_id AND NOT i.livemode
              AND o.currency_id = NEW.currency_id AND o.network_id = NEW.network_id
              AND o.address IS NOT NULL AND n.test AND n.local AND n.enabled) THEN
        RAISE EXCEPTION 'simulation %: only on a local test network', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER simulation_local BEFORE INSERT ON simulation
    FOR EACH ROW EXECUTE FUNCTION guard_simulation();
ALTER TABLE simulation ENABLE ALWAYS TRIGGER simulation_local;

-- The time of a test invoice is over now, because a simulation of a late payment says so.
CREATE FUNCTION end_test_invoice(wanted text, at timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE invoice i SET expires_at = at
        WHERE i.id = wanted AND NOT i.livemode AND i.status = 'pending'
          AND at BETWEEN i.created_at AND i.expires_at
          AND EXISTS (SELECT 1 FROM simulation s WHERE s.invoice_id = i.id
              AND s.scenario = 'late' AND s.status = 'running')
          AND NOT EXISTS (SELECT 1 FROM payment_option o JOIN network n ON n.id = o.network_id
              WHERE o.invoice_id = i.id AND NOT n.test);
    RETURN FOUND;
END $$;

REVOKE ALL ON FUNCTION guard_invoice(), keep_rate(), guard_option_address(), guard_claim(), words_of(text), keep_words(), invoice_steps(text[]),
    guard_simulation(), end_test_invoice(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION words_of(text), invoice_steps(text[]) TO gw_api;
GRANT EXECUTE ON FUNCTION end_test_invoice(text, timestamptz) TO gw_watcher;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['payment_option_rate', 'receipt_rate', 'invoice_word', 'simulation']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO gw_api USING (merchant_id = (SELECT current_merchant()))', t);
        EXECUTE format('GRANT SELECT ON %I TO gw_api', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['payment_option_rate', 'receipt_rate', 'simulation']
    LOOP
        EXECUTE format('CREATE POLICY watcher ON %I TO gw_watcher USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO gw_watcher', t);
    END LOOP;
END $$;
CREATE POLICY worker ON payment_option_rate FOR SELECT TO gw_worker USING (true);
CREATE POLICY worker ON receipt_rate TO gw_worker USING (true);
GRANT SELECT ON payment_option_rate TO gw_worker;
GRANT SELECT, INSERT ON receipt_rate TO gw_worker;
GRANT INSERT ON receipt_rate TO gw_watcher;
GRANT INSERT (id, merchant_id, invoice_id, network_id, currency_id, scenario, created_by) ON simulation TO gw_api;
GRANT UPDATE (status, reason, tx_hash, ended_at) ON simulation TO gw_watcher;

-- downgrade
-- An invoice with an open amount, or one that settles with its first block, means nothing to the
-- version before: a database that has one stays.
DROP TABLE simulation;
DROP FUNCTION end_test_invoice(text, timestamptz);
DROP FUNCTION guard_simulation();
DROP FUNCTION invoice_steps(text[]);
DROP TRIGGER invoice_words_changed ON invoice;
DROP TRIGGER invoice_words_new ON invoice;
DROP FUNCTION keep_words();
DROP FUNCTION words_of(text);
DROP TABLE invoice_word;
DROP TABLE receipt_rate;
REVOKE UPDATE (amount_units, rate, rate_source, rate_at) ON payment_option FROM gw_api;
DROP TRIGGER address_pool_claim ON address_pool;
DROP FUNCTION guard_claim();
DROP TRIGGER payment_option_address ON payment_option;
DROP FUNCTION guard_option_address();
DROP TRIGGER payment_option_rate_kept ON payment_option;
DROP FUNCTION keep_rate();
DROP TABLE payment_option_rate;
REVOKE UPDATE (paid_at, settled_at) ON invoice FROM gw_api;
DROP TRIGGER invoice_judged ON invoice;
DROP FUNCTION guard_invoice();
DROP INDEX invoice_paid, invoice_exception, invoice_unsettled, invoice_customer;
ALTER TABLE payment_option ALTER COLUMN amount_units SET NOT NULL;
ALTER TABLE invoice
    ALTER COLUMN amount SET NOT NULL,
    DROP CONSTRAINT invoice_confirmations_check,
    ADD CONSTRAINT invoice_confirmations_check CHECK (confirmations > 0),
    DROP COLUMN tax_rate, DROP COLUMN tax_label, DROP COLUMN customer_id, DROP COLUMN confirmation_policy;
