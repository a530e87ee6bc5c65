-- The keystore's journal against our rows, transaction by transaction.

-- What the keystore says it signed and our rows do not say, or the other way round, until both
-- agree. `number` is the keystore's; NULL where its journal has none. One that an operator bears
-- holds nobody back while it stays as it was.
CREATE TABLE signature_drift (
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    tx_hash text NOT NULL,
    order_id text NOT NULL,
    number bigint,
    signed_units units NOT NULL,
    known_units units NOT NULL,
    acknowledged boolean NOT NULL DEFAULT false,
    reason text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (currency_id, tx_hash)
);

-- Up to which number a network's signatures were compared on the way through the journal.
CREATE TABLE signature_mark (
    network_id text PRIMARY KEY REFERENCES network ON DELETE RESTRICT,
    number bigint NOT NULL,
    checked_at timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE ON signature_drift, signature_mark TO gw_watcher;
GRANT DELETE ON signature_drift TO gw_watcher;

-- downgrade
DROP TABLE signature_mark, signature_drift;
