-- Who stands behind what a payout rule asks for: the one who made the rule, or the one behind that
-- key. The operator's gate asks as well now: its order names a person, whom the keystore knows.
CREATE OR REPLACE FUNCTION one_behind(actor text) RETURNS text
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    WITH named AS (
        SELECT coalesce((SELECT created_by FROM payout_rule WHERE actor = 'auto:' || id), actor) AS id
    )
    SELECT coalesce((SELECT created_by FROM api_key k WHERE k.id = named.id), named.id) FROM named
$$;
GRANT EXECUTE ON FUNCTION one_behind(text) TO gw_watcher;
CREATE OR REPLACE FUNCTION check_approval_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM withdrawal w JOIN currency c ON c.id = w.currency_id
        WHERE w.id = NEW.withdrawal_id AND w.network_id = NEW.network_id AND w.units = NEW.units
          AND w.destination = NEW.destination AND one_behind(w.created_by) = NEW.requested_by
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
REVOKE EXECUTE ON FUNCTION one_behind(text) FROM gw_watcher;
CREATE OR REPLACE FUNCTION one_behind(actor text) RETURNS text
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT coalesce((SELECT created_by FROM api_key WHERE id = actor), actor)
$$;
