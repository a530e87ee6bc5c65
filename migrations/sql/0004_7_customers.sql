-- A merchant's customer: whoever pays it again and again (seed 000's user with wallets).
CREATE TABLE customer (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    livemode boolean NOT NULL,
    reference text CHECK (octet_length(reference) BETWEEN 1 AND 255),
    email text,
    name text,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    UNIQUE (merchant_id, livemode, reference)
);
ALTER TABLE customer ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON customer TO gw_api USING (merchant_id = (SELECT current_merchant()));
CREATE POLICY worker ON customer TO gw_worker USING (true);
CREATE POLICY watcher ON customer TO gw_watcher USING (true);
GRANT SELECT ON customer TO gw_api, gw_worker, gw_watcher;

-- downgrade
DROP TABLE customer;
