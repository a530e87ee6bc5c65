-- What merchants ask of the API: counted per key, endpoint and hour, later per day. Latency is in
-- microseconds; `le_N` counts requests of at most N milliseconds that were slower than the one before.
CREATE TABLE usage_hour (
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    livemode boolean NOT NULL,
    hour timestamptz NOT NULL CHECK (hour = date_trunc('hour', hour, 'UTC')),
    route text NOT NULL,
    method text NOT NULL,
    key_id text NOT NULL,
    requests bigint NOT NULL,
    errors_4xx bigint NOT NULL,
    errors_5xx bigint NOT NULL,
    limited bigint NOT NULL,
    micros_sum bigint NOT NULL,
    micros_max bigint NOT NULL,
    le_5 bigint NOT NULL,
    le_10 bigint NOT NULL,
    le_25 bigint NOT NULL,
    le_50 bigint NOT NULL,
    le_100 bigint NOT NULL,
    le_250 bigint NOT NULL,
    le_500 bigint NOT NULL,
    le_1000 bigint NOT NULL,
    le_2500 bigint NOT NULL,
    le_5000 bigint NOT NULL,
    slower bigint NOT NULL,
    PRIMARY KEY (merchant_id, hour, livemode, route, method, key_id)
);
CREATE INDEX usage_hour_hour ON usage_hour (hour);
CREATE TABLE usage_day (LIKE usage_hour);
ALTER TABLE usage_day RENAME COLUMN hour TO day;
ALTER TABLE usage_day ADD PRIMARY KEY (merchant_id, day, livemode, route, method, key_id),
    ADD FOREIGN KEY (merchant_id) REFERENCES merchant ON DELETE RESTRICT,
    ADD CHECK (day = date_trunc('day', day, 'UTC'));

-- The API's processes add what they counted, for all merchants at once, and can do nothing else.
CREATE FUNCTION add_usage(rows jsonb) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO usage_hour AS u
    SELECT r.* FROM jsonb_populate_recordset(NULL::usage_hour, rows) r JOIN merchant m ON m.id = r.merchant_id
    ORDER BY r.merchant_id, r.hour, r.livemode, r.route, r.method, r.key_id
    ON CONFLICT (merchant_id, hour, livemode, route, method, key_id) DO UPDATE SET
        requests = u.requests + excluded.requests, errors_4xx = u.errors_4xx + excluded.errors_4xx,
        errors_5xx = u.errors_5xx + excluded.errors_5xx, limited = u.limited + excluded.limited,
        micros_sum = u.micros_sum + excluded.micros_sum, micros_max = greatest(u.micros_max, excluded.micros_max),
        le_5 = u.le_5 + excluded.le_5, le_10 = u.le_10 + excluded.le_10, le_25 = u.le_25 + excluded.le_25,
        le_50 = u.le_50 + excluded.le_50, le_100 = u.le_100 + excluded.le_100,
        le_250 = u.le_250 + excluded.le_250, le_500 = u.le_500 + excluded.le_500,
        le_1000 = u.le_1000 + excluded.le_1000, le_2500 = u.le_2500 + excluded.le_2500,
        le_5000 = u.le_5000 + excluded.le_5000, slower = u.slower + excluded.slower
$$;

REVOKE ALL ON usage_hour, usage_day FROM PUBLIC;
REVOKE ALL ON FUNCTION add_usage(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_usage(jsonb) TO gw_api;
ALTER TABLE usage_hour ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_day ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON usage_hour FOR SELECT TO gw_api USING (merchant_id = (SELECT current_merchant()));
CREATE POLICY tenant ON usage_day FOR SELECT TO gw_api USING (merchant_id = (SELECT current_merchant()));
CREATE POLICY worker ON usage_hour TO gw_worker USING (true);
CREATE POLICY worker ON usage_day TO gw_worker USING (true);
GRANT SELECT ON usage_hour, usage_day TO gw_api;
GRANT SELECT, DELETE ON usage_hour TO gw_worker;
GRANT SELECT, INSERT, UPDATE ON usage_day TO gw_worker;

-- downgrade
DROP FUNCTION add_usage(jsonb);
DROP TABLE usage_day;
DROP TABLE usage_hour;
