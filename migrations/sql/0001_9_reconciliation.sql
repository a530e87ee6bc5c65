-- Chain against ledger against signed transactions; assets checked again while they are listed.

-- What the newest look at an asset found, in base units: held on the chain, owed by the ledger
-- (custody below zero), and expected from what we saw arrive and what we signed away. All three
-- speak of the final block `height`, and are equal unless something is wrong. An operator may bear
-- what the ledger owes beyond what is expected (`acknowledged_units`).
CREATE TABLE reconciliation (
    currency_id text PRIMARY KEY REFERENCES currency ON DELETE RESTRICT,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    height bigint NOT NULL,
    chain_units signed_units NOT NULL,
    ledger_units signed_units NOT NULL,
    expected_units signed_units NOT NULL,
    acknowledged_units signed_units NOT NULL DEFAULT 0,
    addresses integer NOT NULL,
    checked_at timestamptz NOT NULL
);

-- Addresses that hold something else than our rows say, until they agree again. One that an
-- operator bears holds nobody back while it stays as it was.
CREATE TABLE address_drift (
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    address text NOT NULL,
    units signed_units NOT NULL CHECK (units <> 0),
    acknowledged_units signed_units NOT NULL DEFAULT 0,
    reason text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (currency_id, address)
);

-- Up to when a network's expired invoices had their addresses compared once more.
CREATE TABLE reconciliation_mark (
    network_id text PRIMARY KEY REFERENCES network ON DELETE RESTRICT,
    expiries_through timestamptz NOT NULL
);

-- What is wrong with an asset now; while a row stands, its payouts wait. `address` is empty where
-- the whole asset is meant; a frozen pool address keeps only itself from being swept.
CREATE TABLE asset_hold (
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    cause text NOT NULL CHECK (cause IN ('drift', 'changed', 'refused', 'paused', 'frozen')),
    address text NOT NULL DEFAULT '',
    reason text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (currency_id, cause, address)
);

-- What an asset's contract or mint looked like when it was last right: a change suspends it.
CREATE TABLE asset_check (
    currency_id text PRIMARY KEY REFERENCES currency ON DELETE RESTRICT,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    decimals integer NOT NULL,
    fingerprint jsonb NOT NULL,
    findings jsonb NOT NULL DEFAULT '[]',
    checked_at timestamptz NOT NULL
);

-- Money that a balance difference has credited must not be credited again by the transfer that
-- brought it, found later. The other way round the reconciler looks under `lock_deposits`.
CREATE FUNCTION count_once() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.kind <> 'balance' AND EXISTS (SELECT 1 FROM deposit d
        WHERE d.network_id = NEW.network_id AND d.address = NEW.address AND d.kind = 'balance'
          AND d.currency_id = NEW.currency_id AND d.block_height >= NEW.block_height) THEN
        NEW.status := 'rejected';
        NEW.reason := 'counted_as_balance';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deposit_count_once BEFORE INSERT ON deposit
    FOR EACH ROW EXECUTE FUNCTION count_once();
ALTER TABLE deposit ENABLE ALWAYS TRIGGER deposit_count_once;
CREATE UNIQUE INDEX deposit_balance ON deposit (network_id, address, currency_id, block_height)
    WHERE kind = 'balance';

-- Nobody else writes a deposit until this transaction ends.
CREATE FUNCTION lock_deposits() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    LOCK TABLE deposit IN SHARE ROW EXCLUSIVE MODE;
END $$;
REVOKE ALL ON FUNCTION count_once(), lock_deposits() FROM PUBLIC;

GRANT EXECUTE ON FUNCTION lock_deposits() TO gw_watcher;
GRANT SELECT ON asset_hold TO gw_api;
GRANT SELECT, INSERT, UPDATE ON reconciliation, reconciliation_mark, address_drift, asset_hold, asset_check
    TO gw_watcher;
GRANT DELETE ON address_drift, asset_hold TO gw_watcher;
GRANT INSERT, SELECT (id) ON audit_log TO gw_watcher;
