-- Webhooks: since when nothing arrives at an endpoint, and what was last said of each network.
ALTER TABLE webhook_endpoint ADD COLUMN failing_since timestamptz;
GRANT UPDATE (failing_since) ON webhook_endpoint TO gw_api, gw_worker;
-- Who was deleted hears nothing. Every lease and every event asks for them, and they are few.
CREATE INDEX merchant_deleted ON merchant (id) WHERE deleted_at IS NOT NULL;

-- `doubted_since` is when a network began to look otherwise than was said.
CREATE TABLE network_condition (
    network_id text PRIMARY KEY REFERENCES network ON DELETE CASCADE,
    degraded boolean NOT NULL,
    since timestamptz NOT NULL,
    doubted_since timestamptz
);
REVOKE ALL ON network_condition FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE (degraded, since, doubted_since) ON network_condition TO gw_worker;

-- downgrade
DROP TABLE network_condition;
DROP INDEX merchant_deleted;
ALTER TABLE webhook_endpoint DROP COLUMN failing_since;
