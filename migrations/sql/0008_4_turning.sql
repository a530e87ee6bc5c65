-- What hangs on a transaction that a rewritten chain ends otherwise follows it: sweeps and refunds.

-- The guard of 0002: an ended sweep rests, unless its chain judges again what it had moved. Then its end
-- alone changes.
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

-- The guard of 0001: an ended one rests, unless its refund was reopened and has ended otherwise since.
CREATE OR REPLACE FUNCTION guard_resolution() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.deposit_id, NEW.network_id, NEW.kind, NEW.merchant_id, NEW.invoice_id,
        NEW.destination, NEW.reason, NEW.requested_by)
       IS DISTINCT FROM
       (OLD.id, OLD.deposit_id, OLD.network_id, OLD.kind, OLD.merchant_id, OLD.invoice_id,
        OLD.destination, OLD.reason, OLD.requested_by)
       OR (OLD.decided_by IS NOT NULL AND NEW.decided_by IS DISTINCT FROM OLD.decided_by)
       OR (OLD.withdrawal_id IS NOT NULL AND NEW.withdrawal_id IS DISTINCT FROM OLD.withdrawal_id) THEN
        RAISE EXCEPTION 'resolution %: what was asked for and decided never changes', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT (CASE OLD.status
        WHEN 'pending' THEN NEW.status IN ('approved', 'rejected')
        WHEN 'approved' THEN NEW.status IN ('paying', 'done', 'failed')
        WHEN 'paying' THEN NEW.status IN ('done', 'failed')
        WHEN 'done' THEN NEW.status = 'failed' AND current_user <> 'gw_api'
        WHEN 'failed' THEN NEW.status = 'done' AND current_user <> 'gw_api'
        ELSE false END) THEN
        RAISE EXCEPTION 'resolution %: % cannot become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    -- A statement of its own: the API may not read what was reopened.
    IF OLD.status IN ('done', 'failed') AND NEW.status <> OLD.status THEN
        PERFORM 1 FROM withdrawal w JOIN reopened_order r ON r.order_id = w.id
            WHERE w.id = OLD.withdrawal_id
            AND w.status = (CASE NEW.status WHEN 'done' THEN 'completed' ELSE 'failed' END);
        IF NOT FOUND THEN
            RAISE EXCEPTION 'resolution %: it has ended, and its refund says nothing else', OLD.id
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;

-- What is left to an account, under its row lock: whoever posts by it must not read what another one
-- is changing, and no role but the owner's may lock a wallet.
CREATE FUNCTION left_of(text, text) RETURNS numeric
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT confirmed FROM wallet WHERE account = $1 AND currency_id = $2 FOR UPDATE
$$;
REVOKE ALL ON FUNCTION left_of(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION left_of(text, text) TO gw_watcher;

-- downgrade
DROP FUNCTION left_of(text, text);
CREATE OR REPLACE FUNCTION guard_resolution() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.deposit_id, NEW.network_id, NEW.kind, NEW.merchant_id, NEW.invoice_id,
        NEW.destination, NEW.reason, NEW.requested_by)
       IS DISTINCT FROM
       (OLD.id, OLD.deposit_id, OLD.network_id, OLD.kind, OLD.merchant_id, OLD.invoice_id,
        OLD.destination, OLD.reason, OLD.requested_by)
       OR (OLD.decided_by IS NOT NULL AND NEW.decided_by IS DISTINCT FROM OLD.decided_by)
       OR (OLD.withdrawal_id IS NOT NULL AND NEW.withdrawal_id IS DISTINCT FROM OLD.withdrawal_id) THEN
        RAISE EXCEPTION 'resolution %: what was asked for and decided never changes', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT (CASE OLD.status
        WHEN 'pending' THEN NEW.status IN ('approved', 'rejected')
        WHEN 'approved' THEN NEW.status IN ('paying', 'done', 'failed')
        WHEN 'paying' THEN NEW.status IN ('done', 'failed')
        ELSE false END) THEN
        RAISE EXCEPTION 'resolution %: % cannot become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION guard_sweep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.network_id, NEW.currency_id, NEW.address, NEW.pool_index, NEW.destination)
       IS DISTINCT FROM
       (OLD.id, OLD.network_id, OLD.currency_id, OLD.address, OLD.pool_index, OLD.destination)
       OR OLD.state IN ('done', 'failed') THEN
        RAISE EXCEPTION 'sweep %: what it empties never changes, and an ended one rests', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
