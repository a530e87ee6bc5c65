-- Pool addresses emptied into the application wallet: each a row, with what it cost.

-- Money at a pool address that became final and that no sweep has taken yet: the sum of what
-- arrived, the oldest arrival, and why it still waits. Beginning a sweep takes the row away.
CREATE TABLE unswept (
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    address text NOT NULL,
    pool_index integer NOT NULL CHECK (pool_index >= 0),
    units units NOT NULL,
    since timestamptz NOT NULL,
    not_before timestamptz,
    reason text,
    looked_at timestamptz,
    PRIMARY KEY (currency_id, address)
);
CREATE INDEX unswept_next ON unswept (network_id, looked_at NULLS FIRST, since);

CREATE FUNCTION note_unswept() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO unswept (network_id, currency_id, address, pool_index, units, since)
        SELECT NEW.network_id, NEW.currency_id, NEW.address, p.index, NEW.units, NEW.confirmed_at
        FROM address_pool p WHERE p.network_id = NEW.network_id AND p.address = NEW.address
        ON CONFLICT (currency_id, address)
        DO UPDATE SET units = unswept.units + excluded.units, looked_at = NULL;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION note_unswept() FROM PUBLIC;
CREATE TRIGGER deposit_unswept AFTER UPDATE OF status ON deposit FOR EACH ROW
    WHEN (NEW.status = 'confirmed' AND OLD.status <> 'confirmed') EXECUTE FUNCTION note_unswept();
ALTER TABLE deposit ENABLE ALWAYS TRIGGER deposit_unswept;
INSERT INTO unswept (network_id, currency_id, address, pool_index, units, since)
    SELECT d.network_id, d.currency_id, d.address, p.index, sum(d.units), min(d.confirmed_at)
    FROM deposit d JOIN address_pool p ON p.network_id = d.network_id AND p.address = d.address
    WHERE d.status = 'confirmed' GROUP BY d.network_id, d.currency_id, d.address, p.index;

-- One emptying of one address in one asset. Each order is one transaction of ours (`attempt`);
-- several addresses of a Solana network share theirs. `order_id` is the one under way, `steps`
-- how many were begun. `cost_units` and `returned_units` are in the network's own coin: fees of
-- all its transactions, and rent that came back.
CREATE TABLE sweep (
    id text PRIMARY KEY,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    address text NOT NULL,
    pool_index integer NOT NULL CHECK (pool_index >= 0),
    destination text NOT NULL,
    units units NOT NULL,
    since timestamptz NOT NULL,
    reason text NOT NULL,
    state text NOT NULL CHECK (state IN ('planned', 'funding', 'lending', 'moving', 'returning', 'done', 'failed')),
    order_id text,
    steps integer NOT NULL DEFAULT 0 CHECK (steps >= 0),
    funding_order text,
    lending_order text,
    moving_order text,
    returning_order text,
    cost_units units NOT NULL DEFAULT 0,
    returned_units units NOT NULL DEFAULT 0,
    blocked_reason text,
    failure_reason text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    ended_at timestamptz,
    CHECK ((state IN ('done', 'failed')) = (ended_at IS NOT NULL))
);
CREATE UNIQUE INDEX sweep_live ON sweep (network_id, address) WHERE state NOT IN ('done', 'failed');
CREATE INDEX sweep_recent ON sweep (network_id, id DESC);
CREATE INDEX sweep_order ON sweep (order_id) WHERE order_id IS NOT NULL;

-- Where it goes never changes, an order is named once, and an ended one rests.
CREATE FUNCTION guard_sweep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.network_id, NEW.currency_id, NEW.address, NEW.pool_index, NEW.destination)
       IS DISTINCT FROM
       (OLD.id, OLD.network_id, OLD.currency_id, OLD.address, OLD.pool_index, OLD.destination)
       OR OLD.state IN ('done', 'failed') THEN
        RAISE EXCEPTION 'sweep %: what it empties never changes, and an ended one rests', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sweep_guard BEFORE UPDATE ON sweep FOR EACH ROW EXECUTE FUNCTION guard_sweep();
ALTER TABLE sweep ENABLE ALWAYS TRIGGER sweep_guard;

-- A fee payer may gain in the transaction that it pays for: lamports of a swept address, rent of a
-- closed account. Then the fee is what the block says, not what the payer lost.
ALTER TABLE attempt ADD COLUMN payer_gained_units units NOT NULL DEFAULT 0, ADD COLUMN fee_units units;

-- Rent of a closed account came to us from somebody who paid us, or back from an older fee.
ALTER TABLE journal DROP CONSTRAINT journal_kind_check,
    ADD CONSTRAINT journal_kind_check CHECK (kind IN ('deposit', 'assign', 'hold', 'release',
        'settle', 'network_fee', 'rent', 'capital', 'reversal'));

-- What the operator brings back from cold storage arrives, and is neither deposit nor capital.
ALTER TABLE deposit DROP CONSTRAINT deposit_purpose_check,
    ADD CONSTRAINT deposit_purpose_check CHECK (purpose IN ('invoice', 'merchant', 'unattributed',
        'refund', 'capital', 'internal'));

GRANT SELECT, INSERT, UPDATE, DELETE ON unswept TO gw_watcher;
GRANT SELECT, INSERT, UPDATE ON sweep TO gw_watcher;

-- downgrade
DROP TABLE sweep;
DROP FUNCTION guard_sweep();
DROP TRIGGER deposit_unswept ON deposit;
DROP FUNCTION note_unswept();
DROP TABLE unswept;
-- Fails while there are rows that revision 0001 cannot hold: money's rows are never deleted.
ALTER TABLE deposit DROP CONSTRAINT deposit_purpose_check,
    ADD CONSTRAINT deposit_purpose_check CHECK (purpose IN ('invoice', 'merchant', 'unattributed',
        'refund', 'capital'));
ALTER TABLE journal DROP CONSTRAINT journal_kind_check,
    ADD CONSTRAINT journal_kind_check CHECK (kind IN ('deposit', 'assign', 'hold', 'release',
        'settle', 'network_fee', 'capital', 'reversal'));
ALTER TABLE attempt DROP COLUMN payer_gained_units, DROP COLUMN fee_units;
