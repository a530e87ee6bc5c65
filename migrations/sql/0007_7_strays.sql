-- Strays are rationed by token: what somebody floods an address with hides nothing else that came.
-- `asset` is empty where more tokens came in a day than are told apart. The sum of what has no row
-- may be beyond any one amount.
ALTER TABLE stray_day
    ADD COLUMN asset text NOT NULL DEFAULT '',
    ADD COLUMN largest_units units NOT NULL DEFAULT 0,
    ADD COLUMN dropped_units numeric NOT NULL DEFAULT 0 CHECK (dropped_units >= 0),
    DROP CONSTRAINT stray_day_pkey,
    ADD CONSTRAINT stray_day_pkey PRIMARY KEY (network_id, address, day, asset);
GRANT UPDATE (largest_units, dropped_units) ON stray_day TO gw_watcher;

-- downgrade
CREATE TEMPORARY TABLE stray_days ON COMMIT DROP AS
    SELECT network_id, address, day, least(sum(kept), 2147483647)::integer, sum(dropped)::bigint
    FROM stray_day GROUP BY network_id, address, day;
DELETE FROM stray_day;
ALTER TABLE stray_day
    DROP CONSTRAINT stray_day_pkey,
    DROP COLUMN asset,
    DROP COLUMN largest_units,
    DROP COLUMN dropped_units,
    ADD CONSTRAINT stray_day_pkey PRIMARY KEY (network_id, address, day);
INSERT INTO stray_day SELECT * FROM stray_days;
