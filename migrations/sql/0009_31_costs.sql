-- What an ended sweep took is what the standing chain took: it changes too where one of its orders is judged
-- again. Else as in 0008.
CREATE OR REPLACE FUNCTION guard_sweep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    costs text[] := '{cost_units,returned_units,updated_at}';
    ends text[] := '{state,failure_reason}' || costs;
BEGIN
    IF (NEW.id, NEW.network_id, NEW.currency_id, NEW.address, NEW.pool_index, NEW.destination)
       IS DISTINCT FROM
       (OLD.id, OLD.network_id, OLD.currency_id, OLD.address, OLD.pool_index, OLD.destination)
       OR OLD.state IN ('done', 'failed') AND NOT (
            NEW.state IN ('done', 'failed') AND to_jsonb(NEW) - ends = to_jsonb(OLD) - ends  -- with what it cost
            AND EXISTS (SELECT 1 FROM reopened_order WHERE order_id = OLD.moving_order)
            OR to_jsonb(NEW) - costs = to_jsonb(OLD) - costs
            AND EXISTS (SELECT 1 FROM reopened_order WHERE order_id IN (
                OLD.funding_order, OLD.lending_order, OLD.moving_order, OLD.returning_order))) THEN
        RAISE EXCEPTION 'sweep %: what it empties never changes, and an ended one rests', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- downgrade
CREATE OR REPLACE FUNCTION guard_sweep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE ends text[] := '{state,failure_reason,updated_at}';
BEGIN
    IF (NEW.id, NEW.network_id, NEW.currency_id, NEW.address, NEW.pool_index, NEW.destination)
       IS DISTINCT FROM
       (OLD.id, OLD.network_id, OLD.currency_id, OLD.address, OLD.pool_index, OLD.destination)
       OR OLD.state IN ('done', 'failed') AND NOT (NEW.state IN ('done', 'failed')
            AND to_jsonb(NEW) - ends = to_jsonb(OLD) - ends
            AND EXISTS (SELECT 1 FROM reopened_order WHERE order_id = OLD.moving_order)) THEN
        RAISE EXCEPTION 'sweep %: what it empties never changes, and an ended one rests', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
