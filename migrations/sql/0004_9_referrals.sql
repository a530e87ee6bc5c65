-- Referrals: what a payment earns, whom that is shared with, and never more than was earned.
-- A party is a merchant (`mer_`) or a merchant's customer (`cus_`). There are two kinds of
-- programme: the house's for merchants, paid from `revenue`, and each merchant's own for its
-- customers, paid from that merchant's balance.

-- The house's fee of each payment, in basis points; only an operator changes it. A merchant or a
-- customer says at birth who referred it, and never again.
ALTER TABLE merchant
    ADD COLUMN processing_fee_basis_points integer NOT NULL DEFAULT 0
        CHECK (processing_fee_basis_points BETWEEN 0 AND 2000),
    ADD COLUMN referred_by text;
ALTER TABLE customer ADD COLUMN referred_by text;
GRANT UPDATE (processing_fee_basis_points) ON merchant TO gw_api;
CREATE POLICY no_fee_at_birth ON merchant AS RESTRICTIVE FOR INSERT TO gw_api
    WITH CHECK (processing_fee_basis_points = 0);

CREATE FUNCTION guard_processing_fee() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF current_user = 'gw_api' AND NOT is_operator()
       AND NEW.processing_fee_basis_points <> OLD.processing_fee_basis_points THEN
        RAISE EXCEPTION 'merchant %: only an operator changes its fee', OLD.id
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER merchant_fee BEFORE UPDATE OF processing_fee_basis_points ON merchant
    FOR EACH ROW EXECUTE FUNCTION guard_processing_fee();
ALTER TABLE merchant ENABLE ALWAYS TRIGGER merchant_fee;

-- What the house kept of a deposit when it was credited: written once.
ALTER TABLE deposit
    ADD COLUMN fee_units units NOT NULL DEFAULT 0,
    ADD CONSTRAINT deposit_fee_check CHECK (fee_units <= units);
GRANT UPDATE (fee_units) ON deposit TO gw_watcher;

CREATE TABLE referral_code (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    customer_id text,
    code text NOT NULL UNIQUE CHECK (code ~ '^[A-Z0-9]{4,32}$'),
    vanity boolean NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    FOREIGN KEY (customer_id, merchant_id) REFERENCES customer (id, merchant_id) ON DELETE RESTRICT
);
CREATE INDEX referral_code_merchant ON referral_code (merchant_id, id DESC);

-- `merchant_id` is who may see it: the merchant that referred, or the merchant of both customers.
CREATE TABLE referral (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    programme text NOT NULL CHECK (programme IN ('house', 'merchant')),
    referrer_id text NOT NULL,
    referred_id text NOT NULL UNIQUE CHECK (referred_id <> referrer_id),
    code_id text NOT NULL REFERENCES referral_code ON DELETE RESTRICT,
    created_at timestamptz NOT NULL
);
CREATE INDEX referral_merchant ON referral (merchant_id, id DESC);

-- Rates of levels 1, 2, ... in basis points of what was earned; without a merchant the house's.
-- `share_basis_points` is how much of a customer's payment a merchant shares at all.
CREATE FUNCTION total_basis_points(rates integer[]) RETURNS bigint
    LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT coalesce(sum(rate), 0) FROM unnest(rates) AS rate
$$;
CREATE TABLE referral_schedule (
    id text PRIMARY KEY,
    merchant_id text REFERENCES merchant ON DELETE RESTRICT,
    rates integer[] NOT NULL CHECK (cardinality(rates) <= 10 AND 0 <= ALL (rates)
        AND array_position(rates, NULL) IS NULL),
    share_basis_points integer CHECK (share_basis_points BETWEEN 0 AND 10000),
    effective_from timestamptz NOT NULL CHECK (effective_from >= created_at),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT referral_schedule_whole CHECK (total_basis_points(rates) <= 10000),
    CHECK ((merchant_id IS NULL) = (share_basis_points IS NULL))
);
CREATE UNIQUE INDEX referral_schedule_of ON referral_schedule (coalesce(merchant_id, ''), effective_from);

-- One row per payment whose earnings are shared: `pot_units` is all there is to share.
CREATE TABLE commission_pot (
    payment_id text NOT NULL,
    programme text NOT NULL CHECK (programme IN ('house', 'merchant')),
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    party_id text NOT NULL,
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    pot_units units NOT NULL CHECK (pot_units > 0),
    earned_at timestamptz NOT NULL,
    schedule_id text NOT NULL REFERENCES referral_schedule ON DELETE RESTRICT,
    shared_at timestamptz,
    next_attempt_at timestamptz,
    reason text,
    PRIMARY KEY (payment_id, programme)
);
CREATE INDEX commission_pot_open ON commission_pot (earned_at) WHERE shared_at IS NULL;

CREATE TABLE commission (
    id text PRIMARY KEY,
    merchant_id text NOT NULL REFERENCES merchant ON DELETE RESTRICT,
    account text NOT NULL,
    payer text NOT NULL CHECK (payer <> account),
    referral_id text NOT NULL REFERENCES referral ON DELETE RESTRICT,
    payment_id text NOT NULL,
    programme text NOT NULL,
    level integer NOT NULL CHECK (level BETWEEN 1 AND 10),
    rate_basis_points integer NOT NULL CHECK (rate_basis_points BETWEEN 1 AND 10000),
    currency_id text NOT NULL REFERENCES currency ON DELETE RESTRICT,
    units units NOT NULL CHECK (units > 0),
    livemode boolean NOT NULL,
    status text NOT NULL DEFAULT 'earned' CHECK (status IN ('earned', 'reversed')),
    created_at timestamptz NOT NULL,
    reversed_at timestamptz,
    UNIQUE (payment_id, programme, level),
    FOREIGN KEY (payment_id, programme) REFERENCES commission_pot ON DELETE RESTRICT,
    CHECK ((status = 'reversed') = (reversed_at IS NOT NULL))
);
CREATE INDEX commission_merchant ON commission (merchant_id, id DESC);

-- Why a code does not refer whoever is about to be born with it; null where it does. `tenant` is the
-- merchant of a customer.
CREATE FUNCTION referral_refusal(wanted text, tenant text, live boolean, email text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
DECLARE c referral_code%ROWTYPE;
BEGIN
    SELECT * INTO c FROM referral_code r WHERE r.code = upper(wanted) AND r.revoked_at IS NULL
        AND (r.customer_id IS NULL) = (tenant IS NULL)
        AND (tenant IS NULL OR r.merchant_id = tenant);
    IF c.id IS NULL OR NOT EXISTS (SELECT 1 FROM merchant m
            WHERE m.id = c.merchant_id AND m.status = 'active' AND m.deleted_at IS NULL)
       OR c.customer_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM customer u
            WHERE u.id = c.customer_id AND u.livemode = live AND u.deleted_at IS NULL) THEN
        RETURN 'unknown_referral_code';
    END IF;
    IF EXISTS (SELECT 1 FROM merchant m WHERE c.customer_id IS NULL AND m.id = c.merchant_id
            AND lower(m.email) = lower(referral_refusal.email))
       OR EXISTS (SELECT 1 FROM customer u WHERE u.id = c.customer_id
            AND lower(u.email) = lower(referral_refusal.email)) THEN
        RETURN 'self_referral';
    END IF;
    RETURN NULL;
END $$;

-- A party is attributed by its own birth: whoever refers was there before, so nobody refers himself
-- and no circle closes.
CREATE FUNCTION attribute_referral() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE c referral_code%ROWTYPE; tenant text; live boolean; refusal text;
BEGIN
    IF TG_TABLE_NAME = 'customer' THEN
        tenant := NEW.merchant_id;
        live := NEW.livemode;
    END IF;
    refusal := referral_refusal(NEW.referred_by, tenant, live, NEW.email);
    IF refusal IS NOT NULL THEN
        RAISE EXCEPTION 'referral of %: %', NEW.id, refusal USING ERRCODE = 'check_violation';
    END IF;
    SELECT * INTO c FROM referral_code WHERE code = upper(NEW.referred_by);
    -- Sortable as ours are, and it tells nobody the id of whom it is about.
    INSERT INTO referral VALUES (
        'ref_' || substr(NEW.id, 5, 10) || substr(replace(gen_random_uuid()::text, '-', ''), 1, 16),
        c.merchant_id, CASE WHEN tenant IS NULL THEN 'house' ELSE 'merchant' END,
        coalesce(c.customer_id, c.merchant_id), NEW.id, c.id, NEW.created_at);
    RETURN NULL;
END $$;
CREATE TRIGGER merchant_referred AFTER INSERT ON merchant
    FOR EACH ROW WHEN (NEW.referred_by IS NOT NULL) EXECUTE FUNCTION attribute_referral();
CREATE TRIGGER customer_referred AFTER INSERT ON customer
    FOR EACH ROW WHEN (NEW.referred_by IS NOT NULL) EXECUTE FUNCTION attribute_referral();
CREATE TRIGGER merchant_referred_once BEFORE UPDATE ON merchant
    FOR EACH ROW WHEN (NEW.referred_by IS DISTINCT FROM OLD.referred_by) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER customer_referred_once BEFORE UPDATE ON customer
    FOR EACH ROW WHEN (NEW.referred_by IS DISTINCT FROM OLD.referred_by) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER referral_append_only BEFORE UPDATE OR DELETE ON referral
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER referral_schedule_append_only BEFORE UPDATE OR DELETE ON referral_schedule
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE merchant ENABLE ALWAYS TRIGGER merchant_referred;
ALTER TABLE merchant ENABLE ALWAYS TRIGGER merchant_referred_once;
ALTER TABLE customer ENABLE ALWAYS TRIGGER customer_referred;
ALTER TABLE customer ENABLE ALWAYS TRIGGER customer_referred_once;
ALTER TABLE referral ENABLE ALWAYS TRIGGER referral_append_only;
ALTER TABLE referral_schedule ENABLE ALWAYS TRIGGER referral_schedule_append_only;

-- Whatever books a fee leaves a pot where somebody referred the payer, in the same transaction.
CREATE FUNCTION fill_pot(payment text, wanted text, tenant text, party text, currency text,
        units numeric, at timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s referral_schedule%ROWTYPE; pot numeric;
BEGIN
    IF NOT EXISTS (SELECT 1 FROM referral WHERE referred_id = party AND programme = wanted) THEN
        RETURN;
    END IF;
    SELECT * INTO s FROM referral_schedule r
        WHERE r.merchant_id IS NOT DISTINCT FROM (CASE wanted WHEN 'merchant' THEN tenant END)
        AND r.effective_from <= at ORDER BY r.effective_from DESC LIMIT 1;
    pot := trunc(units * coalesce(s.share_basis_points, 10000) / 10000);
    IF s.id IS NULL OR pot = 0 OR total_basis_points(s.rates) = 0 THEN RETURN; END IF;
    INSERT INTO commission_pot (payment_id, programme, merchant_id, party_id, currency_id, pot_units,
            earned_at, schedule_id, next_attempt_at)
        VALUES (payment, wanted, tenant, party, currency, pot, at, s.id, at)
        ON CONFLICT (payment_id, programme) DO NOTHING;
END $$;

CREATE FUNCTION note_deposit_fee() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.fee_units <> 0 OR NEW.merchant_id IS NULL OR NEW.status <> 'confirmed' THEN
        RAISE EXCEPTION 'deposit %: its fee is written once, when it is credited', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    PERFORM fill_pot(NEW.id, 'house', NEW.merchant_id, NEW.merchant_id, NEW.currency_id,
        NEW.fee_units, NEW.confirmed_at);
    RETURN NULL;
END $$;
CREATE TRIGGER deposit_fee AFTER UPDATE ON deposit FOR EACH ROW
    WHEN (NEW.fee_units <> OLD.fee_units) EXECUTE FUNCTION note_deposit_fee();
ALTER TABLE deposit ENABLE ALWAYS TRIGGER deposit_fee;

CREATE FUNCTION note_withdrawal_fee() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM fill_pot(NEW.id, 'house', NEW.merchant_id, NEW.merchant_id, NEW.currency_id,
        NEW.fee_units, NEW.completed_at);
    RETURN NULL;
END $$;
CREATE TRIGGER withdrawal_fee AFTER UPDATE OF status ON withdrawal FOR EACH ROW
    WHEN (NEW.status = 'completed' AND OLD.status <> 'completed' AND NEW.fee_units > 0
        AND NEW.merchant_id IS NOT NULL) EXECUTE FUNCTION note_withdrawal_fee();
ALTER TABLE withdrawal ENABLE ALWAYS TRIGGER withdrawal_fee;

-- A customer's payment as it stands at commit: what its merchant got of it.
CREATE FUNCTION note_customer_deposit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE d deposit%ROWTYPE;
BEGIN
    SELECT * INTO d FROM deposit WHERE id = NEW.id;
    IF d.status = 'confirmed' AND d.customer_id IS NOT NULL THEN
        PERFORM fill_pot(d.id, 'merchant', d.merchant_id, d.customer_id, d.currency_id,
            d.units - d.fee_units, d.confirmed_at);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER deposit_of_customer AFTER UPDATE OF status, customer_id ON deposit
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.status = 'confirmed' AND NEW.customer_id IS NOT NULL
        AND (OLD.status <> 'confirmed' OR OLD.customer_id IS NULL))
    EXECUTE FUNCTION note_customer_deposit();
ALTER TABLE deposit ENABLE ALWAYS TRIGGER deposit_of_customer;

-- A commission is what its schedule says of its pot, to the unit, for whom the chain of referrals
-- names at its level, and it is in the ledger.
CREATE FUNCTION check_commission() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE p commission_pot%ROWTYPE; r referral%ROWTYPE; rate integer; shared numeric;
BEGIN
    SELECT * INTO p FROM commission_pot WHERE payment_id = NEW.payment_id AND programme = NEW.programme;
    r.referrer_id := p.party_id;
    FOR step IN 1 .. NEW.level LOOP
        SELECT * INTO r FROM referral WHERE referred_id = r.referrer_id AND programme = NEW.programme;
    END LOOP;
    SELECT s.rates[NEW.level] INTO rate FROM referral_schedule s WHERE s.id = p.schedule_id;
    SELECT sum(units) INTO shared FROM commission
        WHERE payment_id = NEW.payment_id AND programme = NEW.programme;
    IF shared > p.pot_units THEN
        RAISE EXCEPTION 'commissions of % are more than it earned', NEW.payment_id
            USING ERRCODE = 'check_violation';
    END IF;
    IF (NEW.referral_id, NEW.account, NEW.merchant_id, NEW.rate_basis_points, NEW.currency_id, NEW.payer)
       IS DISTINCT FROM (r.id, r.referrer_id, r.merchant_id, rate, p.currency_id,
            CASE p.programme WHEN 'house' THEN 'revenue' ELSE p.merchant_id END)
       OR NEW.units <> trunc(p.pot_units * rate / 10000)
       OR NOT EXISTS (SELECT 1 FROM journal WHERE kind = 'commission' AND ref = NEW.id) THEN
        RAISE EXCEPTION 'commission % is not what its payment earned', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER commission_fits AFTER INSERT ON commission
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_commission();

CREATE FUNCTION guard_commission() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.status = 'earned' AND NEW.status = 'reversed'
       AND (to_jsonb(NEW) - '{status,reversed_at}'::text[]) = (to_jsonb(OLD) - '{status,reversed_at}'::text[])
    THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'commission %: it is reversed or it stays', OLD.id USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER commission_guard BEFORE UPDATE OR DELETE ON commission
    FOR EACH ROW EXECUTE FUNCTION guard_commission();

CREATE FUNCTION guard_pot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.shared_at IS NULL
       AND (to_jsonb(NEW) - '{shared_at,next_attempt_at,reason}'::text[])
         = (to_jsonb(OLD) - '{shared_at,next_attempt_at,reason}'::text[])
    THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'what % earned never changes', OLD.payment_id USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER commission_pot_guard BEFORE UPDATE OR DELETE ON commission_pot
    FOR EACH ROW EXECUTE FUNCTION guard_pot();

-- Its journal is the two of them, to the unit; an entry that is added later has to fit as well. What
-- revenue gains is a fee's: whoever hid one here would have to take it from somebody.
CREATE FUNCTION check_commission_journal() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE j journal%ROWTYPE; c commission%ROWTYPE; fitting bigint; every bigint;
BEGIN
    SELECT * INTO j FROM journal WHERE id = (to_jsonb(NEW) ->> CASE TG_TABLE_NAME
        WHEN 'journal' THEN 'id' ELSE 'journal_id' END)::bigint;
    IF j.kind <> 'commission' THEN RETURN NULL; END IF;
    SELECT * INTO c FROM commission WHERE id = j.ref;
    SELECT count(*), count(*) FILTER (WHERE currency_id = c.currency_id AND change_type = 'FEE'
            AND delta_locked = 0 AND (account, delta_confirmed) IN ((c.account, c.units), (c.payer, -c.units)))
        INTO every, fitting FROM balance_history WHERE journal_id = j.id;
    IF c.id IS NULL OR j.merchant_id IS DISTINCT FROM c.merchant_id OR every <> 2 OR fitting <> 2 THEN
        RAISE EXCEPTION 'journal of % does not fit its commission', j.ref
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER journal_commission AFTER INSERT ON journal
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.kind = 'commission')
    EXECUTE FUNCTION check_commission_journal();
CREATE CONSTRAINT TRIGGER balance_history_commission AFTER INSERT ON balance_history
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.change_type = 'FEE' AND NOT (NEW.account = 'revenue' AND NEW.delta_confirmed > 0))
    EXECUTE FUNCTION check_commission_journal();
ALTER TABLE commission ENABLE ALWAYS TRIGGER commission_fits;
ALTER TABLE commission ENABLE ALWAYS TRIGGER commission_guard;
ALTER TABLE commission_pot ENABLE ALWAYS TRIGGER commission_pot_guard;
ALTER TABLE journal ENABLE ALWAYS TRIGGER journal_commission;
ALTER TABLE balance_history ENABLE ALWAYS TRIGGER balance_history_commission;

DO $$
DECLARE kinds text;
BEGIN
    SELECT pg_get_constraintdef(oid) INTO STRICT kinds FROM pg_constraint WHERE conname = 'journal_kind_check';
    EXECUTE 'ALTER TABLE journal DROP CONSTRAINT journal_kind_check, ADD CONSTRAINT journal_kind_check '
        || replace(kinds, '''reversal''::text', '''reversal''::text, ''commission''::text');
END $$;

-- What a reversal cannot take back from where it was credited is missing in suspense. So much, and
-- no more, may be missing there.
ALTER TABLE wallet DROP CONSTRAINT wallet_check1,
    ADD CONSTRAINT wallet_check1 CHECK (account IN ('custody', 'expense', 'suspense') OR confirmed >= 0);
CREATE FUNCTION guard_suspense() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.confirmed_after < (SELECT coalesce(sum(least(b.delta_confirmed, 0)), 0)
            FROM balance_history b JOIN journal j ON j.id = b.journal_id AND j.kind = 'reversal'
            WHERE b.wallet_id = NEW.wallet_id) THEN
        RAISE EXCEPTION 'the wallet suspense does not cover this' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER balance_history_suspense AFTER INSERT ON balance_history FOR EACH ROW
    WHEN (NEW.account = 'suspense' AND NEW.delta_confirmed < 0 AND NEW.confirmed_after < 0)
    EXECUTE FUNCTION guard_suspense();
ALTER TABLE balance_history ENABLE ALWAYS TRIGGER balance_history_suspense;

REVOKE ALL ON FUNCTION guard_processing_fee(), total_basis_points(integer[]),
    referral_refusal(text, text, boolean, text), attribute_referral(),
    fill_pot(text, text, text, text, text, numeric, timestamptz), note_deposit_fee(),
    note_withdrawal_fee(), note_customer_deposit(), check_commission(), guard_commission(), guard_pot(),
    check_commission_journal(), guard_suspense() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION referral_refusal(text, text, boolean, text), total_basis_points(integer[]) TO gw_api;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['referral_code', 'referral', 'referral_schedule', 'commission_pot', 'commission']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO gw_api USING (merchant_id = (SELECT current_merchant()))', t);
        EXECUTE format('CREATE POLICY worker ON %I TO gw_worker USING (true)', t);
        EXECUTE format('GRANT SELECT ON %I TO gw_api, gw_worker', t);
    END LOOP;
END $$;
GRANT INSERT ON referral_code, referral_schedule TO gw_api;
GRANT UPDATE (revoked_at) ON referral_code TO gw_api;
-- A word of one's own choice is an operator's to give, and so are the rates of the house.
CREATE POLICY operator ON referral_code TO gw_api USING ((SELECT is_operator()));
CREATE POLICY drawn ON referral_code AS RESTRICTIVE FOR INSERT TO gw_api
    WITH CHECK ((NOT vanity AND code ~ '^[0-9A-HJKMNP-TV-Z]{12}$') OR is_operator());
CREATE POLICY operator ON referral_schedule TO gw_api
    USING (merchant_id IS NULL AND (SELECT is_operator()));

-- The worker posts commissions, and every posting of theirs belongs to one.
GRANT INSERT ON commission TO gw_worker;
GRANT UPDATE (shared_at, next_attempt_at, reason) ON commission_pot TO gw_worker;
ALTER POLICY automatic_hold ON journal WITH CHECK (kind IN ('hold', 'commission'));
ALTER POLICY automatic_hold ON balance_history
    WITH CHECK (change_type = 'HOLD' AND delta_confirmed + delta_locked = 0
        OR change_type = 'FEE' AND delta_locked = 0 AND EXISTS (SELECT 1 FROM journal j
            WHERE j.id = balance_history.journal_id AND j.kind = 'commission'));

-- A network that nobody watches says why. Bitcoin's family is known by name only.
ALTER TABLE network
    ADD COLUMN disabled_reason text CHECK (disabled_reason IS NULL OR NOT enabled),
    DROP CONSTRAINT network_family_check,
    ADD CONSTRAINT network_family_check CHECK (family IN ('ethereum', 'tron', 'solana')
        OR family = 'bitcoin' AND NOT enabled);

-- downgrade
DELETE FROM currency WHERE network_id IN (SELECT id FROM network WHERE family = 'bitcoin');
DELETE FROM network WHERE family = 'bitcoin';
ALTER TABLE network DROP COLUMN disabled_reason,
    DROP CONSTRAINT network_family_check,
    ADD CONSTRAINT network_family_check CHECK (family IN ('ethereum', 'tron', 'solana'));
ALTER POLICY automatic_hold ON journal WITH CHECK (kind = 'hold');
ALTER POLICY automatic_hold ON balance_history
    WITH CHECK (change_type = 'HOLD' AND delta_confirmed + delta_locked = 0);
DROP TRIGGER balance_history_suspense ON balance_history;
DROP FUNCTION guard_suspense();
ALTER TABLE wallet DROP CONSTRAINT wallet_check1,
    ADD CONSTRAINT wallet_check1 CHECK (account IN ('custody', 'expense') OR confirmed >= 0);
DROP TRIGGER balance_history_commission ON balance_history;
DROP TRIGGER journal_commission ON journal;
DROP TRIGGER withdrawal_fee ON withdrawal;
DROP TRIGGER deposit_of_customer ON deposit;
DROP TRIGGER deposit_fee ON deposit;
DROP TRIGGER customer_referred_once ON customer;
DROP TRIGGER merchant_referred_once ON merchant;
DROP TRIGGER customer_referred ON customer;
DROP TRIGGER merchant_referred ON merchant;
DROP TRIGGER merchant_fee ON merchant;
DO $$
DECLARE kinds text;
BEGIN
    SELECT pg_get_constraintdef(oid) INTO STRICT kinds FROM pg_constraint WHERE conname = 'journal_kind_check';
    EXECUTE 'ALTER TABLE journal DROP CONSTRAINT journal_kind_check, ADD CONSTRAINT journal_kind_check '
        || replace(kinds, ', ''commission''::text', '');
END $$;
DROP TABLE commission, commission_pot, referral_schedule, referral, referral_code;
DROP FUNCTION check_commission_journal();
DROP FUNCTION guard_pot();
DROP FUNCTION guard_commission();
DROP FUNCTION check_commission();
DROP FUNCTION note_customer_deposit();
DROP FUNCTION note_withdrawal_fee();
DROP FUNCTION note_deposit_fee();
DROP FUNCTION fill_pot(text, text, text, text, text, numeric, timestamptz);
DROP FUNCTION attribute_referral();
DROP FUNCTION referral_refusal(text, text, boolean, text);
DROP FUNCTION total_basis_points(integer[]);
DROP FUNCTION guard_processing_fee();
DROP POLICY no_fee_at_birth ON merchant;
REVOKE UPDATE (fee_units) ON deposit FROM gw_watcher;
ALTER TABLE deposit DROP COLUMN fee_units;
ALTER TABLE customer DROP COLUMN referred_by;
REVOKE UPDATE (processing_fee_basis_points) ON merchant FROM gw_api;
ALTER TABLE merchant DROP COLUMN processing_fee_basis_points, DROP COLUMN referred_by;
