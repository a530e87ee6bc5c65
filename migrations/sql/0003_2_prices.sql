-- What each source said is kept beside the price that was agreed on; only the latter makes a rate.
ALTER TABLE price_history ADD COLUMN agreed boolean NOT NULL DEFAULT true;
CREATE INDEX price_history_agreed ON price_history (code, quote, at DESC) WHERE agreed;
GRANT UPDATE (agreed, price) ON price_history TO gw_worker;

-- downgrade
DELETE FROM price_history WHERE NOT agreed;
REVOKE UPDATE (agreed, price) ON price_history FROM gw_worker;
DROP INDEX price_history_agreed;
ALTER TABLE price_history DROP COLUMN agreed;
