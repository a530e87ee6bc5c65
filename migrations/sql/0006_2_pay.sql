-- Whose turn it is among approved payouts is found without reading them all; every task of a watcher says what troubles it.

CREATE INDEX withdrawal_turn ON withdrawal (network_id, (blocked_reason IS NOT NULL), updated_at, id)
    WHERE status = 'approved';

-- {"payouts": {"reason": ..., "since": ...}}: what a task waits for, the scan's (`trouble`) left out.
ALTER TABLE network_health ADD COLUMN troubles jsonb NOT NULL DEFAULT '{}';

-- What a sweep's transaction may take when it is prepared, by what it was chosen for; null: the fee ceiling.
ALTER TABLE sweep ADD COLUMN cost_limit_units units;

-- Of a token that keeps a part of every transfer nobody would get what was asked for: nothing of it is paid.
ALTER TABLE currency ADD COLUMN fee_on_transfer boolean NOT NULL DEFAULT false;
CREATE OR REPLACE FUNCTION check_withdrawal_terms() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM currency c JOIN network n ON n.id = c.network_id
            WHERE c.id = NEW.currency_id AND c.network_id = NEW.network_id AND n.test <> NEW.livemode
              AND c.withdrawal_fee_units = NEW.fee_units AND NOT c.fee_on_transfer) THEN
        RAISE EXCEPTION 'withdrawal %: these are not the terms of %', NEW.id, NEW.currency_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- downgrade
ALTER TABLE sweep DROP COLUMN cost_limit_units;
CREATE OR REPLACE FUNCTION check_withdrawal_terms() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM currency c JOIN network n ON n.id = c.network_id
            WHERE c.id = NEW.currency_id AND c.network_id = NEW.network_id AND n.test <> NEW.livemode
              AND c.withdrawal_fee_units = NEW.fee_units) THEN
        RAISE EXCEPTION 'withdrawal %: these are not the terms of %', NEW.id, NEW.currency_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
ALTER TABLE currency DROP COLUMN fee_on_transfer;
ALTER TABLE network_health DROP COLUMN troubles;
DROP INDEX withdrawal_turn;
