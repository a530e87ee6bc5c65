-- On a durable-nonce lane one transaction may stand beside a payment: a cancel on its very value. Of
-- the two the chain takes one. Anything else there would be a second payment.
CREATE OR REPLACE FUNCTION guard_replacement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.place > 1 AND NOT EXISTS (SELECT 1 FROM attempt f WHERE f.order_id = NEW.order_id
        AND f.place = 1 AND f.state <> 'refused' AND f.network_id = NEW.network_id AND f.sender = NEW.sender
        AND (f.nonce IS NOT NULL OR f.nonce_value IS NOT NULL AND NEW.purpose = 'cancel')
        AND f.withdrawal_id IS NOT DISTINCT FROM NEW.withdrawal_id
        AND (f.nonce, f.nonce_account, f.nonce_value)
            IS NOT DISTINCT FROM (NEW.nonce, NEW.nonce_account, NEW.nonce_value)) THEN
        RAISE EXCEPTION 'attempt %: replaces nothing in its place', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- downgrade
CREATE OR REPLACE FUNCTION guard_replacement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.place > 1 AND NOT EXISTS (SELECT 1 FROM attempt f WHERE f.order_id = NEW.order_id
        AND f.place = 1 AND f.state <> 'refused' AND f.nonce IS NOT NULL AND f.network_id = NEW.network_id AND f.sender = NEW.sender
        AND f.withdrawal_id IS NOT DISTINCT FROM NEW.withdrawal_id
        AND (f.nonce, f.nonce_account, f.nonce_value)
            IS NOT DISTINCT FROM (NEW.nonce, NEW.nonce_account, NEW.nonce_value)) THEN
        RAISE EXCEPTION 'attempt %: replaces nothing in its place', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
