-- A wallet belongs to a merchant or to one of the house's own accounts, per currency.
CREATE TABLE wallet (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account text NOT NULL,
    merchant_id text REFERENCES merchant ON DELETE RESTRICT,
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    confirmed signed_units NOT NULL DEFAULT 0,
    locked units NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0,
    head_hash bytea,
    UNIQUE (account, currency_id),
    CHECK (CASE WHEN merchant_id IS NULL
        THEN account IN ('custody', 'revenue', 'expense', 'external', 'suspense')
        ELSE account = merchant_id END),
    -- Custody mirrors the chain and expense is only ever spent: no other account goes below zero.
    CHECK (account IN ('custody', 'expense') OR confirmed >= 0)
);

-- (kind, ref) is the idempotency of meaning: one event in the world, one journal.
CREATE TABLE journal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('deposit', 'assign', 'hold', 'release', 'settle', 'network_fee', 'capital', 'reversal')),
    ref text NOT NULL,
    merchant_id text REFERENCES merchant ON DELETE RESTRICT,
    at timestamptz NOT NULL,
    UNIQUE (kind, ref)
);

CREATE TABLE balance_history (
    wallet_id bigint NOT NULL REFERENCES wallet ON DELETE RESTRICT,
    version bigint NOT NULL,
    journal_id bigint NOT NULL REFERENCES journal ON DELETE RESTRICT,
    account text NOT NULL,
    merchant_id text,
    currency_id text NOT NULL,
    change_type text NOT NULL
        CHECK (change_type IN ('DEPOSIT', 'WITHDRAWAL', 'FEE', 'ADJUSTMENT', 'HOLD', 'RELEASE')),
    delta_confirmed signed_units NOT NULL,
    delta_locked signed_units NOT NULL,
    confirmed_before signed_units NOT NULL,
    confirmed_after signed_units NOT NULL,
    locked_before units NOT NULL,
    locked_after units NOT NULL,
    previous_hash bytea,
    hash bytea NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (wallet_id, version),
    CHECK (confirmed_after = confirmed_before + delta_confirmed),
    CHECK (locked_after = locked_before + delta_locked),
    CHECK (delta_confirmed <> 0 OR delta_locked <> 0)
);
CREATE INDEX balance_history_journal ON balance_history (journal_id);
CREATE INDEX balance_history_merchant ON balance_history (merchant_id, at DESC) WHERE merchant_id IS NOT NULL;

-- The only writer of `wallet`: locks it, fills before and after, chains the hash.
CREATE FUNCTION post_balance() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE w wallet%ROWTYPE;
BEGIN
    INSERT INTO wallet (account, merchant_id, currency_id)
        VALUES (NEW.account,
                CASE WHEN NEW.account IN ('custody', 'revenue', 'expense', 'external', 'suspense')
                     THEN NULL ELSE NEW.account END,
                NEW.currency_id)
        ON CONFLICT (account, currency_id) DO NOTHING;
    SELECT * INTO STRICT w FROM wallet
        WHERE account = NEW.account AND currency_id = NEW.currency_id FOR UPDATE;
    NEW.wallet_id := w.id;
    NEW.merchant_id := w.merchant_id;
    NEW.version := w.version + 1;
    NEW.confirmed_before := w.confirmed;
    NEW.locked_before := w.locked;
    NEW.confirmed_after := w.confirmed + NEW.delta_confirmed;
    NEW.locked_after := w.locked + NEW.delta_locked;
    NEW.previous_hash := w.head_hash;
    NEW.hash := sha256(coalesce(w.head_hash, '\x00'::bytea) || convert_to(concat_ws('|',
        w.id, NEW.version, NEW.journal_id, NEW.currency_id, NEW.change_type,
        NEW.delta_confirmed, NEW.delta_locked, NEW.confirmed_after, NEW.locked_after), 'UTF8'));
    UPDATE wallet SET confirmed = NEW.confirmed_after, locked = NEW.locked_after,
        version = NEW.version, head_hash = NEW.hash WHERE id = w.id;
    RETURN NEW;
END $$;
CREATE TRIGGER balance_history_post BEFORE INSERT ON balance_history
    FOR EACH ROW EXECUTE FUNCTION post_balance();

CREATE FUNCTION guard_wallet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'DELETE' AND pg_trigger_depth() > 1 THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'a wallet changes only through balance_history'
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER wallet_guard BEFORE INSERT OR UPDATE OR DELETE ON wallet
    FOR EACH ROW EXECUTE FUNCTION guard_wallet();
CREATE TRIGGER wallet_no_truncate BEFORE TRUNCATE ON wallet
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER balance_history_append_only BEFORE UPDATE OR DELETE ON balance_history
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER balance_history_no_truncate BEFORE TRUNCATE ON balance_history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_append_only BEFORE UPDATE OR DELETE ON journal
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_no_truncate BEFORE TRUNCATE ON journal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Double entry: at commit every journal sums to zero in each currency.
CREATE FUNCTION check_journal() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE wrong text;
BEGIN
    SELECT currency_id INTO wrong FROM balance_history WHERE journal_id = NEW.journal_id
        GROUP BY currency_id HAVING sum(delta_confirmed + delta_locked) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'journal % does not sum to zero in %', NEW.journal_id, wrong
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER balance_history_zero_sum AFTER INSERT ON balance_history
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_journal();

ALTER TABLE wallet ENABLE ALWAYS TRIGGER wallet_guard;
ALTER TABLE wallet ENABLE ALWAYS TRIGGER wallet_no_truncate;
ALTER TABLE balance_history ENABLE ALWAYS TRIGGER balance_history_post;
ALTER TABLE balance_history ENABLE ALWAYS TRIGGER balance_history_append_only;
ALTER TABLE balance_history ENABLE ALWAYS TRIGGER balance_history_no_truncate;
ALTER TABLE balance_history ENABLE ALWAYS TRIGGER balance_history_zero_sum;
ALTER TABLE journal ENABLE ALWAYS TRIGGER journal_append_only;
ALTER TABLE journal ENABLE ALWAYS TRIGGER journal_no_truncate;
