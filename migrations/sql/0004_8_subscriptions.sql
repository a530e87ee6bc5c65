-- Packages that customers are members of, and the subscriptions that bill them period by period.
-- What a package costs and how long it lasts never changes: another price is another package.
CREATE TABLE package (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    livemode boolean NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    price numeric(38, 18) NOT NULL CHECK (price > 0),
    currency text NOT NULL,
    period text NOT NULL CHECK (period IN ('day', 'week', 'month', 'year')),
    period_count integer NOT NULL CHECK (period_count BETWEEN 1 AND 366),
    trial_days integer NOT NULL CHECK (trial_days BETWEEN 0 AND 366),
    payment_methods text[],
    active boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (id, merchant_id, livemode)
);
CREATE INDEX package_list ON package (merchant_id, livemode, id DESC);

-- Periods are counted from `anchor`; `next_start` is when the next one begins that is not billed
-- yet, `paid_until` up to when the customer is a member. `look_at` is when there is something to do.
CREATE TABLE subscription (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    livemode boolean NOT NULL,
    customer_id text NOT NULL,
    package_id text NOT NULL,
    next_package_id text,
    status text NOT NULL CHECK (status IN ('trialing', 'active', 'past_due', 'canceled', 'ended')),
    anchor timestamptz NOT NULL,
    periods integer NOT NULL DEFAULT 0 CHECK (periods >= 0),
    next_start timestamptz NOT NULL,
    paid_until timestamptz,
    paused_at timestamptz,
    cancel_at_period_end boolean NOT NULL DEFAULT false,
    auto_charge text REFERENCES currency ON DELETE RESTRICT,
    reminder_days integer NOT NULL CHECK (reminder_days BETWEEN 0 AND 30),
    grace_days integer NOT NULL CHECK (grace_days BETWEEN 1 AND 90),
    look_at timestamptz,
    reason text,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    ended_at timestamptz,
    UNIQUE (id, merchant_id),
    FOREIGN KEY (customer_id, merchant_id, livemode) REFERENCES customer (id, merchant_id, livemode) ON DELETE RESTRICT,
    FOREIGN KEY (package_id, merchant_id, livemode) REFERENCES package (id, merchant_id, livemode) ON DELETE RESTRICT,
    FOREIGN KEY (next_package_id, merchant_id, livemode) REFERENCES package (id, merchant_id, livemode) ON DELETE RESTRICT,
    CHECK ((status IN ('canceled', 'ended')) = (ended_at IS NOT NULL)),
    CHECK (status NOT IN ('canceled', 'ended') OR look_at IS NULL)
);
-- A customer is a member of one package at a time.
CREATE UNIQUE INDEX subscription_live ON subscription (customer_id) WHERE ended_at IS NULL;
CREATE INDEX subscription_list ON subscription (merchant_id, livemode, id DESC);
CREATE INDEX subscription_look ON subscription (look_at) WHERE look_at IS NOT NULL;

-- One row per period, and so one invoice: whoever bills it second finds it billed.
CREATE TABLE subscription_period (
    subscription_id text NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL CHECK (period_end > period_start),
    merchant_id text NOT NULL,
    package_id text NOT NULL REFERENCES package ON DELETE RESTRICT,
    deadline timestamptz NOT NULL CHECK (deadline > period_start),
    invoice_id text UNIQUE REFERENCES invoice ON DELETE RESTRICT,
    transfer_id text UNIQUE REFERENCES customer_transfer ON DELETE RESTRICT,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'paid', 'unpaid', 'void')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (subscription_id, period_start),
    FOREIGN KEY (subscription_id, merchant_id) REFERENCES subscription (id, merchant_id) ON DELETE RESTRICT,
    CHECK (num_nonnulls(invoice_id, transfer_id) <= 1)
);
CREATE UNIQUE INDEX subscription_period_open ON subscription_period (subscription_id) WHERE status = 'open';

-- The API takes a subscription back and lets it go on; whether it is paid is the worker's to say.
CREATE FUNCTION guard_subscription() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL
       OR (NEW.id, NEW.merchant_id, NEW.livemode, NEW.customer_id)
           IS DISTINCT FROM (OLD.id, OLD.merchant_id, OLD.livemode, OLD.customer_id) THEN
        RAISE EXCEPTION 'subscription %: whose it is never changes, and an ended one rests', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF current_user = 'gw_api' AND NEW.status <> OLD.status AND NEW.status <> 'canceled' THEN
        RAISE EXCEPTION 'subscription %: only its payments decide that', OLD.id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER subscription_guard BEFORE UPDATE ON subscription
    FOR EACH ROW EXECUTE FUNCTION guard_subscription();
ALTER TABLE subscription ENABLE ALWAYS TRIGGER subscription_guard;

-- Pay an open period out of the customer's balance, where that was wished for: one transfer, to the
-- merchant, once. The worker may move nobody's money in any other way.
CREATE FUNCTION charge_period(wanted text, wanted_start timestamptz, transfer text, wanted_units numeric, now timestamptz)
    RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s subscription%ROWTYPE; written bigint;
BEGIN
    SELECT * INTO STRICT s FROM subscription WHERE id = wanted AND auto_charge IS NOT NULL
        AND ended_at IS NULL FOR UPDATE;
    PERFORM 1 FROM subscription_period p WHERE p.subscription_id = wanted AND p.period_start = wanted_start
        AND p.status = 'open' AND p.invoice_id IS NULL AND p.transfer_id IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'subscription %: this period is not open', wanted USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO customer_transfer VALUES (transfer, s.merchant_id, s.livemode, s.customer_id, s.auto_charge,
        'charge', wanted_units, 'subscription ' || s.id, 'auto:' || s.id, now);
    INSERT INTO journal (kind, ref, merchant_id, at) VALUES ('transfer', transfer, s.merchant_id, now)
        RETURNING id INTO written;
    INSERT INTO balance_history (journal_id, account, currency_id, change_type, delta_confirmed, delta_locked, at)
        VALUES (written, s.customer_id, s.auto_charge, 'ADJUSTMENT', -wanted_units, 0, now);
    INSERT INTO balance_history (journal_id, account, currency_id, change_type, delta_confirmed, delta_locked, at)
        VALUES (written, s.merchant_id, s.auto_charge, 'ADJUSTMENT', wanted_units, 0, now);
    UPDATE subscription_period p SET transfer_id = transfer
        WHERE p.subscription_id = wanted AND p.period_start = wanted_start;
END $$;
REVOKE ALL ON FUNCTION guard_subscription(),
    charge_period(text, timestamptz, text, numeric, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION charge_period(text, timestamptz, text, numeric, timestamptz) TO gw_worker;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['package', 'subscription', 'subscription_period']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO gw_api USING (merchant_id = (SELECT current_merchant()))', t);
        EXECUTE format('CREATE POLICY worker ON %I TO gw_worker USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO gw_api, gw_worker', t);
    END LOOP;
END $$;
GRANT INSERT ON package, subscription TO gw_api;
GRANT UPDATE (name, active, updated_at) ON package TO gw_api;
GRANT UPDATE (status, next_package_id, anchor, periods, next_start, paused_at, cancel_at_period_end,
    auto_charge, look_at, reason, updated_at, ended_at) ON subscription TO gw_api;
GRANT UPDATE (status) ON subscription_period TO gw_api;
CREATE POLICY born_unpaid ON subscription AS RESTRICTIVE FOR INSERT TO gw_api
    WITH CHECK (status IN ('trialing', 'past_due') AND paid_until IS NULL AND periods = 0);
CREATE POLICY void_only ON subscription_period AS RESTRICTIVE FOR UPDATE TO gw_api
    USING (status = 'open') WITH CHECK (status = 'void');
GRANT INSERT ON subscription_period TO gw_worker;
GRANT UPDATE (status, invoice_id, period_end, package_id, deadline) ON subscription_period TO gw_worker;
GRANT UPDATE (status, package_id, next_package_id, anchor, periods, next_start, paid_until, look_at,
    reason, updated_at, ended_at) ON subscription TO gw_worker;

-- The worker makes invoices for subscriptions, and for nobody else.
GRANT INSERT ON invoice, payment_option TO gw_worker;
GRANT SELECT ON asset_hold TO gw_worker;
GRANT EXECUTE ON FUNCTION claim_address(text, text, timestamptz), free_addresses(text) TO gw_worker;
CREATE POLICY of_subscription ON invoice AS RESTRICTIVE FOR INSERT TO gw_worker
    WITH CHECK (customer_id IS NOT NULL AND status = 'pending' AND NOT final AND EXISTS (
        SELECT 1 FROM subscription s WHERE s.id = invoice.metadata ->> 'subscription_id'
            AND s.merchant_id = invoice.merchant_id AND s.customer_id = invoice.customer_id));
-- Nor ways to pay an invoice of anybody else's; written with its invoice, so looked at afterwards.
CREATE FUNCTION guard_bill_option() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM invoice i JOIN subscription s ON s.id = i.metadata ->> 'subscription_id'
            AND s.merchant_id = i.merchant_id AND s.customer_id = i.customer_id
            WHERE i.id = NEW.invoice_id AND i.merchant_id = NEW.merchant_id AND i.created_at = NEW.rate_at) THEN
        RAISE EXCEPTION 'option % of %: that is no bill', NEW.currency_id, NEW.invoice_id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER payment_option_of_bill AFTER INSERT ON payment_option FOR EACH ROW
    WHEN (current_user = 'gw_worker') EXECUTE FUNCTION guard_bill_option();
ALTER TABLE payment_option ENABLE ALWAYS TRIGGER payment_option_of_bill;
REVOKE ALL ON FUNCTION guard_bill_option() FROM PUBLIC;

-- downgrade
DROP POLICY of_subscription ON invoice;
REVOKE EXECUTE ON FUNCTION claim_address(text, text, timestamptz), free_addresses(text) FROM gw_worker;
REVOKE SELECT ON asset_hold FROM gw_worker;
DROP TRIGGER payment_option_of_bill ON payment_option;
DROP FUNCTION guard_bill_option();
REVOKE INSERT ON invoice, payment_option FROM gw_worker;
DROP TABLE subscription_period;
DROP TABLE subscription;
DROP FUNCTION charge_period(text, timestamptz, text, numeric, timestamptz);
DROP FUNCTION guard_subscription();
DROP TABLE package;
