-- Webhooks: which mode an endpoint hears, how long an old secret still signs, and a feed in the
-- order in which events became visible.
ALTER TABLE webhook_endpoint
    ADD COLUMN livemode boolean,
    ADD COLUMN previous_until timestamptz,
    ADD COLUMN ed25519 boolean NOT NULL DEFAULT false;
-- Before, an endpoint heard both; a gateway with real networks is live.
UPDATE webhook_endpoint SET livemode = EXISTS (SELECT 1 FROM network WHERE NOT test);
ALTER TABLE webhook_endpoint ALTER COLUMN livemode SET NOT NULL;

-- Identity numbers are given before commit, so a younger one may be seen first. The place in the
-- feed is given afterwards, by one transaction at a time: who has read up to it misses nothing.
ALTER TABLE event ADD COLUMN feed bigint;
CREATE SEQUENCE event_feed;
UPDATE event e SET feed = o.place FROM (SELECT id, row_number() OVER (ORDER BY position) AS place FROM event) o
    WHERE o.id = e.id;
SELECT setval('event_feed', (SELECT coalesce(max(feed), 0) + 1 FROM event), false);
CREATE UNIQUE INDEX event_place ON event (merchant_id, feed) WHERE feed IS NOT NULL;
CREATE INDEX event_unplaced ON event (position) WHERE feed IS NULL;

GRANT UPDATE (previous_until, ed25519) ON webhook_endpoint TO gw_api;
-- Nobody but the worker gives places.
REVOKE INSERT ON event FROM gw_api, gw_worker, gw_watcher;
GRANT INSERT (id, merchant_id, type, subject, sequence, livemode, api_version, data, at)
    ON event TO gw_api, gw_worker, gw_watcher;
GRANT UPDATE (feed) ON event TO gw_worker;
GRANT USAGE ON SEQUENCE event_feed TO gw_worker;

-- downgrade
GRANT INSERT ON event TO gw_api, gw_worker, gw_watcher;
DROP INDEX event_place, event_unplaced;
ALTER TABLE event DROP COLUMN feed;
DROP SEQUENCE event_feed;
ALTER TABLE webhook_endpoint DROP COLUMN livemode, DROP COLUMN previous_until, DROP COLUMN ed25519;
