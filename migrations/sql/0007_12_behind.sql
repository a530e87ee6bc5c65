-- Who asks the operator for a withdrawal: the person or first key behind a key, or behind whoever
-- made the payout rule. The keystore knows people: a key of one of them is no second person.
CREATE FUNCTION one_who_asks(actor text) RETURNS text
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT one_behind(coalesce((SELECT created_by FROM payout_rule WHERE actor = 'auto:' || id), actor))
$$;
REVOKE ALL ON FUNCTION one_who_asks(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION one_who_asks(text) TO gw_watcher;
CREATE OR REPLACE FUNCTION check_approval_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM withdrawal w JOIN currency c ON c.id = w.currency_id
        WHERE w.id = NEW.withdrawal_id AND w.network_id = NEW.network_id AND w.units = NEW.units
          AND w.destination = NEW.destination AND one_who_asks(w.created_by) = NEW.requested_by
          AND w.merchant_id IS NOT DISTINCT FROM NEW.merchant_id
          AND NEW.asset = CASE WHEN c.contract IS NULL THEN 'native'
              WHEN c.contract LIKE '0x%' THEN lower(c.contract) ELSE c.contract END) THEN
        RAISE EXCEPTION 'order % is not its withdrawal', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.revision > 1 AND NOT EXISTS (SELECT 1 FROM approval_order o
        WHERE o.withdrawal_id = NEW.withdrawal_id AND o.revision = NEW.revision - 1
          AND o.expires_ms <= extract(epoch FROM NEW.created_at) * 1000) THEN
        RAISE EXCEPTION 'order %: the one before it has not expired', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- downgrade
CREATE OR REPLACE FUNCTION check_approval_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM withdrawal w JOIN currency c ON c.id = w.currency_id
        WHERE w.id = NEW.withdrawal_id AND w.network_id = NEW.network_id AND w.units = NEW.units
          AND w.destination = NEW.destination AND w.created_by = NEW.requested_by
          AND w.merchant_id IS NOT DISTINCT FROM NEW.merchant_id
          AND NEW.asset = CASE WHEN c.contract IS NULL THEN 'native'
              WHEN c.contract LIKE '0x%' THEN lower(c.contract) ELSE c.contract END) THEN
        RAISE EXCEPTION 'order % is not its withdrawal', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.revision > 1 AND NOT EXISTS (SELECT 1 FROM approval_order o
        WHERE o.withdrawal_id = NEW.withdrawal_id AND o.revision = NEW.revision - 1
          AND o.expires_ms <= extract(epoch FROM NEW.created_at) * 1000) THEN
        RAISE EXCEPTION 'order %: the one before it has not expired', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
DROP FUNCTION one_who_asks(text);
