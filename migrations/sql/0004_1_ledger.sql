-- A posting to a wallet that exists writes no row that loses to it: one statement less in every
-- deposit. Older databases got neither this nor the trigger below with revision 0001, newer ones
-- did: so both are made whatever stands.
CREATE OR REPLACE FUNCTION post_balance() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE w wallet%ROWTYPE;
BEGIN
    SELECT * INTO w FROM wallet
        WHERE account = NEW.account AND currency_id = NEW.currency_id FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO wallet (account, merchant_id, currency_id)
            VALUES (NEW.account,
                    CASE WHEN NEW.account IN ('custody', 'revenue', 'expense', 'external', 'suspense')
                         THEN NULL
                         WHEN starts_with(NEW.account, 'cus_')
                         THEN (SELECT c.merchant_id FROM customer c WHERE c.id = NEW.account)
                         ELSE NEW.account END,
                    NEW.currency_id)
            ON CONFLICT (account, currency_id) DO NOTHING;
        SELECT * INTO STRICT w FROM wallet
            WHERE account = NEW.account AND currency_id = NEW.currency_id FOR UPDATE;
    END IF;
    NEW.wallet_id := w.id;
    NEW.merchant_id := w.merchant_id;
    NEW.version := w.version + 1;
    NEW.confirmed_before := w.confirmed;
    NEW.locked_before := w.locked;
    NEW.confirmed_after := w.confirmed + NEW.delta_confirmed;
    NEW.locked_after := w.locked + NEW.delta_locked;
    NEW.previous_hash := w.head_hash;
    NEW.hash := sha256(coalesce(w.head_hash, '\x00'::bytea) || convert_to(concat_ws('|',
        w.id, NEW.version, NEW.journal_id, NEW.currency_id, NEW.change_type,
        NEW.delta_confirmed, NEW.delta_locked, NEW.confirmed_after, NEW.locked_after), 'UTF8'));
    UPDATE wallet SET confirmed = NEW.confirmed_after, locked = NEW.locked_after,
        version = NEW.version, head_hash = NEW.hash WHERE id = w.id;
    RETURN NEW;
END $$;

-- One that was orphaned and is seen again is as good as new.
DROP TRIGGER IF EXISTS deposit_count_again ON deposit;
CREATE TRIGGER deposit_count_again BEFORE UPDATE OF status ON deposit
    FOR EACH ROW WHEN (OLD.status = 'reorged' AND NEW.status = 'pending')
    EXECUTE FUNCTION count_once();
ALTER TABLE deposit ENABLE ALWAYS TRIGGER deposit_count_again;

-- downgrade
DROP TRIGGER deposit_count_again ON deposit;
CREATE OR REPLACE FUNCTION post_balance() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE w wallet%ROWTYPE;
BEGIN
    INSERT INTO wallet (account, merchant_id, currency_id)
        VALUES (NEW.account,
                CASE WHEN NEW.account IN ('custody', 'revenue', 'expense', 'external', 'suspense')
                     THEN NULL ELSE NEW.account END,
                NEW.currency_id)
        ON CONFLICT (account, currency_id) DO NOTHING;
    SELECT * INTO STRICT w FROM wallet
        WHERE account = NEW.account AND currency_id = NEW.currency_id FOR UPDATE;
    NEW.wallet_id := w.id;
    NEW.merchant_id := w.merchant_id;
    NEW.version := w.version + 1;
    NEW.confirmed_before := w.confirmed;
    NEW.locked_before := w.locked;
    NEW.confirmed_after := w.confirmed + NEW.delta_confirmed;
    NEW.locked_after := w.locked + NEW.delta_locked;
    NEW.previous_hash := w.head_hash;
    NEW.hash := sha256(coalesce(w.head_hash, '\x00'::bytea) || convert_to(concat_ws('|',
        w.id, NEW.version, NEW.journal_id, NEW.currency_id, NEW.change_type,
        NEW.delta_confirmed, NEW.delta_locked, NEW.confirmed_after, NEW.locked_after), 'UTF8'));
    UPDATE wallet SET confirmed = NEW.confirmed_after, locked = NEW.locked_after,
        version = NEW.version, head_hash = NEW.hash WHERE id = w.id;
    RETURN NEW;
END $$;
