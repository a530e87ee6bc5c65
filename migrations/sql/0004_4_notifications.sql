-- Messages to people: written in the transaction of what they are about, sent by the worker.
-- A secret one (a reset link) is sealed until it is sent, and wiped then.
CREATE TABLE notification (
    id text PRIMARY KEY,
    merchant_id text REFERENCES merchant ON DELETE RESTRICT,
    livemode boolean,
    recipient text NOT NULL CHECK (recipient ~ '^[^[:cntrl:]]{1,254}$'),
    kind text NOT NULL CHECK (kind ~ '^[a-z][a-z0-9_.]{0,63}$'),
    subject text NOT NULL CHECK (subject ~ '^[^[:cntrl:]]{1,200}$'),
    body text CHECK (octet_length(body) <= 16384),
    sealed bytea CHECK (octet_length(sealed) <= 20480),
    secret boolean NOT NULL,
    event_id text REFERENCES event ON DELETE RESTRICT,
    status text NOT NULL DEFAULT 'scheduled' CHECK (status IN ('scheduled', 'retrying', 'sent', 'failed')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at timestamptz NOT NULL,
    leased_until timestamptz,
    error text,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    CHECK (body IS NULL OR NOT secret),
    CHECK (sealed IS NULL OR secret),
    CHECK (NOT (secret AND status IN ('sent', 'failed') AND sealed IS NOT NULL)),
    UNIQUE (event_id, recipient)
);
CREATE INDEX notification_due ON notification (next_attempt_at) WHERE status IN ('scheduled', 'retrying');
CREATE INDEX notification_sent ON notification (lower(recipient), ended_at) WHERE status = 'sent';
CREATE INDEX notification_leased ON notification (lower(recipient)) WHERE leased_until IS NOT NULL;
CREATE INDEX notification_ended ON notification (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX notification_merchant ON notification (merchant_id, id DESC);

-- Where a merchant gets SMS and chat; the address holds the service's token, so it is sealed.
CREATE TABLE notification_target (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    channel text NOT NULL CHECK (channel IN ('sms', 'chat')),
    service text NOT NULL,
    sealed bytea,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    deleted_at timestamptz,
    CHECK ((sealed IS NULL) = (deleted_at IS NOT NULL))
);
CREATE UNIQUE INDEX notification_target_live ON notification_target (merchant_id, name) WHERE deleted_at IS NULL;

-- Up to which place of the feed, and of the audit log's chain, people were told.
CREATE TABLE notification_cursor (
    source text PRIMARY KEY CHECK (source IN ('audit', 'feed')),
    place bigint NOT NULL
);
INSERT INTO notification_cursor VALUES
    ('feed', (SELECT coalesce(max(feed), 0) FROM event)),
    ('audit', (SELECT coalesce(max(place), 0) FROM audit_link));
-- Only what people may be told of, in the order of the feed.
CREATE INDEX event_told ON event (feed) WHERE feed IS NOT NULL AND type IN ('invoice.settled',
    'invoice.partially_paid', 'invoice.overpaid', 'invoice.paid_late', 'invoice.invalid',
    'withdrawal.completed', 'withdrawal.failed', 'webhook_endpoint.disabled');

-- From where somebody signed in before: only a new place is worth an alert.
CREATE INDEX audit_log_sign_in ON audit_log (actor, address) WHERE action = 'session.created';

REVOKE ALL ON notification, notification_target, notification_cursor FROM PUBLIC;
ALTER TABLE notification ENABLE ROW LEVEL SECURITY;
ALTER TABLE notification_target ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notification FOR SELECT TO gw_api USING (merchant_id = (SELECT current_merchant()));
-- People without a merchant get messages too; nobody reads those through the API.
CREATE POLICY post ON notification FOR INSERT TO gw_api
    WITH CHECK (merchant_id IS NULL OR merchant_id = (SELECT current_merchant()));
CREATE POLICY worker ON notification TO gw_worker USING (true);
CREATE POLICY watcher ON notification TO gw_watcher USING (true);
CREATE POLICY tenant ON notification_target TO gw_api USING (merchant_id = (SELECT current_merchant()));
CREATE POLICY worker ON notification_target TO gw_worker USING (true);

-- Who posts decides what is said to whom, and nothing of what becomes of it.
GRANT INSERT (id, merchant_id, livemode, recipient, kind, subject, body, sealed, secret, next_attempt_at, created_at)
    ON notification TO gw_api, gw_worker, gw_watcher;
GRANT INSERT (event_id) ON notification TO gw_worker;
GRANT SELECT (id, merchant_id, livemode, recipient, kind, subject, body, secret, event_id, status, attempts,
    next_attempt_at, error, created_at, ended_at) ON notification TO gw_api;
GRANT SELECT, DELETE ON notification TO gw_worker;
GRANT UPDATE (status, attempts, next_attempt_at, leased_until, error, ended_at, sealed) ON notification TO gw_worker;
GRANT SELECT (id, merchant_id, name, channel, service, created_by, created_at, deleted_at) ON notification_target TO gw_api;
GRANT INSERT ON notification_target TO gw_api;
GRANT UPDATE (deleted_at, sealed) ON notification_target TO gw_api;
GRANT SELECT ON notification_target TO gw_worker;
GRANT SELECT, UPDATE (place) ON notification_cursor TO gw_worker;
-- Alerts are made from the audit log: who did what, without what it was and became.
GRANT SELECT (merchant_id, actor, action, subject, address, at) ON audit_log TO gw_worker;

-- downgrade
REVOKE SELECT (merchant_id, actor, action, subject, address, at) ON audit_log FROM gw_worker;
DROP INDEX event_told, audit_log_sign_in;
DROP TABLE notification_cursor;
DROP TABLE notification_target;
DROP TABLE notification;
