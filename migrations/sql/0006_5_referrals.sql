-- A merchant's own programme shares what the merchant earned of a customer, never what only passed
-- through: a deposit to a customer's own address is still the customer's, and may be paid out again.

-- What a referred customer has paid its merchant so far, less what came back, and how much of that
-- was shared: what came back has to be paid again before anything new counts.
CREATE TABLE customer_paid (
    customer_id text NOT NULL,
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    merchant_id text NOT NULL,
    net_units signed_units NOT NULL,
    counted_units units NOT NULL,
    PRIMARY KEY (customer_id, currency_id),
    FOREIGN KEY (customer_id, merchant_id) REFERENCES customer (id, merchant_id) ON DELETE RESTRICT
);
ALTER TABLE customer_paid ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON customer_paid TO gw_api USING (merchant_id = (SELECT current_merchant()));
REVOKE ALL ON customer_paid FROM PUBLIC;
GRANT SELECT ON customer_paid TO gw_api;

-- Counts what moved between the two, and fills the pot of a payment with what is new of it, at most
-- `most`. Called when everything else of the transaction is done: whoever waits here holds no wallet
-- that the other still wants.
CREATE FUNCTION count_paid(payment text, tenant text, customer text, currency text, moved numeric,
        most numeric, at timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE fresh numeric;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM referral WHERE referred_id = customer AND programme = 'merchant') THEN
        RETURN;
    END IF;
    INSERT INTO customer_paid AS p VALUES (customer, currency, tenant, moved, 0)
        ON CONFLICT (customer_id, currency_id) DO UPDATE SET net_units = p.net_units + moved
        RETURNING least(most, p.net_units - p.counted_units) INTO fresh;
    IF fresh > 0 THEN
        UPDATE customer_paid SET counted_units = counted_units + fresh
            WHERE customer_id = customer AND currency_id = currency;
        PERFORM fill_pot(payment, 'merchant', tenant, customer, currency, fresh, at);
    END IF;
END $$;

-- A payment of a customer's invoice, once it is credited: no more of it than the invoice asked for,
-- so that what was too much and goes back earns nothing.
CREATE FUNCTION count_invoice_payment(payment text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE d deposit%ROWTYPE; payer text; asked numeric; earlier numeric;
BEGIN
    SELECT * INTO d FROM deposit WHERE id = payment;
    SELECT customer_id INTO payer FROM invoice WHERE id = d.invoice_id AND merchant_id = d.merchant_id;
    IF payer IS NULL OR d.status <> 'confirmed' THEN RETURN; END IF;
    SELECT amount_units INTO asked FROM payment_option
        WHERE invoice_id = d.invoice_id AND currency_id = d.currency_id;
    SELECT coalesce(sum(o.units), 0) INTO earlier FROM deposit o WHERE o.invoice_id = d.invoice_id
        AND o.currency_id = d.currency_id AND o.status = 'confirmed'
        AND (o.confirmed_at, o.id) < (d.confirmed_at, d.id);
    -- What was paid in other currencies is no longer asked for in this one; the fraction neither.
    SELECT CASE WHEN asked IS NOT NULL THEN greatest(asked - coalesce(sum(gone), 0), earlier) END INTO asked FROM (
        SELECT div(asked * sum(o.units) + p.amount_units - 1, p.amount_units) AS gone
        FROM deposit o JOIN payment_option p ON (p.invoice_id, p.currency_id) = (o.invoice_id, o.currency_id)
        WHERE o.invoice_id = d.invoice_id AND o.currency_id <> d.currency_id AND o.status = 'confirmed'
            AND (o.confirmed_at, o.id) < (d.confirmed_at, d.id)
        GROUP BY p.currency_id, p.amount_units) AS elsewhere;
    PERFORM count_paid(d.id, d.merchant_id, payer, d.currency_id, d.units - d.fee_units,
        least(d.units - d.fee_units, coalesce(asked - earlier, d.units)), d.confirmed_at);
END $$;

DROP TRIGGER deposit_of_customer ON deposit;
DROP FUNCTION note_customer_deposit();
CREATE FUNCTION note_invoice_payment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM journal j WHERE j.kind = 'deposit' AND j.merchant_id = NEW.merchant_id
            AND j.ref = concat_ws(':', NEW.network_id, NEW.tx_hash, NEW.kind, NEW.ordinal)) THEN
        PERFORM count_invoice_payment(NEW.id);
    END IF;
    RETURN NULL;
END $$;
-- A small one is final first and the invoice's then, in one transaction.
CREATE CONSTRAINT TRIGGER deposit_of_invoice AFTER UPDATE OF status, purpose ON deposit
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.status = 'confirmed' AND NEW.purpose = 'invoice'
        AND (OLD.status <> 'confirmed' OR OLD.purpose <> 'invoice'))
    EXECUTE FUNCTION note_invoice_payment();
ALTER TABLE deposit ENABLE ALWAYS TRIGGER deposit_of_invoice;

-- It becomes the invoice's once: what is credited stays, or is rejected, so that nothing counts twice.
CREATE FUNCTION guard_counted_payment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM journal j WHERE j.kind IN ('deposit', 'assign') AND j.merchant_id = OLD.merchant_id
            AND j.ref = concat_ws(':', OLD.network_id, OLD.tx_hash, OLD.kind, OLD.ordinal)) THEN
        RAISE EXCEPTION 'deposit %: it is credited to its invoice', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deposit_counted BEFORE UPDATE OF status, purpose ON deposit FOR EACH ROW
    WHEN (OLD.status = 'confirmed' AND OLD.purpose = 'invoice' AND NEW.status <> 'rejected'
        AND (NEW.status <> 'confirmed' OR NEW.purpose <> 'invoice'))
    EXECUTE FUNCTION guard_counted_payment();
ALTER TABLE deposit ENABLE ALWAYS TRIGGER deposit_counted;

-- As in 0005: what leaves suspense is credited then.
CREATE OR REPLACE FUNCTION note_customer_assignment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE part text[] := regexp_match(NEW.ref, '^([^:]+):(.+):([a-z]+):([0-9]+)$');
BEGIN
    PERFORM count_invoice_payment(id) FROM deposit WHERE network_id = part[1] AND tx_hash = part[2]
        AND kind = part[3] AND ordinal = part[4]::integer AND invoice_id IS NOT NULL;
    RETURN NULL;
END $$;

-- What a merchant takes from a customer's balance it has earned; what it gives to one it has not.
CREATE FUNCTION note_customer_transfer() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE charged boolean := NEW.direction = 'charge';
BEGIN
    PERFORM count_paid(NEW.id, NEW.merchant_id, NEW.customer_id, NEW.currency_id,
        CASE WHEN charged THEN NEW.units ELSE -NEW.units END,
        CASE WHEN charged THEN NEW.units ELSE 0 END, NEW.created_at);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER transfer_of_customer AFTER INSERT ON customer_transfer
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_customer_transfer();
ALTER TABLE customer_transfer ENABLE ALWAYS TRIGGER transfer_of_customer;

-- What went back to the payer of a customer's invoice.
CREATE FUNCTION note_customer_refund() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM count_paid(NEW.id, NEW.merchant_id, i.customer_id, NEW.currency_id, -NEW.units, 0, NEW.completed_at)
        FROM invoice i WHERE i.id = NEW.invoice_id AND i.customer_id IS NOT NULL;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER refund_of_customer AFTER UPDATE OF status ON withdrawal
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.status = 'completed' AND OLD.status <> 'completed' AND NEW.invoice_id IS NOT NULL)
    EXECUTE FUNCTION note_customer_refund();
ALTER TABLE withdrawal ENABLE ALWAYS TRIGGER refund_of_customer;

REVOKE ALL ON FUNCTION count_paid(text, text, text, text, numeric, numeric, timestamptz),
    count_invoice_payment(text), note_invoice_payment(), guard_counted_payment(), note_customer_transfer(),
    note_customer_refund() FROM PUBLIC;

-- What was paid, and came back, before: nothing of it counts again. What a pot was filled with before
-- was shared, also where it is a balance that is yet to be charged; of others but deposits to a
-- customer's own address the most that rounds to the pot.
INSERT INTO customer_paid (customer_id, currency_id, merchant_id, net_units, counted_units)
SELECT r.referred_id, m.currency_id, r.merchant_id, sum(m.net), sum(m.counted) FROM (
    SELECT i.customer_id, d.currency_id, d.units - d.fee_units AS net, 0 AS counted
        FROM deposit d JOIN invoice i ON i.id = d.invoice_id
        WHERE d.status = 'confirmed' AND d.reason IS DISTINCT FROM 'below_minimum'
    UNION ALL SELECT customer_id, currency_id, CASE direction WHEN 'charge' THEN units ELSE -units END, 0
        FROM customer_transfer
    UNION ALL SELECT i.customer_id, w.currency_id, -w.units, 0
        FROM withdrawal w JOIN invoice i ON i.id = w.invoice_id WHERE w.status = 'completed'
    UNION ALL SELECT p.party_id, p.currency_id, 0, coalesce(d.units - d.fee_units,
            div((p.pot_units + 1) * 10000 - 1, s.share_basis_points))
        FROM commission_pot p JOIN referral_schedule s ON s.id = p.schedule_id
        LEFT JOIN deposit d ON d.id = p.payment_id AND d.customer_id = p.party_id
        WHERE p.programme = 'merchant' AND NOT EXISTS (SELECT 1 FROM deposit o
            WHERE o.id = p.payment_id AND o.status = 'rejected')
    ) AS m JOIN referral r ON r.referred_id = m.customer_id AND r.programme = 'merchant'
    GROUP BY r.referred_id, m.currency_id, r.merchant_id;

-- downgrade
DROP TRIGGER refund_of_customer ON withdrawal;
DROP TRIGGER transfer_of_customer ON customer_transfer;
DROP TRIGGER deposit_counted ON deposit;
DROP TRIGGER deposit_of_invoice ON deposit;
DROP FUNCTION guard_counted_payment();
DROP FUNCTION note_customer_refund();
DROP FUNCTION note_customer_transfer();
DROP FUNCTION note_invoice_payment();
CREATE OR REPLACE FUNCTION note_customer_assignment() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE d deposit%ROWTYPE; part text[] := regexp_match(NEW.ref, '^([^:]+):(.+):([a-z]+):([0-9]+)$');
BEGIN
    SELECT * INTO d FROM deposit WHERE network_id = part[1] AND tx_hash = part[2] AND kind = part[3]
        AND ordinal = part[4]::integer;
    IF d.customer_id IS NOT NULL THEN
        PERFORM fill_pot(d.id, 'merchant', d.merchant_id, d.customer_id, d.currency_id,
            d.units - d.fee_units, d.confirmed_at);
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION note_customer_deposit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE d deposit%ROWTYPE;
BEGIN
    SELECT * INTO d FROM deposit WHERE id = NEW.id;
    IF d.status = 'confirmed' AND d.customer_id IS NOT NULL
       AND EXISTS (SELECT 1 FROM journal j WHERE j.kind = 'deposit' AND j.merchant_id = d.merchant_id
            AND j.ref = concat_ws(':', d.network_id, d.tx_hash, d.kind, d.ordinal)) THEN
        PERFORM fill_pot(d.id, 'merchant', d.merchant_id, d.customer_id, d.currency_id,
            d.units - d.fee_units, d.confirmed_at);
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION note_customer_deposit() FROM PUBLIC;
CREATE CONSTRAINT TRIGGER deposit_of_customer AFTER UPDATE OF status, customer_id ON deposit
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.status = 'confirmed' AND NEW.customer_id IS NOT NULL
        AND (OLD.status <> 'confirmed' OR OLD.customer_id IS NULL))
    EXECUTE FUNCTION note_customer_deposit();
ALTER TABLE deposit ENABLE ALWAYS TRIGGER deposit_of_customer;
DROP FUNCTION count_invoice_payment(text);
DROP FUNCTION count_paid(text, text, text, text, numeric, numeric, timestamptz);
DROP TABLE customer_paid;
