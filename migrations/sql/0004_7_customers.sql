-- A merchant's customer: whoever pays it again and again (seed 000's user with wallets).
CREATE TABLE customer (
    id text PRIMARY KEY CHECK (starts_with(id, 'cus_')),
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    livemode boolean NOT NULL,
    reference text CHECK (octet_length(reference) BETWEEN 1 AND 255),
    email text,
    name text,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    UNIQUE (id, merchant_id),
    UNIQUE (id, merchant_id, livemode)
);
CREATE UNIQUE INDEX customer_reference ON customer (merchant_id, livemode, reference)
    WHERE reference IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX customer_list ON customer (merchant_id, livemode, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX customer_by_reference ON customer (merchant_id, lower(reference) text_pattern_ops);
CREATE INDEX customer_by_email ON customer (merchant_id, lower(email) text_pattern_ops);
CREATE INDEX customer_by_name ON customer (merchant_id, lower(name) text_pattern_ops);

-- A permanent address: the pool's row names the customer instead of an invoice, for good.
ALTER TABLE address_pool
    ADD COLUMN customer_id text,
    ADD CONSTRAINT address_pool_customer FOREIGN KEY (customer_id, merchant_id)
        REFERENCES customer (id, merchant_id) ON DELETE RESTRICT,
    DROP CONSTRAINT address_pool_check,
    DROP CONSTRAINT address_pool_check1,
    ADD CONSTRAINT address_pool_check CHECK ((status = 'AVAILABLE') = (num_nonnulls(invoice_id, customer_id) = 0)),
    ADD CONSTRAINT address_pool_check1 CHECK ((merchant_id IS NULL) = (num_nonnulls(invoice_id, customer_id) = 0)),
    ADD CONSTRAINT address_pool_one_owner CHECK (num_nonnulls(invoice_id, customer_id) <= 1);
CREATE UNIQUE INDEX address_pool_of_customer ON address_pool (customer_id, network_id)
    WHERE customer_id IS NOT NULL;

CREATE FUNCTION guard_customer_address() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'address % is a customer''s for good', OLD.address USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER address_pool_customer_guard BEFORE UPDATE ON address_pool FOR EACH ROW
    WHEN (OLD.customer_id IS NOT NULL AND (NEW.customer_id, NEW.merchant_id, NEW.address, NEW.network_id)
        IS DISTINCT FROM (OLD.customer_id, OLD.merchant_id, OLD.address, OLD.network_id))
    EXECUTE FUNCTION guard_customer_address();
ALTER TABLE address_pool ENABLE ALWAYS TRIGGER address_pool_customer_guard;

-- The address of a customer of the current tenant, claimed where there is none yet; no row when the
-- pool is empty. The customer's row lock makes two askers agree.
CREATE FUNCTION claim_customer_address(wanted_network text, wanted_customer text, now timestamptz)
    RETURNS TABLE (address text, index integer, path text, signature bytea, fresh boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE claimed bigint;
BEGIN
    PERFORM 1 FROM customer c JOIN network n ON n.id = wanted_network AND n.test <> c.livemode
        WHERE c.id = wanted_customer AND c.merchant_id = current_merchant() AND c.deleted_at IS NULL
        FOR NO KEY UPDATE OF c;
    IF NOT FOUND THEN RETURN; END IF;
    RETURN QUERY SELECT p.address, p.index, p.path, p.signature, false FROM address_pool p
        WHERE p.customer_id = wanted_customer AND p.network_id = wanted_network;
    IF FOUND THEN RETURN; END IF;
    DELETE FROM free_address f WHERE (f.network_id, f.address_id) = (
        SELECT q.network_id, q.address_id FROM free_address q WHERE q.network_id = wanted_network
        ORDER BY q.address_id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING f.address_id INTO claimed;
    RETURN QUERY UPDATE address_pool p
        SET status = 'ASSIGNED', customer_id = wanted_customer, merchant_id = current_merchant(), assigned_at = now
        WHERE p.id = claimed
        RETURNING p.address, p.index, p.path, p.signature, true;
END $$;

-- What arrives at a customer's address is the customer's, without an invoice.
ALTER TABLE deposit
    ADD COLUMN customer_id text,
    ADD CONSTRAINT deposit_customer FOREIGN KEY (customer_id, merchant_id)
        REFERENCES customer (id, merchant_id) ON DELETE RESTRICT,
    DROP CONSTRAINT deposit_purpose_check,
    ADD CONSTRAINT deposit_purpose_check CHECK (purpose IN ('invoice', 'customer', 'merchant',
        'unattributed', 'refund', 'capital', 'internal')),
    DROP CONSTRAINT deposit_check1,
    ADD CONSTRAINT deposit_check1 CHECK ((purpose IN ('invoice', 'customer', 'merchant')) = (merchant_id IS NOT NULL)),
    ADD CONSTRAINT deposit_customer_check CHECK ((purpose = 'customer') = (customer_id IS NOT NULL));
CREATE INDEX deposit_of_customer ON deposit (customer_id, id DESC) WHERE customer_id IS NOT NULL;

-- The account of a customer's balance is the customer's id; its wallets are its merchant's tenants'.
ALTER TABLE wallet DROP CONSTRAINT wallet_check,
    ADD CONSTRAINT wallet_check CHECK (CASE WHEN merchant_id IS NULL
        THEN account IN ('custody', 'revenue', 'expense', 'external', 'suspense')
        ELSE account = merchant_id OR starts_with(account, 'cus_') END);
-- A merchant's own entries stand beside those of its customers: both are found by account.
DROP INDEX balance_history_merchant;
CREATE INDEX balance_history_account ON balance_history (account, at DESC) WHERE merchant_id IS NOT NULL;

-- A payout out of a customer's balance.
ALTER TABLE withdrawal
    ADD COLUMN customer_id text,
    ADD CONSTRAINT withdrawal_customer FOREIGN KEY (customer_id, merchant_id, livemode)
        REFERENCES customer (id, merchant_id, livemode) ON DELETE RESTRICT,
    ADD CONSTRAINT withdrawal_customer_check CHECK (customer_id IS NULL
        OR merchant_id IS NOT NULL AND invoice_id IS NULL AND rule_id IS NULL);
CREATE INDEX withdrawal_of_customer ON withdrawal (customer_id, id DESC) WHERE customer_id IS NOT NULL;
CREATE FUNCTION guard_withdrawal_customer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'withdrawal %: whose balance pays it never changes', OLD.id
        USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER withdrawal_customer_guard BEFORE UPDATE ON withdrawal FOR EACH ROW
    WHEN (NEW.customer_id IS DISTINCT FROM OLD.customer_id) EXECUTE FUNCTION guard_withdrawal_customer();
ALTER TABLE withdrawal ENABLE ALWAYS TRIGGER withdrawal_customer_guard;

-- Money between a merchant and one of its customers: `charge` takes it from the customer.
CREATE TABLE customer_transfer (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    livemode boolean NOT NULL,
    customer_id text NOT NULL,
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    direction text NOT NULL CHECK (direction IN ('charge', 'grant')),
    units units NOT NULL CHECK (units > 0),
    description text CHECK (length(description) <= 500),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    FOREIGN KEY (customer_id, merchant_id, livemode)
        REFERENCES customer (id, merchant_id, livemode) ON DELETE RESTRICT
);
CREATE INDEX customer_transfer_list ON customer_transfer (customer_id, id DESC);
CREATE TRIGGER customer_transfer_append_only BEFORE UPDATE OR DELETE ON customer_transfer
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER customer_transfer_no_truncate BEFORE TRUNCATE ON customer_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE customer_transfer ENABLE ALWAYS TRIGGER customer_transfer_append_only;
ALTER TABLE customer_transfer ENABLE ALWAYS TRIGGER customer_transfer_no_truncate;
ALTER TABLE journal DROP CONSTRAINT journal_kind_check,
    ADD CONSTRAINT journal_kind_check CHECK (kind IN ('deposit', 'assign', 'hold', 'release',
        'settle', 'network_fee', 'rent', 'capital', 'reversal', 'transfer'));

-- Whether a journal is a transfer's to the unit: the two of them, in its currency, and nobody else.
CREATE FUNCTION is_transfer(j journal) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (
        SELECT 1 FROM customer_transfer t
        JOIN currency c ON c.id = t.currency_id
        JOIN network n ON n.id = c.network_id AND n.test <> t.livemode
        CROSS JOIN LATERAL (SELECT count(*) AS entries,
                  count(*) FILTER (WHERE b.currency_id = t.currency_id AND b.delta_locked = 0
                      AND b.delta_confirmed = CASE
                          WHEN (b.account = t.customer_id) = (t.direction = 'grant') THEN t.units
                          ELSE -t.units END) AS fitting,
                  array_agg(b.account ORDER BY b.account) = (SELECT array_agg(a ORDER BY a)
                      FROM unnest(ARRAY[t.customer_id, t.merchant_id]) a) AS theirs
              FROM balance_history b WHERE b.journal_id = j.id) AS e
        WHERE t.id = j.ref AND t.merchant_id = j.merchant_id
          AND e.entries = 2 AND e.fitting = 2 AND e.theirs)
$$;

-- Whether a journal is a hold of its withdrawal, or the end of one: to the unit, out of the balance
-- that pays it and no other, and only one end ever.
CREATE FUNCTION is_of_withdrawal(j journal) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
DECLARE w withdrawal%ROWTYPE; payer text; moved numeric; strangers bigint;
BEGIN
    SELECT * INTO w FROM withdrawal WHERE id = j.ref;
    payer := coalesce(w.customer_id, w.merchant_id, 'suspense');
    SELECT coalesce(sum(b.delta_locked) FILTER (WHERE b.account = payer), 0),
           count(*) FILTER (WHERE b.currency_id <> w.currency_id
               OR b.account <> payer AND (j.kind <> 'settle' OR b.merchant_id IS NOT NULL))
        INTO moved, strangers FROM balance_history b WHERE b.journal_id = j.id;
    RETURN w.id IS NOT NULL AND j.merchant_id IS NOT DISTINCT FROM w.merchant_id AND strangers = 0
        AND moved = (w.units + w.fee_units) * (CASE j.kind WHEN 'hold' THEN 1 ELSE -1 END)
        AND (j.kind <> 'release' OR w.status IN ('rejected', 'canceled', 'failed'))
        AND (j.kind <> 'settle' OR w.status = 'completed')
        AND (j.kind = 'hold' OR NOT EXISTS (SELECT 1 FROM journal o WHERE o.ref = j.ref
            AND o.kind IN ('release', 'settle') AND o.id <> j.id));
END $$;

CREATE OR REPLACE FUNCTION check_withdrawal_journal() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.kind IN ('hold', 'release', 'settle') AND NOT is_of_withdrawal(NEW) THEN
        RAISE EXCEPTION 'journal % of % does not fit its withdrawal', NEW.kind, NEW.ref
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.kind = 'transfer' AND NOT is_transfer(NEW) THEN
        RAISE EXCEPTION 'journal % of % does not fit its transfer', NEW.kind, NEW.ref
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

-- An entry that is added to an older journal later has to fit as well: locked money is not unlocked
-- that way, nor a second transfer hidden in the first.
CREATE FUNCTION check_late_entry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE j journal%ROWTYPE;
BEGIN
    SELECT * INTO j FROM journal WHERE id = NEW.journal_id;
    IF (CASE WHEN j.kind IN ('hold', 'release', 'settle') THEN NOT is_of_withdrawal(j)
             WHEN j.kind = 'transfer' THEN NOT is_transfer(j)
             ELSE NEW.change_type IN ('HOLD', 'RELEASE') END) THEN
        RAISE EXCEPTION 'an entry does not fit journal % of %', j.kind, j.ref
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER balance_history_late AFTER INSERT ON balance_history
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.change_type IN ('HOLD', 'RELEASE', 'WITHDRAWAL', 'ADJUSTMENT'))
    EXECUTE FUNCTION check_late_entry();
ALTER TABLE balance_history ENABLE ALWAYS TRIGGER balance_history_late;

REVOKE ALL ON FUNCTION guard_customer_address(), claim_customer_address(text, text, timestamptz),
    guard_withdrawal_customer(), is_transfer(journal), is_of_withdrawal(journal), check_late_entry() FROM PUBLIC;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['customer', 'customer_transfer']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO gw_api USING (merchant_id = (SELECT current_merchant()))', t);
        EXECUTE format('CREATE POLICY worker ON %I TO gw_worker USING (true)', t);
        EXECUTE format('CREATE POLICY watcher ON %I TO gw_watcher USING (true)', t);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO gw_api', t);
        EXECUTE format('GRANT SELECT ON %I TO gw_worker, gw_watcher', t);
    END LOOP;
END $$;
GRANT UPDATE (reference, email, name, metadata, updated_at, deleted_at) ON customer TO gw_api;
GRANT EXECUTE ON FUNCTION claim_customer_address(text, text, timestamptz) TO gw_api;
GRANT UPDATE (customer_id) ON deposit TO gw_watcher;
ALTER POLICY hold_only ON journal WITH CHECK (kind IN ('hold', 'release', 'transfer'));
ALTER POLICY hold_only ON balance_history WITH CHECK (
    change_type IN ('HOLD', 'RELEASE') AND delta_confirmed + delta_locked = 0
    OR change_type = 'ADJUSTMENT' AND delta_locked = 0 AND EXISTS (SELECT 1 FROM journal j
        WHERE j.id = balance_history.journal_id AND j.kind = 'transfer'));

-- downgrade
-- Fails while there are rows that revision 0003 cannot hold: money's rows are never deleted.
ALTER POLICY hold_only ON balance_history
    WITH CHECK (change_type IN ('HOLD', 'RELEASE') AND delta_confirmed + delta_locked = 0);
ALTER POLICY hold_only ON journal WITH CHECK (kind IN ('hold', 'release'));
DROP TRIGGER balance_history_late ON balance_history;
DROP FUNCTION check_late_entry();
CREATE OR REPLACE FUNCTION check_withdrawal_journal() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE w withdrawal%ROWTYPE; moved numeric;
BEGIN
    IF NEW.kind NOT IN ('hold', 'release', 'settle') THEN RETURN NULL; END IF;
    SELECT * INTO w FROM withdrawal WHERE id = NEW.ref;
    SELECT coalesce(sum(delta_locked), 0) INTO moved FROM balance_history
        WHERE journal_id = NEW.id AND account = coalesce(w.merchant_id, 'suspense')
        AND currency_id = w.currency_id;
    IF w.id IS NULL OR NEW.merchant_id IS DISTINCT FROM w.merchant_id
       OR moved <> (w.units + w.fee_units) * (CASE NEW.kind WHEN 'hold' THEN 1 ELSE -1 END)
       OR NEW.kind = 'release' AND w.status NOT IN ('rejected', 'canceled', 'failed')
       OR NEW.kind = 'settle' AND w.status <> 'completed'
       OR NEW.kind <> 'hold' AND EXISTS (SELECT 1 FROM journal j WHERE j.ref = NEW.ref
            AND j.kind IN ('release', 'settle') AND j.id <> NEW.id) THEN
        RAISE EXCEPTION 'journal % of % does not fit its withdrawal', NEW.kind, NEW.ref
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
DROP FUNCTION is_of_withdrawal(journal);
DROP FUNCTION is_transfer(journal);
ALTER TABLE journal DROP CONSTRAINT journal_kind_check,
    ADD CONSTRAINT journal_kind_check CHECK (kind IN ('deposit', 'assign', 'hold', 'release',
        'settle', 'network_fee', 'rent', 'capital', 'reversal'));
DROP TABLE customer_transfer;
DROP TRIGGER withdrawal_customer_guard ON withdrawal;
DROP FUNCTION guard_withdrawal_customer();
ALTER TABLE withdrawal DROP COLUMN customer_id;
DROP INDEX balance_history_account;
CREATE INDEX balance_history_merchant ON balance_history (merchant_id, at DESC) WHERE merchant_id IS NOT NULL;
ALTER TABLE wallet DROP CONSTRAINT wallet_check,
    ADD CONSTRAINT wallet_check CHECK (CASE WHEN merchant_id IS NULL
        THEN account IN ('custody', 'revenue', 'expense', 'external', 'suspense')
        ELSE account = merchant_id END);
ALTER TABLE deposit DROP COLUMN customer_id,
    DROP CONSTRAINT deposit_purpose_check,
    DROP CONSTRAINT deposit_check1,
    ADD CONSTRAINT deposit_purpose_check CHECK (purpose IN ('invoice', 'merchant', 'unattributed',
        'refund', 'capital', 'internal')),
    ADD CONSTRAINT deposit_check1 CHECK ((purpose IN ('invoice', 'merchant')) = (merchant_id IS NOT NULL));
DROP FUNCTION claim_customer_address(text, text, timestamptz);
DROP TRIGGER address_pool_customer_guard ON address_pool;
DROP FUNCTION guard_customer_address();
ALTER TABLE address_pool DROP COLUMN customer_id,
    ADD CONSTRAINT address_pool_check CHECK ((status = 'AVAILABLE') = (invoice_id IS NULL)),
    ADD CONSTRAINT address_pool_check1 CHECK ((merchant_id IS NULL) = (invoice_id IS NULL));
DROP TABLE customer;
