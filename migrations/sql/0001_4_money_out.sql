CREATE TABLE application_wallet (
    id text PRIMARY KEY,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    purpose text NOT NULL CHECK (purpose IN ('hot', 'gas', 'nonce')),
    address text NOT NULL,
    path text NOT NULL,
    next_nonce bigint CHECK (next_nonce >= 0),
    created_at timestamptz NOT NULL,
    UNIQUE (network_id, address)
);

-- What the chain says they hold: published by the watcher, never used to decide money.
CREATE TABLE application_wallet_balance (
    wallet_id text NOT NULL REFERENCES application_wallet ON DELETE CASCADE,
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    units units NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (wallet_id, currency_id)
);

-- A withdrawal without a merchant refunds an unattributed deposit, out of suspense.
CREATE TABLE withdrawal (
    id text PRIMARY KEY,
    merchant_id text REFERENCES merchant ON DELETE RESTRICT,
    livemode boolean NOT NULL,
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    units units NOT NULL CHECK (units > 0),
    fee_units units NOT NULL,
    destination text NOT NULL,
    reference text,
    metadata jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'signing',
        'broadcast', 'confirming', 'completed', 'rejected', 'canceled', 'failed')),
    blocked_reason text,
    failure_reason text,
    created_by text NOT NULL,
    approved_by text,
    rejected_by text,
    tx_hash text,
    network_fee_units units,
    created_at timestamptz NOT NULL,
    approved_at timestamptz,
    completed_at timestamptz,
    updated_at timestamptz NOT NULL
);
CREATE INDEX withdrawal_merchant ON withdrawal (merchant_id, id DESC);
CREATE INDEX withdrawal_open ON withdrawal (network_id, approved_at)
    WHERE status IN ('approved', 'signing', 'broadcast', 'confirming');
CREATE UNIQUE INDEX withdrawal_reference ON withdrawal (merchant_id, reference) WHERE reference IS NOT NULL;

-- A withdrawal's row may move on, but what was asked for never changes, and an ended one rests.
CREATE FUNCTION guard_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER withdrawal_guard BEFORE UPDATE ON withdrawal
    FOR EACH ROW EXECUTE FUNCTION guard_withdrawal();
ALTER TABLE withdrawal ENABLE ALWAYS TRIGGER withdrawal_guard;

-- One transaction of ours: prepared (intent kept), signed (bytes kept), broadcast, included, ended.
-- A payout has one row for good; a set-up may be prepared anew after its blockhash died.
CREATE TABLE attempt (
    id text PRIMARY KEY,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    purpose text NOT NULL CHECK (purpose IN ('payout', 'setup')),
    withdrawal_id text UNIQUE REFERENCES withdrawal ON DELETE RESTRICT,
    intent jsonb NOT NULL,
    sender text NOT NULL,
    nonce bigint,
    nonce_account text,
    nonce_value text,
    raw bytea,
    tx_hash text,
    state text NOT NULL CHECK (state IN ('prepared', 'signed', 'included', 'succeeded', 'failed', 'refused')),
    block_height bigint,
    block_hash text,
    success boolean,
    payer_spent_units units,
    broadcasts integer NOT NULL DEFAULT 0,
    last_broadcast_at timestamptz,
    last_answer text,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    UNIQUE (network_id, tx_hash),
    UNIQUE (network_id, sender, nonce),
    UNIQUE (network_id, nonce_account, nonce_value),
    CHECK ((purpose = 'payout') = (withdrawal_id IS NOT NULL)),
    CHECK (state IN ('prepared', 'failed', 'refused') OR (raw IS NOT NULL AND tx_hash IS NOT NULL))
);
CREATE INDEX attempt_live ON attempt (network_id) WHERE state IN ('prepared', 'signed', 'included');

-- Which of the keystore's numbers this database knows: one put back to an older copy knows less
-- than was signed, and reads the rest before it asks for anything new.
CREATE TABLE signature (
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    number bigint NOT NULL CHECK (number > 0),
    withdrawal_id text NOT NULL,
    tx_hash text NOT NULL,
    noted_at timestamptz NOT NULL,
    PRIMARY KEY (network_id, number)
);

-- Whether paying this address would pay ourselves: any tenant's pool address, or a wallet of the house.
CREATE FUNCTION is_own_address(wanted_network text, wanted text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM address_pool WHERE network_id = wanted_network AND address = wanted)
        OR EXISTS (SELECT 1 FROM application_wallet WHERE network_id = wanted_network AND address = wanted)
$$;

-- What an attempt says never changes: the intent and who signs it; bytes and hash once; a nonce
-- is only ever given back.
CREATE FUNCTION guard_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER attempt_guard BEFORE UPDATE ON attempt FOR EACH ROW EXECUTE FUNCTION guard_attempt();
ALTER TABLE attempt ENABLE ALWAYS TRIGGER attempt_guard;

-- A hold, its release and its settlement belong to one withdrawal, to the unit, and only one of
-- the last two ever happens.
CREATE FUNCTION check_withdrawal_journal() RETURNS trigger
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
CREATE CONSTRAINT TRIGGER journal_withdrawal AFTER INSERT ON journal
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_withdrawal_journal();
ALTER TABLE journal ENABLE ALWAYS TRIGGER journal_withdrawal;
