-- Keys know with which key they were made, actors are known, refused sign-ins are forgotten.

-- The key that asked for this one; null where a person did, or the house at the machine. Nobody
-- makes a key with one that has ended: whoever ends a key ends those that were made with it.
ALTER TABLE api_key ADD COLUMN made_with text REFERENCES api_key ON DELETE RESTRICT;
CREATE INDEX api_key_made_with ON api_key (made_with) WHERE made_with IS NOT NULL;
CREATE INDEX api_key_created_by ON api_key (created_by) WHERE created_by IS NOT NULL;
-- What the log knows of keys that are there already, those of merchants that an operator made too.
UPDATE api_key k SET created_by = coalesce(k.created_by, m.created_by, m.id, u.id), made_with = m.id
FROM audit_log a LEFT JOIN api_key m ON m.id = a.actor LEFT JOIN users u ON u.id = a.actor
WHERE a.subject = k.id AND a.action = 'api_key.created' AND k.merchant_id IS NOT NULL
    AND coalesce(m.id, u.id) IS NOT NULL AND k.made_with IS NULL;
UPDATE api_key k SET created_by = first.created_by FROM api_key first
WHERE first.id = k.created_by AND first.created_by IS NOT NULL;

CREATE FUNCTION check_key_maker() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM api_key WHERE id = NEW.made_with AND revoked_at IS NULL
        AND (merchant_id IS NULL OR merchant_id = NEW.merchant_id)
        AND coalesce(created_by, id) = NEW.created_by FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'key %: what it was made with is not in force, or not its maker''s', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'api_key_maker';
    END IF;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION check_key_maker() FROM PUBLIC;
CREATE TRIGGER api_key_maker BEFORE INSERT ON api_key
    FOR EACH ROW WHEN (NEW.made_with IS NOT NULL) EXECUTE FUNCTION check_key_maker();
ALTER TABLE api_key ENABLE ALWAYS TRIGGER api_key_maker;

-- Whether this is a key, or a person, of the tenant or of the house.
CREATE FUNCTION is_actor(actor text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM api_key k WHERE k.id = actor
            AND (k.merchant_id IS NULL OR k.merchant_id = current_merchant()))
        OR EXISTS (SELECT 1 FROM users u WHERE u.id = actor
            AND (u.merchant_id IS NULL OR u.merchant_id = current_merchant()))
$$;
REVOKE ALL ON FUNCTION is_actor(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_actor(text) TO gw_api;
-- A key that comes through the API has somebody behind it.
CREATE POLICY made_by_somebody ON api_key AS RESTRICTIVE FOR INSERT TO gw_api
    WITH CHECK (created_by IS NOT NULL AND is_actor(created_by));

-- Who approves is in force and of this very tenant; a name that nobody has approves nothing.
CREATE OR REPLACE FUNCTION may_have_approved(creator text, approver text, currency text, amount numeric)
    RETURNS boolean LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT (EXISTS (SELECT 1 FROM api_key k WHERE k.id = approver AND k.revoked_at IS NULL
                AND k.merchant_id = current_merchant() AND 'withdrawals:approve' = ANY (k.scopes))
            OR EXISTS (SELECT 1 FROM users u WHERE u.id = approver AND u.merchant_id = current_merchant()
                AND u.status = 'active' AND u.deleted_at IS NULL AND u.team_role IN ('owner', 'manager')))
        AND (one_behind(creator) <> one_behind(approver)
            OR EXISTS (SELECT 1 FROM currency c WHERE c.id = currency AND amount < c.automatic_approval_below_units))
$$;

-- Whether an address is in one of the networks, as far as that can be read: what cannot counts as
-- inside. Only what a request costs hangs on it; who gets in is decided at the door.
CREATE FUNCTION is_within(source text, networks text[]) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE SET search_path = public, pg_temp AS $$
DECLARE place inet; each text;
BEGIN
    IF coalesce(cardinality(networks), 0) = 0 THEN RETURN true; END IF;
    place := source::inet;
    -- However it is written, an IPv4 address within IPv6 is that IPv4 address (RFC 4291, 2.5.5.2).
    IF place <<= inet '::ffff:0:0/96' THEN place := inet '0.0.0.0' + (place - inet '::ffff:0:0'); END IF;
    FOREACH each IN ARRAY networks LOOP
        IF place <<= network(each::inet)::inet THEN RETURN true; END IF;
    END LOOP;
    RETURN place IS NULL;
EXCEPTION WHEN invalid_text_representation THEN
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION is_within(text, text[]) FROM PUBLIC;

-- As in 0004; a request from where the key may not be used spends nothing of it, neither its budget
-- nor a nonce: a thief elsewhere does not stop the shop.
CREATE OR REPLACE FUNCTION authenticate_key(
        hash bytea, now timestamptz, ceiling integer, source text, nonce text, nonce_until timestamptz)
    RETURNS TABLE (id text, merchant_id text, scopes text[], livemode boolean, allowed_ips text[],
                   quota integer, used integer, resets_in integer, suspended boolean,
                   merchant_ips text[], require_signature boolean, public_key bytea, fresh boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE k record; w rate_window%ROWTYPE; allowed integer; spent boolean := true; astray boolean;
BEGIN
    SELECT a.*, m.status = 'suspended' AS suspended, s.allowed_ips AS merchant_ips, s.require_signature
        INTO k
        FROM api_key a LEFT JOIN merchant m ON m.id = a.merchant_id
            LEFT JOIN merchant_settings s ON s.merchant_id = a.merchant_id
        WHERE a.revoked_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > $2) AND m.deleted_at IS NULL
          AND (a.key_hash = $1 OR (a.previous_key_hash = $1 AND a.previous_until > $2));
    IF k.id IS NULL THEN RETURN; END IF;
    IF k.last_used_at IS NULL OR k.last_used_at < $2 - interval '1 minute' THEN
        -- Nobody waits here for a transaction that is changing the key.
        UPDATE api_key a SET last_used_at = $2, last_used_address = $4
            WHERE a.id = (SELECT o.id FROM api_key o WHERE o.id = k.id FOR UPDATE SKIP LOCKED);
    END IF;
    astray := NOT (is_within($4, k.allowed_ips) AND is_within($4, k.merchant_ips));
    allowed := CASE WHEN astray THEN 0 ELSE coalesce(least(nullif($3, 0), k.requests_per_minute), 0) END;
    IF allowed > 0 THEN
        INSERT INTO rate_window AS r VALUES (k.id, $2, 1)
            ON CONFLICT (key_id) DO UPDATE SET
                began = CASE WHEN r.began <= $2 - interval '60 s' THEN $2 ELSE r.began END,
                used = CASE WHEN r.began <= $2 - interval '60 s' THEN 1 ELSE least(r.used, allowed) + 1 END
            RETURNING * INTO w;
    END IF;
    IF $5 IS NOT NULL AND k.public_key IS NOT NULL AND NOT astray AND coalesce(w.used, 0) <= allowed THEN
        DELETE FROM request_nonce n USING (SELECT o.key_id, o.nonce FROM request_nonce o
                WHERE o.expires_at <= $2 ORDER BY o.expires_at LIMIT 4 FOR UPDATE SKIP LOCKED) o
            WHERE n.key_id = o.key_id AND n.nonce = o.nonce;
        INSERT INTO request_nonce VALUES (k.id, $5, $6) ON CONFLICT DO NOTHING;
        spent := FOUND;
    END IF;
    RETURN QUERY SELECT k.id, k.merchant_id, k.scopes, k.livemode, k.allowed_ips,
        allowed, coalesce(w.used, 0),
        coalesce(ceil(extract(epoch FROM w.began + interval '60 s' - $2))::integer, 0),
        coalesce(k.suspended, false), coalesce(k.merchant_ips, '{}'::text[]),
        coalesce(k.require_signature, false), k.public_key, spent;
END $$;

-- The door asks in the round trip that finds the session.
GRANT EXECUTE ON FUNCTION has_second_factor(text) TO gw_api;

-- Refused sign-ins, which anybody can make as many of as the door lets through: not in the log that
-- stays for good, but here for 90 days. The same for an account that is not there.
CREATE TABLE refused_sign_in (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_id text,
    person text,
    account text NOT NULL,
    reason text NOT NULL,
    address text,
    endpoint text,
    request_id text,
    at timestamptz NOT NULL
);
CREATE INDEX refused_sign_in_age ON refused_sign_in (at);
ALTER TABLE refused_sign_in ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON refused_sign_in TO gw_api USING (merchant_id = (SELECT current_merchant()));
REVOKE ALL ON refused_sign_in FROM PUBLIC;
GRANT SELECT ON refused_sign_in TO gw_api;
CREATE OR REPLACE FUNCTION record_refused_sign_in(person text, account text, reason text, source text, route text,
        request text, now timestamptz) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO refused_sign_in (merchant_id, person, account, reason, address, endpoint, request_id, at)
    VALUES ((SELECT merchant_id FROM users WHERE id = person), person, account, reason, source, route, request, now)
$$;
CREATE OR REPLACE FUNCTION forget_spent(now timestamptz, batch integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE gone integer; most integer := 0;
BEGIN
    DELETE FROM refused_sign_in WHERE id IN
        (SELECT id FROM refused_sign_in WHERE at < now - interval '90 days' LIMIT batch);
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    DELETE FROM user_session WHERE id IN
        (SELECT id FROM user_session WHERE expires_at < now - interval '90 days' LIMIT batch);
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    DELETE FROM one_time_token WHERE id IN
        (SELECT id FROM one_time_token WHERE expires_at < now - interval '90 days' LIMIT batch);
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    DELETE FROM invitation WHERE id IN (SELECT id FROM invitation
        WHERE accepted_at IS NULL AND expires_at < now - interval '90 days' LIMIT batch);
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    DELETE FROM sign_in_attempt WHERE bucket IN
        (SELECT bucket FROM sign_in_attempt WHERE at < now - interval '1 day' LIMIT batch FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    DELETE FROM request_nonce n USING (SELECT key_id, nonce FROM request_nonce
            WHERE expires_at < now - interval '1 hour' LIMIT batch FOR UPDATE SKIP LOCKED) o
        WHERE n.key_id = o.key_id AND n.nonce = o.nonce;
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    DELETE FROM rate_window WHERE key_id IN
        (SELECT key_id FROM rate_window WHERE began < now - interval '1 day' LIMIT batch FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    DELETE FROM usage_day WHERE ctid = ANY (ARRAY
        (SELECT ctid FROM usage_day WHERE day < now - interval '3 years' LIMIT batch));
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    RETURN most >= batch;
END $$;

-- downgrade
CREATE OR REPLACE FUNCTION forget_spent(now timestamptz, batch integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE gone integer; most integer := 0;
BEGIN
    DELETE FROM user_session WHERE id IN
        (SELECT id FROM user_session WHERE expires_at < now - interval '90 days' LIMIT batch);
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    DELETE FROM one_time_token WHERE id IN
        (SELECT id FROM one_time_token WHERE expires_at < now - interval '90 days' LIMIT batch);
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    DELETE FROM invitation WHERE id IN (SELECT id FROM invitation
        WHERE accepted_at IS NULL AND expires_at < now - interval '90 days' LIMIT batch);
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    DELETE FROM sign_in_attempt WHERE bucket IN
        (SELECT bucket FROM sign_in_attempt WHERE at < now - interval '1 day' LIMIT batch FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    DELETE FROM request_nonce n USING (SELECT key_id, nonce FROM request_nonce
            WHERE expires_at < now - interval '1 hour' LIMIT batch FOR UPDATE SKIP LOCKED) o
        WHERE n.key_id = o.key_id AND n.nonce = o.nonce;
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    DELETE FROM rate_window WHERE key_id IN
        (SELECT key_id FROM rate_window WHERE began < now - interval '1 day' LIMIT batch FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    DELETE FROM usage_day WHERE ctid = ANY (ARRAY
        (SELECT ctid FROM usage_day WHERE day < now - interval '3 years' LIMIT batch));
    GET DIAGNOSTICS gone = ROW_COUNT; most := greatest(most, gone);
    RETURN most >= batch;
END $$;
CREATE OR REPLACE FUNCTION record_refused_sign_in(person text, account text, reason text, source text, route text,
        request text, now timestamptz) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO audit_log (merchant_id, actor, action, subject, after, address, endpoint, request_id, at)
    VALUES ((SELECT merchant_id FROM users WHERE id = person), coalesce(person, 'anonymous'),
        'session.refused', coalesce(person, account), jsonb_build_object('reason', reason),
        source, route, request, now)
$$;
DROP TABLE refused_sign_in;
REVOKE EXECUTE ON FUNCTION has_second_factor(text) FROM gw_api;
CREATE OR REPLACE FUNCTION authenticate_key(
        hash bytea, now timestamptz, ceiling integer, source text, nonce text, nonce_until timestamptz)
    RETURNS TABLE (id text, merchant_id text, scopes text[], livemode boolean, allowed_ips text[],
                   quota integer, used integer, resets_in integer, suspended boolean,
                   merchant_ips text[], require_signature boolean, public_key bytea, fresh boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE k record; w rate_window%ROWTYPE; allowed integer; spent boolean := true;
BEGIN
    SELECT a.*, m.status = 'suspended' AS suspended, s.allowed_ips AS merchant_ips, s.require_signature
        INTO k
        FROM api_key a LEFT JOIN merchant m ON m.id = a.merchant_id
            LEFT JOIN merchant_settings s ON s.merchant_id = a.merchant_id
        WHERE (a.key_hash = $1 OR (a.previous_key_hash = $1 AND a.previous_until > $2))
          AND a.revoked_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > $2)
          AND m.deleted_at IS NULL;
    IF k.id IS NULL THEN RETURN; END IF;
    IF k.last_used_at IS NULL OR k.last_used_at < $2 - interval '1 minute' THEN
        -- Nobody waits here for a transaction that is changing the key.
        UPDATE api_key a SET last_used_at = $2, last_used_address = $4
            WHERE a.id = (SELECT o.id FROM api_key o WHERE o.id = k.id FOR UPDATE SKIP LOCKED);
    END IF;
    allowed := coalesce(least(nullif($3, 0), k.requests_per_minute), 0);
    IF allowed > 0 THEN
        INSERT INTO rate_window AS r VALUES (k.id, $2, 1)
            ON CONFLICT (key_id) DO UPDATE SET
                began = CASE WHEN r.began <= $2 - interval '60 s' THEN $2 ELSE r.began END,
                used = CASE WHEN r.began <= $2 - interval '60 s' THEN 1 ELSE least(r.used, allowed) + 1 END
            RETURNING * INTO w;
    END IF;
    IF $5 IS NOT NULL AND k.public_key IS NOT NULL AND coalesce(w.used, 0) <= allowed THEN
        DELETE FROM request_nonce n USING (SELECT o.key_id, o.nonce FROM request_nonce o
                WHERE o.expires_at <= $2 ORDER BY o.expires_at LIMIT 4 FOR UPDATE SKIP LOCKED) o
            WHERE n.key_id = o.key_id AND n.nonce = o.nonce;
        INSERT INTO request_nonce VALUES (k.id, $5, $6) ON CONFLICT DO NOTHING;
        spent := FOUND;
    END IF;
    RETURN QUERY SELECT k.id, k.merchant_id, k.scopes, k.livemode, k.allowed_ips,
        allowed, coalesce(w.used, 0),
        coalesce(ceil(extract(epoch FROM w.began + interval '60 s' - $2))::integer, 0),
        coalesce(k.suspended, false), coalesce(k.merchant_ips, '{}'::text[]),
        coalesce(k.require_signature, false), k.public_key, spent;
END $$;
DROP FUNCTION is_within(text, text[]);
CREATE OR REPLACE FUNCTION may_have_approved(creator text, approver text, currency text, amount numeric)
    RETURNS boolean LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT one_behind(creator) <> one_behind(approver)
        OR EXISTS (SELECT 1 FROM currency c WHERE c.id = currency AND amount < c.automatic_approval_below_units)
$$;
DROP POLICY made_by_somebody ON api_key;
DROP FUNCTION is_actor(text);
DROP TRIGGER api_key_maker ON api_key;
DROP FUNCTION check_key_maker();
-- Keys that an operator made for a merchant had nobody behind them; those made with them had the first.
WITH RECURSIVE line AS (
    SELECT k.id, k.id AS root FROM api_key k LEFT JOIN api_key m ON m.id = k.made_with
        WHERE k.merchant_id IS NOT NULL AND m.merchant_id IS NULL
    UNION ALL SELECT k.id, l.root FROM api_key k JOIN line l ON l.id = k.made_with)
UPDATE api_key k SET created_by = nullif(l.root, k.id) FROM line l WHERE l.id = k.id AND k.created_by IN (
    SELECT id FROM api_key WHERE merchant_id IS NULL UNION ALL SELECT id FROM users WHERE merchant_id IS NULL);
DROP INDEX api_key_created_by;
ALTER TABLE api_key DROP COLUMN made_with;
