CREATE TABLE webhook_endpoint (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    url text NOT NULL,
    events text[] NOT NULL DEFAULT '{*}',
    secret_version integer NOT NULL DEFAULT 1,
    api_version text NOT NULL,
    status text NOT NULL DEFAULT 'enabled' CHECK (status IN ('enabled', 'disabled')),
    exhausted_in_a_row integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    deleted_at timestamptz
);
CREATE INDEX webhook_endpoint_merchant ON webhook_endpoint (merchant_id) WHERE deleted_at IS NULL;

-- The outbox: written in the transaction that changed the subject.
CREATE TABLE event (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    position bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    type text NOT NULL,
    subject text NOT NULL,
    sequence integer NOT NULL,
    livemode boolean NOT NULL,
    api_version text NOT NULL,
    data jsonb NOT NULL,
    at timestamptz NOT NULL,
    UNIQUE (subject, sequence)
);
CREATE INDEX event_merchant ON event (merchant_id, id DESC);

CREATE TABLE webhook_delivery (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    endpoint_id text NOT NULL REFERENCES webhook_endpoint ON DELETE RESTRICT,
    event_id text NOT NULL REFERENCES event ON DELETE RESTRICT,
    subject text NOT NULL,
    sequence integer NOT NULL,
    status text NOT NULL DEFAULT 'scheduled' CHECK (status IN ('scheduled', 'succeeded', 'retrying', 'exhausted', 'skipped')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    leased_until timestamptz,
    response_status integer,
    response_body text,
    error text,
    duration_ms integer,
    created_at timestamptz NOT NULL,
    ended_at timestamptz
);
-- By endpoint first: the sender asks each for its own few, past nobody's backlog.
CREATE INDEX webhook_delivery_due ON webhook_delivery (endpoint_id, next_attempt_at)
    WHERE status IN ('scheduled', 'retrying');
CREATE INDEX webhook_delivery_order ON webhook_delivery (endpoint_id, subject, sequence)
    WHERE status IN ('scheduled', 'retrying');
CREATE INDEX webhook_delivery_merchant ON webhook_delivery (merchant_id, id DESC);
