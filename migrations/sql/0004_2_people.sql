-- People: who they are, their sessions, invitations and one-time tokens.
ALTER TABLE users
    DROP CONSTRAINT users_email_key,
    ADD COLUMN username text CHECK (username ~ '^[a-z0-9][a-z0-9_.-]{2,31}$'),
    ADD COLUMN phone text CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    ADD COLUMN password_hash text,
    ADD COLUMN password_changed_at timestamptz,
    ADD COLUMN team_role text CHECK (team_role IN ('owner', 'manager', 'developer', 'accountant', 'viewer')),
    ADD COLUMN status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    ADD COLUMN email_verified_at timestamptz,
    ADD COLUMN last_active_at timestamptz;
UPDATE users SET team_role = 'owner' WHERE role = 'MERCHANT';
ALTER TABLE users ADD CONSTRAINT users_team_role CHECK ((role = 'MERCHANT') = (team_role IS NOT NULL));
-- Whoever was deleted leaves the address free for somebody else.
CREATE UNIQUE INDEX users_email ON users (lower(email)) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX users_username ON users (username) WHERE deleted_at IS NULL;
CREATE INDEX users_merchant ON users (merchant_id);

-- The maker of a key: a person, or the key it was made with; null where the house made it.
ALTER TABLE api_key ADD COLUMN created_by text;

-- `factor_needed`: the person had a second factor at sign-in; until `second_factor_at` is set the
-- session may do nothing but present it.
CREATE TABLE user_session (
    id text PRIMARY KEY,
    user_id text NOT NULL REFERENCES users ON DELETE RESTRICT,
    merchant_id text REFERENCES merchant ON DELETE RESTRICT,
    token_hash bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    livemode boolean NOT NULL,
    address text,
    user_agent text CHECK (length(user_agent) <= 300),
    created_at timestamptz NOT NULL,
    last_active_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    factor_needed boolean NOT NULL,
    second_factor_at timestamptz,
    stepped_up_at timestamptz,
    revoked_at timestamptz,
    CHECK (expires_at > created_at)
);
CREATE INDEX user_session_user ON user_session (user_id, id);

-- An invitation becomes a user, once. `merchant_id` is null for the operator's own people.
CREATE TABLE invitation (
    id text PRIMARY KEY,
    merchant_id text REFERENCES merchant ON DELETE RESTRICT,
    token_hash bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    email text NOT NULL,
    role text NOT NULL CHECK (role IN ('ADMIN', 'MERCHANT', 'OPERATOR')),
    team_role text CHECK (team_role IN ('owner', 'manager', 'developer', 'accountant', 'viewer')),
    mailed boolean NOT NULL,
    invited_by text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    accepted_at timestamptz,
    user_id text REFERENCES users ON DELETE RESTRICT,
    revoked_at timestamptz,
    CHECK ((role = 'MERCHANT') = (merchant_id IS NOT NULL)),
    CHECK ((role = 'MERCHANT') = (team_role IS NOT NULL)),
    CHECK ((accepted_at IS NULL) = (user_id IS NULL))
);
CREATE INDEX invitation_merchant ON invitation (merchant_id, id);

-- Proof that somebody reads a mailbox: `email` is the address it was sent to.
CREATE TABLE one_time_token (
    id text PRIMARY KEY,
    user_id text NOT NULL REFERENCES users ON DELETE RESTRICT,
    token_hash bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    purpose text NOT NULL CHECK (purpose IN ('verify', 'reset')),
    email text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    used_at timestamptz
);
CREATE INDEX one_time_token_user ON one_time_token (user_id);

-- Attempts at passwords and codes, per account with address and per address, under hashed names.
-- Not logged: after a crash everybody begins anew.
CREATE UNLOGGED TABLE sign_in_attempt (
    bucket bytea PRIMARY KEY,
    failures integer NOT NULL,
    blocked_until timestamptz NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX sign_in_attempt_age ON sign_in_attempt (at);

CREATE FUNCTION is_admin() RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM users WHERE id = current_merchant() AND role = 'ADMIN'
        AND status = 'active' AND deleted_at IS NULL)
$$;
-- As in 0001, and the house's own people, whose id stands where a merchant's otherwise stands.
CREATE OR REPLACE FUNCTION is_operator() RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM api_key
            WHERE id = current_merchant() AND merchant_id IS NULL AND revoked_at IS NULL)
        OR EXISTS (SELECT 1 FROM users WHERE id = current_merchant() AND merchant_id IS NULL
            AND status = 'active' AND deleted_at IS NULL)
$$;

-- Whether a person has a second factor; the factors say more in their own file.
CREATE FUNCTION has_second_factor(person text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$ SELECT false $$;

-- Who stands behind an actor: a key and its maker are one when somebody's own request is approved.
CREATE FUNCTION one_behind(actor text) RETURNS text
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT coalesce((SELECT created_by FROM api_key WHERE id = actor), actor)
$$;
CREATE FUNCTION may_have_approved(creator text, approver text, currency text, amount numeric)
    RETURNS boolean LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT one_behind(creator) <> one_behind(approver)
        OR EXISTS (SELECT 1 FROM currency c WHERE c.id = currency AND amount < c.automatic_approval_below_units)
$$;
CREATE POLICY never_ones_own ON withdrawal AS RESTRICTIVE FOR UPDATE TO gw_api USING (true)
    WITH CHECK (status <> 'approved' OR may_have_approved(created_by, approved_by, currency_id, units));

-- What a sign-in needs, across tenants: one row at most. Of the password's PHC string all but the
-- hash: that is compared in here and leaves the database for nobody.
CREATE FUNCTION sign_in_account(mailbox text)
    RETURNS TABLE (id text, merchant_id text, email text, password_salt text, usable boolean)
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT u.id, u.merchant_id, u.email, regexp_replace(u.password_hash, '[^$]*$', ''),
        u.status = 'active' AND m.deleted_at IS NULL
    FROM users u LEFT JOIN merchant m ON m.id = u.merchant_id
    WHERE lower(u.email) = lower(mailbox) AND u.deleted_at IS NULL
$$;
CREATE FUNCTION is_password(person text, phc text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM users WHERE id = person AND password_hash = phc AND deleted_at IS NULL)
$$;

-- One attempt more: how many seconds to wait instead, 0 where it may go on. The first `free` cost
-- nothing, each further one twice the wait of the one before, 15 minutes at most. Counted before the
-- password is looked at, so that many at once gain nothing; an hour of quiet forgives.
CREATE FUNCTION count_attempt(name bytea, free integer, now timestamptz) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE a sign_in_attempt%ROWTYPE; used integer;
BEGIN
    DELETE FROM sign_in_attempt WHERE bucket IN (SELECT bucket FROM sign_in_attempt
        WHERE at < now - interval '1 day' ORDER BY at LIMIT 10 FOR UPDATE SKIP LOCKED);
    INSERT INTO sign_in_attempt VALUES (name, 0, now, '-infinity')
        ON CONFLICT (bucket) DO UPDATE SET bucket = EXCLUDED.bucket RETURNING * INTO a;
    IF a.blocked_until > now THEN
        RETURN ceil(extract(epoch FROM a.blocked_until - now))::integer;
    END IF;
    used := CASE WHEN a.at < now - interval '1 hour' THEN 1 ELSE a.failures + 1 END;
    UPDATE sign_in_attempt SET failures = used, at = now, blocked_until = CASE WHEN used <= free
        THEN '-infinity' ELSE now + least(900, 2 ^ least(used - free - 1, 10)) * interval '1 second' END WHERE bucket = name;
    RETURN 0;
END $$;
-- It was the right person: this attempt, or every one of the bucket, is forgotten.
CREATE FUNCTION forgive_attempt(name bytea, every boolean) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE sign_in_attempt SET blocked_until = '-infinity',
        failures = CASE WHEN every THEN 0 ELSE greatest(0, failures - 1) END WHERE bucket = name
$$;

-- A refused sign-in on record, whether or not there is such an account: nobody learns it from the work.
CREATE FUNCTION record_refused_sign_in(person text, account text, reason text, source text, route text,
        request text, now timestamptz) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO audit_log (merchant_id, actor, action, subject, after, address, endpoint, request_id, at)
    VALUES ((SELECT merchant_id FROM users WHERE id = person), coalesce(person, 'anonymous'),
        'session.refused', coalesce(person, account), jsonb_build_object('reason', reason),
        source, route, request, now)
$$;

-- Nobody is signed in but by what the password hashes to.
CREATE FUNCTION open_session(session text, person text, hash bytea, phc text, live boolean, source text,
        agent text, now timestamptz, ends timestamptz)
    RETURNS TABLE (merchant_id text, factor_needed boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY INSERT INTO user_session AS s (id, user_id, merchant_id, token_hash, livemode, address,
            user_agent, created_at, last_active_at, expires_at, factor_needed)
        SELECT session, u.id, u.merchant_id, hash, live, source, agent, now, now, ends, has_second_factor(u.id)
        FROM users u WHERE u.id = person AND is_password(u.id, phc) AND u.status = 'active'
        RETURNING s.merchant_id, s.factor_needed;
    UPDATE users SET last_active_at = now WHERE users.id = person AND FOUND;
END $$;

-- The session of this token, if it is in force: one row at most, with what the merchant demands (a
-- suspended one's people may look, as its keys may). `idle` ends it without use; its last
-- use, and the person's, are written once a minute; the request counts against the person's quota.
CREATE FUNCTION authenticate_session(hash bytea, now timestamptz, idle interval, quota integer)
    RETURNS TABLE (id text, user_id text, merchant_id text, role text, team_role text, livemode boolean,
                   factor_pending boolean, stepped_up_at timestamptz, suspended boolean,
                   merchant_ips text[], used integer, resets_in integer)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s record; w rate_window%ROWTYPE;
BEGIN
    SELECT t.*, u.role AS person_role, u.team_role AS person_team_role, m.status AS merchant_status,
            o.allowed_ips INTO s FROM user_session t
        JOIN users u ON u.id = t.user_id LEFT JOIN merchant m ON m.id = u.merchant_id
            LEFT JOIN merchant_settings o ON o.merchant_id = m.id
        WHERE t.token_hash = hash AND t.revoked_at IS NULL AND t.expires_at > now
          AND t.last_active_at > now - idle AND u.status = 'active' AND u.deleted_at IS NULL
          AND m.deleted_at IS NULL;
    IF NOT FOUND THEN RETURN; END IF;
    IF s.last_active_at < now - interval '1 minute' THEN
        UPDATE user_session t SET last_active_at = now WHERE t.id = s.id AND t.last_active_at < now;
        UPDATE users u SET last_active_at = now WHERE u.id = s.user_id;
    END IF;
    IF quota > 0 THEN
        INSERT INTO rate_window AS r VALUES (s.user_id, now, 1)
            ON CONFLICT (key_id) DO UPDATE SET
                began = CASE WHEN r.began <= now - interval '60 s' THEN now ELSE r.began END,
                used = CASE WHEN r.began <= now - interval '60 s' THEN 1 ELSE least(r.used, quota) + 1 END
            RETURNING * INTO w;
    END IF;
    RETURN QUERY SELECT s.id, s.user_id, s.merchant_id, s.person_role, s.person_team_role, s.livemode,
        s.factor_needed AND s.second_factor_at IS NULL, s.stepped_up_at,
        coalesce(s.merchant_status = 'suspended', false), coalesce(s.allowed_ips, '{}'::text[]), coalesce(w.used, 0),
        coalesce(ceil(extract(epoch FROM w.began + interval '60 s' - now))::integer, 0);
END $$;

-- A factor was shown in this session: it is stepped up, and its token is another from now on.
CREATE FUNCTION step_up_session(hash bytea, new_hash bytea, now timestamptz) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH changed AS (UPDATE user_session SET token_hash = new_hash, stepped_up_at = now, last_active_at = now,
            second_factor_at = coalesce(second_factor_at, now)
        WHERE token_hash = hash AND revoked_at IS NULL AND expires_at > now RETURNING 1)
    SELECT EXISTS (SELECT 1 FROM changed)
$$;

-- The person of a session; whoever changes the password by it is signed out everywhere else.
CREATE FUNCTION change_password(hash bytea, phc text, now timestamptz) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s user_session%ROWTYPE;
BEGIN
    SELECT * INTO s FROM user_session WHERE token_hash = hash AND revoked_at IS NULL AND expires_at > now
        AND (second_factor_at IS NOT NULL OR NOT factor_needed);
    IF NOT FOUND THEN RETURN NULL; END IF;
    UPDATE users SET password_hash = phc, password_changed_at = now WHERE id = s.user_id;
    UPDATE user_session SET revoked_at = now
        WHERE user_id = s.user_id AND id <> s.id AND revoked_at IS NULL;
    -- A move to another address ends too: whoever asked for it may be whom the new password is against.
    UPDATE one_time_token SET used_at = now WHERE user_id = s.user_id AND used_at IS NULL;
    RETURN s.user_id;
END $$;
-- Same password, newer parameters: only who knows the old hash writes the new one.
CREATE FUNCTION rehash_password(person text, old text, phc text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE users SET password_hash = phc WHERE id = person AND password_hash = old
$$;

-- A token counts once, before its end, for a living person.
CREATE FUNCTION spend_token(hash bytea, what text, now timestamptz) RETURNS one_time_token
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE one_time_token t SET used_at = now FROM users u
        WHERE t.token_hash = hash AND t.purpose = what AND t.used_at IS NULL AND t.expires_at > now
          AND u.id = t.user_id AND u.deleted_at IS NULL RETURNING t.*
$$;
-- Whose token this is, while it counts: looked at before the work of hashing a password.
CREATE FUNCTION token_owner(hash bytea, what text, now timestamptz)
    RETURNS TABLE (user_id text, email text, username text)
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT u.id, u.email, u.username FROM one_time_token t JOIN users u ON u.id = t.user_id
        WHERE t.token_hash = hash AND t.purpose = what AND t.used_at IS NULL AND t.expires_at > now
          AND u.deleted_at IS NULL
$$;
CREATE FUNCTION reset_password(hash bytea, phc text, now timestamptz)
    RETURNS TABLE (user_id text, merchant_id text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE t one_time_token%ROWTYPE;
BEGIN
    t := spend_token(hash, 'reset', now);
    IF t.id IS NULL THEN RETURN; END IF;
    UPDATE user_session s SET revoked_at = now WHERE s.user_id = t.user_id AND s.revoked_at IS NULL;
    UPDATE one_time_token o SET used_at = now WHERE o.user_id = t.user_id AND o.used_at IS NULL;
    RETURN QUERY UPDATE users u SET password_hash = phc, password_changed_at = now, email_verified_at =
            CASE WHEN lower(u.email) = lower(t.email) THEN coalesce(u.email_verified_at, now) ELSE u.email_verified_at END
        WHERE u.id = t.user_id RETURNING u.id, u.merchant_id;
END $$;
-- The address that was proved becomes the person's own.
CREATE FUNCTION verify_email(hash bytea, now timestamptz)
    RETURNS TABLE (user_id text, merchant_id text, email_before text, email text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE t one_time_token%ROWTYPE; u users%ROWTYPE;
BEGIN
    t := spend_token(hash, 'verify', now);
    IF t.id IS NULL THEN RETURN; END IF;
    SELECT * INTO u FROM users WHERE id = t.user_id FOR UPDATE;
    UPDATE users p SET email = t.email, email_verified_at = now WHERE p.id = u.id;
    UPDATE one_time_token o SET used_at = now
        WHERE o.user_id = u.id AND o.used_at IS NULL AND lower(u.email) <> lower(t.email);
    RETURN QUERY SELECT u.id, u.merchant_id, u.email, t.email;
END $$;

-- The address of an invitation, while it stands.
CREATE FUNCTION invited_email(hash bytea, now timestamptz) RETURNS text
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT v.email FROM invitation v LEFT JOIN merchant m ON m.id = v.merchant_id
        WHERE v.token_hash = hash AND v.accepted_at IS NULL AND v.revoked_at IS NULL AND v.expires_at > now
          AND m.deleted_at IS NULL
$$;
-- The only way by which a person comes to be: with a token that somebody entitled gave out.
CREATE FUNCTION accept_invitation(hash bytea, person text, name text, number text, phc text, now timestamptz)
    RETURNS TABLE (id text, merchant_id text, email text, role text, team_role text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE i invitation%ROWTYPE;
BEGIN
    SELECT v.* INTO i FROM invitation v WHERE v.token_hash = hash FOR UPDATE;
    IF invited_email(hash, now) IS NULL THEN RETURN; END IF;
    INSERT INTO users (id, merchant_id, email, role, team_role, username, phone, password_hash,
            password_changed_at, created_at, email_verified_at)
        VALUES (person, i.merchant_id, i.email, i.role, i.team_role, name, number, phc, now, now,
            CASE WHEN i.mailed THEN now END);
    UPDATE invitation v SET accepted_at = now, user_id = person WHERE v.id = i.id;
    RETURN QUERY SELECT person, i.merchant_id, i.email, i.role, i.team_role;
END $$;

-- The admin whose session this is, if a factor was shown in it within five minutes.
CREATE FUNCTION acting_admin(hash bytea, now timestamptz) RETURNS text
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT u.id FROM user_session s JOIN users u ON u.id = s.user_id
        WHERE s.token_hash = hash AND s.revoked_at IS NULL AND s.expires_at > now
          AND s.stepped_up_at > now - interval '5 minutes'
          AND u.role = 'ADMIN' AND u.status = 'active' AND u.deleted_at IS NULL
$$;
-- Nobody comes to be of the house, or more in it, but by an admin's stepped-up session.
CREATE FUNCTION invite_operator(hash bytea, name text, secret bytea, address text, wanted text,
        now timestamptz, ends timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE admin text := acting_admin(hash, now);
BEGIN
    IF admin IS NULL OR wanted NOT IN ('ADMIN', 'OPERATOR') THEN RETURN false; END IF;
    INSERT INTO invitation (id, token_hash, email, role, mailed, invited_by, created_at, expires_at)
        VALUES (name, secret, address, wanted, true, admin, now, ends);
    RETURN true;
END $$;
CREATE FUNCTION set_operator_role(hash bytea, person text, wanted text, now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE admin text := acting_admin(hash, now);
BEGIN
    IF admin IS NULL OR admin = person OR wanted NOT IN ('ADMIN', 'OPERATOR') THEN RETURN false; END IF;
    UPDATE users SET role = wanted WHERE id = person AND merchant_id IS NULL AND deleted_at IS NULL;
    RETURN FOUND;
END $$;

ALTER TABLE user_session ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitation ENABLE ROW LEVEL SECURITY;
ALTER TABLE one_time_token ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON user_session, invitation, one_time_token, sign_in_attempt FROM PUBLIC;

-- A merchant's people are that merchant's; the house's own see themselves, an admin all of them.
CREATE POLICY house ON users FOR SELECT TO gw_api
    USING (merchant_id IS NULL AND (id = (SELECT current_merchant()) OR (SELECT is_admin())));
CREATE POLICY house_writes ON users FOR UPDATE TO gw_api
    USING (merchant_id IS NULL AND (id = (SELECT current_merchant()) OR (SELECT is_admin())));
CREATE POLICY living ON users AS RESTRICTIVE FOR UPDATE TO gw_api USING (deleted_at IS NULL) WITH CHECK (true);
CREATE POLICY tenant ON user_session TO gw_api USING (merchant_id = (SELECT current_merchant())
    OR (merchant_id IS NULL AND (user_id = (SELECT current_merchant()) OR (SELECT is_admin()))));
CREATE POLICY tenant ON invitation TO gw_api USING (merchant_id = (SELECT current_merchant())
    OR (merchant_id IS NULL AND (SELECT is_admin())));
-- The house's own are invited by `invite_operator` alone.
CREATE POLICY team_only ON invitation AS RESTRICTIVE FOR INSERT TO gw_api
    WITH CHECK (role = 'MERCHANT' AND merchant_id = current_merchant() AND accepted_at IS NULL);
-- Whoever sees a person may have that person asked for a proof.
CREATE POLICY tenant ON one_time_token TO gw_api
    USING (EXISTS (SELECT 1 FROM users u WHERE u.id = user_id));
-- People of the house may read what happened to them, suspended or not.
REVOKE SELECT ON users FROM gw_api;
GRANT SELECT (id, merchant_id, email, role, created_at, deleted_at, username, phone, password_changed_at,
    team_role, status, email_verified_at, last_active_at) ON users TO gw_api;
GRANT UPDATE (username, phone, team_role, status, deleted_at) ON users TO gw_api;
GRANT SELECT (id, user_id, merchant_id, livemode, address, user_agent, created_at, last_active_at, expires_at,
    factor_needed, second_factor_at, stepped_up_at, revoked_at) ON user_session TO gw_api;
GRANT UPDATE (livemode, revoked_at) ON user_session TO gw_api;
GRANT SELECT (id, merchant_id, email, role, team_role, mailed, invited_by, created_at, expires_at, accepted_at,
    user_id, revoked_at) ON invitation TO gw_api;
GRANT INSERT, UPDATE (revoked_at) ON invitation TO gw_api;
GRANT INSERT, SELECT (id, user_id, purpose, email, created_at, expires_at, used_at) ON one_time_token TO gw_api;
GRANT UPDATE (used_at) ON one_time_token TO gw_api;
REVOKE ALL ON FUNCTION is_admin(), has_second_factor(text), one_behind(text),
    may_have_approved(text, text, text, numeric), sign_in_account(text), is_password(text, text),
    count_attempt(bytea, integer, timestamptz), forgive_attempt(bytea, boolean),
    record_refused_sign_in(text, text, text, text, text, text, timestamptz),
    open_session(text, text, bytea, text, boolean, text, text, timestamptz, timestamptz),
    authenticate_session(bytea, timestamptz, interval, integer), step_up_session(bytea, bytea, timestamptz),
    change_password(bytea, text, timestamptz), rehash_password(text, text, text),
    spend_token(bytea, text, timestamptz), token_owner(bytea, text, timestamptz),
    reset_password(bytea, text, timestamptz), verify_email(bytea, timestamptz), invited_email(bytea, timestamptz),
    accept_invitation(bytea, text, text, text, text, timestamptz),
    acting_admin(bytea, timestamptz),
    invite_operator(bytea, text, bytea, text, text, timestamptz, timestamptz),
    set_operator_role(bytea, text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION is_admin(), one_behind(text), may_have_approved(text, text, text, numeric),
    sign_in_account(text), is_password(text, text), count_attempt(bytea, integer, timestamptz),
    forgive_attempt(bytea, boolean),
    record_refused_sign_in(text, text, text, text, text, text, timestamptz),
    open_session(text, text, bytea, text, boolean, text, text, timestamptz, timestamptz),
    authenticate_session(bytea, timestamptz, interval, integer), step_up_session(bytea, bytea, timestamptz),
    change_password(bytea, text, timestamptz), rehash_password(text, text, text),
    token_owner(bytea, text, timestamptz), reset_password(bytea, text, timestamptz),
    verify_email(bytea, timestamptz), invited_email(bytea, timestamptz),
    accept_invitation(bytea, text, text, text, text, timestamptz),
    invite_operator(bytea, text, bytea, text, text, timestamptz, timestamptz),
    set_operator_role(bytea, text, text, timestamptz) TO gw_api;

-- downgrade
DROP POLICY never_ones_own ON withdrawal;
DROP POLICY living ON users;
DROP POLICY house_writes ON users;
DROP POLICY house ON users;
REVOKE UPDATE (username, phone, team_role, status, deleted_at) ON users FROM gw_api;
REVOKE SELECT (id, merchant_id, email, role, created_at, deleted_at) ON users FROM gw_api;
GRANT SELECT ON users TO gw_api;
DROP FUNCTION set_operator_role(bytea, text, text, timestamptz);
DROP FUNCTION invite_operator(bytea, text, bytea, text, text, timestamptz, timestamptz);
DROP FUNCTION acting_admin(bytea, timestamptz);
DROP FUNCTION accept_invitation(bytea, text, text, text, text, timestamptz);
DROP FUNCTION invited_email(bytea, timestamptz);
DROP FUNCTION verify_email(bytea, timestamptz);
DROP FUNCTION reset_password(bytea, text, timestamptz);
DROP FUNCTION token_owner(bytea, text, timestamptz);
DROP FUNCTION spend_token(bytea, text, timestamptz);
DROP FUNCTION rehash_password(text, text, text);
DROP FUNCTION change_password(bytea, text, timestamptz);
DROP FUNCTION step_up_session(bytea, bytea, timestamptz);
DROP FUNCTION authenticate_session(bytea, timestamptz, interval, integer);
DROP FUNCTION open_session(text, text, bytea, text, boolean, text, text, timestamptz, timestamptz);
DROP FUNCTION record_refused_sign_in(text, text, text, text, text, text, timestamptz);
DROP FUNCTION forgive_attempt(bytea, boolean);
DROP FUNCTION count_attempt(bytea, integer, timestamptz);
DROP FUNCTION is_password(text, text);
DROP FUNCTION sign_in_account(text);
DROP FUNCTION may_have_approved(text, text, text, numeric);
DROP FUNCTION one_behind(text);
DROP FUNCTION has_second_factor(text);
DROP TABLE sign_in_attempt, one_time_token, invitation, user_session;
DROP FUNCTION is_admin();
CREATE OR REPLACE FUNCTION is_operator() RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM api_key
        WHERE id = current_merchant() AND merchant_id IS NULL AND revoked_at IS NULL)
$$;
ALTER TABLE api_key DROP COLUMN created_by;
DROP INDEX users_email, users_username, users_merchant;
UPDATE users SET email = id || ':' || email WHERE deleted_at IS NOT NULL;
ALTER TABLE users DROP CONSTRAINT users_team_role,
    DROP COLUMN username, DROP COLUMN phone, DROP COLUMN password_hash, DROP COLUMN password_changed_at,
    DROP COLUMN team_role, DROP COLUMN status, DROP COLUMN email_verified_at, DROP COLUMN last_active_at,
    ADD CONSTRAINT users_email_key UNIQUE (email);
