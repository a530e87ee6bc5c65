-- A refund takes the commissions of a payment back that it undoes wholly; what is undone in part is
-- made up for by the next payments, as before.
ALTER TABLE commission_pot ADD COLUMN refunded_at timestamptz;
CREATE INDEX commission_pot_refunded ON commission_pot (refunded_at) WHERE refunded_at IS NOT NULL;
-- Lists of one referrer.
CREATE INDEX commission_account ON commission (account, id DESC);
CREATE INDEX referral_referrer ON referral (referrer_id, id DESC);

CREATE OR REPLACE FUNCTION guard_pot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE'
       AND (to_jsonb(NEW) - '{shared_at,next_attempt_at,reason,refunded_at}'::text[])
         = (to_jsonb(OLD) - '{shared_at,next_attempt_at,reason,refunded_at}'::text[])
       AND (OLD.shared_at IS NULL OR (NEW.shared_at, NEW.next_attempt_at, NEW.reason)
            IS NOT DISTINCT FROM (OLD.shared_at, OLD.next_attempt_at, OLD.reason))
    THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'what % earned never changes', OLD.payment_id USING ERRCODE = 'insufficient_privilege';
END $$;

-- What went back to the payer of a customer's invoice; the worker looks at what that had earned.
CREATE OR REPLACE FUNCTION note_customer_refund() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM count_paid(NEW.id, NEW.merchant_id, i.customer_id, NEW.currency_id, -NEW.units, 0, NEW.completed_at)
        FROM invoice i WHERE i.id = NEW.invoice_id AND i.customer_id IS NOT NULL;
    UPDATE commission_pot p SET refunded_at = NEW.completed_at FROM deposit d
        WHERE d.invoice_id = NEW.invoice_id AND p.payment_id = d.id AND p.programme = 'merchant'
            AND p.currency_id = NEW.currency_id;
    RETURN NULL;
END $$;

-- Take back what a refunded payment earned, and return the commissions: all of them where the
-- customer has not paid for any of it after all and every referrer still has its part, else none.
-- What was not taken back stays counted, so nobody is paid twice for what goes around.
CREATE FUNCTION undo_pot(wanted text, now timestamptz) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE p commission_pot%ROWTYPE; c commission%ROWTYPE; counted numeric; excess numeric; written bigint;
BEGIN
    SELECT * INTO STRICT p FROM commission_pot WHERE payment_id = wanted AND programme = 'merchant'
        AND refunded_at IS NOT NULL FOR UPDATE;
    UPDATE commission_pot SET refunded_at = NULL WHERE payment_id = wanted AND programme = 'merchant';
    -- The least that rounds to the pot, as a reversal counts.
    SELECT div(p.pot_units * 10000 + s.share_basis_points - 1, s.share_basis_points) INTO counted
        FROM referral_schedule s WHERE s.id = p.schedule_id;
    -- Wallets first, then what was paid: as at every commit.
    PERFORM 1 FROM wallet w WHERE w.currency_id = p.currency_id AND (w.account = p.merchant_id
        OR w.account IN (SELECT account FROM commission WHERE payment_id = wanted)) ORDER BY w.id FOR UPDATE;
    SELECT counted_units - net_units INTO excess FROM customer_paid
        WHERE customer_id = p.party_id AND currency_id = p.currency_id FOR UPDATE;
    IF excess IS NULL OR excess < counted
       OR p.shared_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM commission
            WHERE payment_id = wanted AND programme = 'merchant' AND status = 'earned')
       OR EXISTS (SELECT 1 FROM commission o LEFT JOIN wallet w ON (w.account, w.currency_id) = (o.account, o.currency_id)
            WHERE o.payment_id = wanted AND o.programme = 'merchant' AND o.status = 'earned'
            AND coalesce(w.confirmed, 0) < o.units) THEN
        RETURN;
    END IF;
    UPDATE customer_paid SET counted_units = counted_units - counted
        WHERE customer_id = p.party_id AND currency_id = p.currency_id;
    IF p.shared_at IS NULL THEN
        UPDATE commission_pot SET shared_at = now, next_attempt_at = NULL, reason = 'the payment was refunded'
            WHERE payment_id = wanted AND programme = 'merchant';
        RETURN;
    END IF;
    FOR c IN SELECT * FROM commission WHERE payment_id = wanted AND programme = 'merchant'
        AND status = 'earned' ORDER BY level
    LOOP
        INSERT INTO journal (kind, ref, merchant_id, at) VALUES ('reversal', c.id, c.merchant_id, now)
            RETURNING id INTO written;
        INSERT INTO balance_history (journal_id, account, currency_id, change_type, delta_confirmed, delta_locked, at)
            VALUES (written, c.account, c.currency_id, 'ADJUSTMENT', -c.units, 0, now);
        INSERT INTO balance_history (journal_id, account, currency_id, change_type, delta_confirmed, delta_locked, at)
            VALUES (written, c.payer, c.currency_id, 'ADJUSTMENT', c.units, 0, now);
        UPDATE commission SET status = 'reversed', reversed_at = now WHERE id = c.id;
        RETURN NEXT c.id;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION undo_pot(text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION undo_pot(text, timestamptz) TO gw_worker;

-- downgrade
DROP INDEX commission_account, referral_referrer;
DROP FUNCTION undo_pot(text, timestamptz);
CREATE OR REPLACE FUNCTION note_customer_refund() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM count_paid(NEW.id, NEW.merchant_id, i.customer_id, NEW.currency_id, -NEW.units, 0, NEW.completed_at)
        FROM invoice i WHERE i.id = NEW.invoice_id AND i.customer_id IS NOT NULL;
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION guard_pot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.shared_at IS NULL
       AND (to_jsonb(NEW) - '{shared_at,next_attempt_at,reason}'::text[])
         = (to_jsonb(OLD) - '{shared_at,next_attempt_at,reason}'::text[])
    THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'what % earned never changes', OLD.payment_id USING ERRCODE = 'insufficient_privilege';
END $$;
ALTER TABLE commission_pot DROP COLUMN refunded_at;
