-- A withdrawal may turn as often as its chain is rewritten: each turn has a journal of its own (`id`, `id#2`
-- ...), and the newest of them has to move its units this way around. Else as in 0008.
CREATE OR REPLACE FUNCTION guard_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.merchant_id, NEW.currency_id, NEW.network_id, NEW.units, NEW.fee_units,
        NEW.destination, NEW.created_by)
       IS DISTINCT FROM
       (OLD.id, OLD.merchant_id, OLD.currency_id, OLD.network_id, OLD.units, OLD.fee_units,
        OLD.destination, OLD.created_by) THEN
        RAISE EXCEPTION 'withdrawal %: what was asked for never changes', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT (CASE OLD.status
        WHEN 'pending' THEN NEW.status IN ('approved', 'rejected', 'canceled')
        WHEN 'approved' THEN NEW.status IN ('signing', 'rejected', 'canceled')
        WHEN 'signing' THEN NEW.status IN ('approved', 'broadcast', 'failed')
        WHEN 'broadcast' THEN NEW.status IN ('confirming', 'completed', 'failed')
        WHEN 'confirming' THEN NEW.status IN ('broadcast', 'completed', 'failed')
        WHEN 'completed' THEN NEW.status = 'failed' AND current_user NOT IN ('gw_worker', 'gw_api')
        WHEN 'failed' THEN NEW.status = 'completed' AND current_user NOT IN ('gw_api', 'gw_worker')
        ELSE false END) THEN
        RAISE EXCEPTION 'withdrawal %: % cannot become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.status IN ('completed', 'failed') AND NEW.status <> OLD.status THEN
        PERFORM 1 FROM reopened_order r WHERE r.order_id = OLD.id
            AND OLD.units * (CASE NEW.status WHEN 'completed' THEN 1 ELSE -1 END) = (  -- of this turn
                SELECT sum(b.delta_confirmed) FROM balance_history b WHERE b.journal_id = (
                    SELECT max(j.id) FROM journal j WHERE j.kind = 'reversal'
                    AND (j.ref = OLD.id OR starts_with(j.ref, OLD.id || '#'))
                    AND j.merchant_id IS NOT DISTINCT FROM OLD.merchant_id)
                AND b.account = 'custody' AND b.currency_id = OLD.currency_id);
        IF NOT FOUND THEN  -- or the newest says otherwise
            RAISE EXCEPTION 'withdrawal %: it has ended, and nothing takes that back', OLD.id
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    -- A statement of its own: only the watcher goes back, and only it may read attempts.
    IF OLD.status = 'signing' AND NEW.status = 'approved' THEN
        PERFORM 1 FROM attempt a WHERE a.order_id = OLD.id AND a.state <> 'refused';
        IF FOUND THEN
            RAISE EXCEPTION 'withdrawal %: its transaction may have been signed', OLD.id
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;

-- downgrade
CREATE OR REPLACE FUNCTION guard_withdrawal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.merchant_id, NEW.currency_id, NEW.network_id, NEW.units, NEW.fee_units,
        NEW.destination, NEW.created_by)
       IS DISTINCT FROM
       (OLD.id, OLD.merchant_id, OLD.currency_id, OLD.network_id, OLD.units, OLD.fee_units,
        OLD.destination, OLD.created_by) THEN
        RAISE EXCEPTION 'withdrawal %: what was asked for never changes', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT (CASE OLD.status
        WHEN 'pending' THEN NEW.status IN ('approved', 'rejected', 'canceled')
        WHEN 'approved' THEN NEW.status IN ('signing', 'rejected', 'canceled')
        WHEN 'signing' THEN NEW.status IN ('approved', 'broadcast', 'failed')
        WHEN 'broadcast' THEN NEW.status IN ('confirming', 'completed', 'failed')
        WHEN 'confirming' THEN NEW.status IN ('broadcast', 'completed', 'failed')
        WHEN 'completed' THEN NEW.status = 'failed' AND current_user NOT IN ('gw_api', 'gw_worker')
        WHEN 'failed' THEN NEW.status = 'completed' AND current_user NOT IN ('gw_api', 'gw_worker')
        ELSE false END) THEN
        RAISE EXCEPTION 'withdrawal %: % cannot become %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.status IN ('completed', 'failed') AND NEW.status <> OLD.status THEN
        PERFORM 1 FROM journal j JOIN reopened_order r ON r.order_id = j.ref
            WHERE j.kind = 'reversal' AND j.ref = OLD.id AND j.merchant_id IS NOT DISTINCT FROM OLD.merchant_id
            AND OLD.units * (CASE NEW.status WHEN 'completed' THEN 1 ELSE -1 END) = (
                SELECT sum(b.delta_confirmed) FROM balance_history b WHERE b.journal_id = j.id
                AND b.account = 'custody' AND b.currency_id = OLD.currency_id);
        IF NOT FOUND THEN
            RAISE EXCEPTION 'withdrawal %: it has ended, and nothing takes that back', OLD.id
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    -- A statement of its own: only the watcher goes back, and only it may read attempts.
    IF OLD.status = 'signing' AND NEW.status = 'approved' THEN
        PERFORM 1 FROM attempt a WHERE a.order_id = OLD.id AND a.state <> 'refused';
        IF FOUND THEN
            RAISE EXCEPTION 'withdrawal %: its transaction may have been signed', OLD.id
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
