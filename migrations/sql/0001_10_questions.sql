-- What the API wants to know of a node: it asks here, the network's watcher answers here.
-- `asker` is a merchant's id, or the key of an operator. The database's clock decides what has
-- expired: it is the one clock that both processes share.
CREATE TABLE question (
    id text PRIMARY KEY,
    asker text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('explain')),
    network_id text NOT NULL REFERENCES network ON DELETE RESTRICT,
    body jsonb NOT NULL CHECK (octet_length(body::text) <= 1024),
    operator boolean NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '10 seconds',
    answer jsonb,
    answered_at timestamptz,
    CHECK ((answer IS NULL) = (answered_at IS NULL))
);
CREATE INDEX question_open ON question (network_id, asked_at) WHERE answer IS NULL;
CREATE INDEX question_asker ON question (asker, asked_at);

ALTER TABLE question ENABLE ROW LEVEL SECURITY;
-- An operator's answer tells whose address it is: only an operator may ask for one.
CREATE POLICY asker ON question TO gw_api USING (asker = (SELECT current_merchant()))
    WITH CHECK (asker = current_merchant() AND answer IS NULL
        AND operator = (SELECT is_operator()));
CREATE POLICY watcher ON question TO gw_watcher USING (true);
GRANT SELECT ON question TO gw_api, gw_watcher;
GRANT INSERT (id, asker, kind, network_id, body, operator) ON question TO gw_api;
GRANT UPDATE (answer, answered_at) ON question TO gw_watcher;
GRANT DELETE ON question TO gw_watcher;
