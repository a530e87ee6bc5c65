-- Second factors of people. A person's factors change by the person's own session alone, and only
-- within five minutes of a proof: every write takes the hash of the session's token.
CREATE TABLE totp (
    user_id text PRIMARY KEY REFERENCES users ON DELETE RESTRICT,
    secret text,
    last_step bigint NOT NULL DEFAULT 0,
    confirmed_at timestamptz,
    offered text,
    offered_at timestamptz,
    CHECK ((secret IS NULL) = (confirmed_at IS NULL)),
    CHECK ((offered IS NULL) = (offered_at IS NULL))
);

CREATE TABLE recovery_code (
    user_id text NOT NULL REFERENCES users ON DELETE RESTRICT,
    code_hash bytea NOT NULL CHECK (length(code_hash) = 32),
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (user_id, code_hash)
);

CREATE TABLE passkey (
    id text PRIMARY KEY,
    user_id text NOT NULL REFERENCES users ON DELETE RESTRICT,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    credential_id bytea NOT NULL UNIQUE CHECK (length(credential_id) BETWEEN 1 AND 1023),
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL CHECK (sign_count >= 0),
    transports text[] NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz
);
CREATE INDEX passkey_user ON passkey (user_id, id);

-- What a browser was asked to sign: one of a kind per session, taken once.
CREATE TABLE passkey_challenge (
    session_id text NOT NULL REFERENCES user_session ON DELETE CASCADE,
    ceremony text NOT NULL CHECK (ceremony IN ('create', 'get')),
    challenge bytea NOT NULL CHECK (length(challenge) = 32),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (session_id, ceremony)
);

CREATE OR REPLACE FUNCTION has_second_factor(person text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM totp WHERE user_id = person AND confirmed_at IS NOT NULL)
        OR EXISTS (SELECT 1 FROM passkey WHERE user_id = person)
$$;

-- The session of this token, if it is in force; `fresh`: a proof was given in it within five minutes.
CREATE FUNCTION session_in_force(hash bytea, fresh boolean, now timestamptz) RETURNS user_session
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT s FROM user_session s JOIN users u ON u.id = s.user_id
        WHERE s.token_hash = hash AND s.revoked_at IS NULL AND s.expires_at > now
          AND u.status = 'active' AND u.deleted_at IS NULL
          AND (NOT fresh OR s.stepped_up_at > now - interval '5 minutes')
$$;
-- Sessions from before the first factor were opened without it.
CREATE FUNCTION end_other_sessions(session user_session, now timestamptz) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE user_session SET revoked_at = now
        WHERE user_id = session.user_id AND id <> session.id AND revoked_at IS NULL
$$;
-- Recovery codes stand in for a factor; without one there is nothing to recover.
CREATE FUNCTION drop_idle_codes(person text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM recovery_code WHERE user_id = person AND NOT has_second_factor(person)
$$;

-- A new secret is only offered until a code of it was shown; the one before it stays in force.
CREATE FUNCTION offer_totp(hash bytea, sealed text, now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s user_session := session_in_force(hash, true, now);
BEGIN
    IF s.id IS NULL THEN RETURN false; END IF;
    INSERT INTO totp AS t (user_id, offered, offered_at) VALUES (s.user_id, sealed, now)
        ON CONFLICT (user_id) DO UPDATE SET offered = sealed, offered_at = now;
    RETURN true;
END $$;
CREATE FUNCTION confirm_totp(hash bytea, sealed text, step bigint, now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s user_session := session_in_force(hash, true, now); first boolean;
BEGIN
    IF s.id IS NULL THEN RETURN false; END IF;
    first := NOT has_second_factor(s.user_id);
    UPDATE totp SET secret = offered, confirmed_at = now, last_step = step, offered = NULL, offered_at = NULL
        WHERE user_id = s.user_id AND offered = sealed;
    IF NOT FOUND THEN RETURN false; END IF;
    IF first THEN PERFORM end_other_sessions(s, now); END IF;
    RETURN true;
END $$;
-- A step counts once, and none before it: two requests with one code wait for each other here.
CREATE FUNCTION use_totp(hash bytea, step bigint, now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s user_session := session_in_force(hash, false, now);
BEGIN
    UPDATE totp SET last_step = step
        WHERE user_id = s.user_id AND confirmed_at IS NOT NULL AND last_step < step;
    RETURN FOUND;
END $$;
CREATE FUNCTION drop_totp(hash bytea, now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s user_session := session_in_force(hash, true, now); confirmed boolean;
BEGIN
    DELETE FROM totp WHERE user_id = s.user_id RETURNING confirmed_at IS NOT NULL INTO confirmed;
    PERFORM drop_idle_codes(s.user_id);
    RETURN coalesce(confirmed, false);
END $$;

CREATE FUNCTION write_recovery_codes(hash bytea, hashes bytea[], now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s user_session := session_in_force(hash, true, now);
BEGIN
    IF s.id IS NULL OR NOT has_second_factor(s.user_id) THEN RETURN false; END IF;
    DELETE FROM recovery_code WHERE user_id = s.user_id;
    INSERT INTO recovery_code SELECT s.user_id, h, now, NULL FROM unnest(hashes) h;
    RETURN true;
END $$;
CREATE FUNCTION use_recovery_code(hash bytea, code bytea, now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s user_session := session_in_force(hash, false, now);
BEGIN
    UPDATE recovery_code SET used_at = now
        WHERE user_id = s.user_id AND code_hash = code AND used_at IS NULL;
    RETURN FOUND;
END $$;

CREATE FUNCTION ask_challenge(hash bytea, kind text, bytes bytea, now timestamptz, ends timestamptz)
    RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s user_session := session_in_force(hash, kind = 'create', now);
BEGIN
    IF s.id IS NULL THEN RETURN false; END IF;
    INSERT INTO passkey_challenge AS c VALUES (s.id, kind, bytes, ends)
        ON CONFLICT (session_id, ceremony) DO UPDATE SET challenge = bytes, expires_at = ends;
    RETURN true;
END $$;
CREATE FUNCTION take_challenge(hash bytea, kind text, now timestamptz) RETURNS bytea
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s user_session := session_in_force(hash, false, now); taken passkey_challenge%ROWTYPE;
BEGIN
    DELETE FROM passkey_challenge WHERE session_id = s.id AND ceremony = kind RETURNING * INTO taken;
    RETURN CASE WHEN taken.expires_at > now THEN taken.challenge END;
END $$;

-- False where the credential is known already, whoever has it, or the person has ten.
CREATE FUNCTION add_passkey(hash bytea, passkey_id text, label text, credential bytea, key bytea,
        counter bigint, ways text[], now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s user_session := session_in_force(hash, true, now); first boolean;
BEGIN
    PERFORM 1 FROM users WHERE id = s.user_id FOR UPDATE;
    IF s.id IS NULL OR (SELECT count(*) >= 10 FROM passkey WHERE user_id = s.user_id) THEN RETURN false; END IF;
    first := NOT has_second_factor(s.user_id);
    INSERT INTO passkey VALUES (passkey_id, s.user_id, label, credential, key, counter, ways, now, NULL)
        ON CONFLICT (credential_id) DO NOTHING;
    IF NOT FOUND THEN RETURN false; END IF;
    IF first THEN PERFORM end_other_sessions(s, now); END IF;
    RETURN true;
END $$;
-- The counter moves on, or the key keeps none (WebAuthn 6.1.1).
CREATE FUNCTION use_passkey(hash bytea, credential bytea, counter bigint, now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s user_session := session_in_force(hash, false, now);
BEGIN
    UPDATE passkey SET sign_count = counter, last_used_at = now
        WHERE user_id = s.user_id AND credential_id = credential
          AND (sign_count < counter OR (sign_count = 0 AND counter = 0));
    RETURN FOUND;
END $$;
CREATE FUNCTION drop_passkey(hash bytea, passkey_id text, now timestamptz) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s user_session := session_in_force(hash, true, now); dropped boolean;
BEGIN
    DELETE FROM passkey WHERE id = passkey_id AND user_id = s.user_id;
    dropped := FOUND;
    PERFORM drop_idle_codes(s.user_id);
    RETURN dropped;
END $$;

-- How many proofs of this person were refused in the last hour, whichever session they came from.
CREATE FUNCTION refused_proofs(hash bytea, now timestamptz) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
DECLARE s user_session := session_in_force(hash, false, now);
BEGIN
    RETURN (SELECT count(*) FROM audit_log WHERE subject = s.user_id
        AND action = 'session.proof_refused' AND at > now - interval '1 hour');
END $$;

-- Every factor of somebody who lost them goes; whoever is signed in as that person is out.
CREATE FUNCTION drop_factors(person text, now timestamptz)
    RETURNS TABLE (user_id text, merchant_id text, email text, had boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT u.id, u.merchant_id, u.email, has_second_factor(u.id) FROM users u
        WHERE u.id = person AND u.deleted_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN RETURN; END IF;
    DELETE FROM totp WHERE user_id = person;
    DELETE FROM passkey WHERE user_id = person;
    DELETE FROM recovery_code WHERE user_id = person;
    UPDATE user_session SET revoked_at = now WHERE user_id = person AND revoked_at IS NULL;
END $$;
CREATE FUNCTION reset_factors(hash bytea, person text, now timestamptz)
    RETURNS TABLE (user_id text, merchant_id text, email text, had boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE admin text := acting_admin(hash, now);
BEGIN
    IF admin IS NULL OR admin = person THEN RETURN; END IF;
    RETURN QUERY SELECT * FROM drop_factors(person, now);
END $$;

REVOKE ALL ON totp, recovery_code, passkey, passkey_challenge FROM PUBLIC;
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['totp', 'recovery_code', 'passkey'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY tenant ON %I TO gw_api USING (EXISTS (SELECT 1 FROM users u WHERE u.id = user_id))', t);
    END LOOP;
END $$;
ALTER TABLE passkey_challenge ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON totp, passkey TO gw_api;
GRANT SELECT (user_id, created_at, used_at) ON recovery_code TO gw_api;
GRANT UPDATE (name) ON passkey TO gw_api;
REVOKE ALL ON FUNCTION session_in_force(bytea, boolean, timestamptz), end_other_sessions(user_session, timestamptz),
    drop_idle_codes(text), drop_factors(text, timestamptz) FROM PUBLIC;
DO $$
DECLARE f text;
BEGIN
    FOREACH f IN ARRAY ARRAY['offer_totp(bytea, text, timestamptz)', 'confirm_totp(bytea, text, bigint, timestamptz)',
        'use_totp(bytea, bigint, timestamptz)', 'drop_totp(bytea, timestamptz)',
        'write_recovery_codes(bytea, bytea[], timestamptz)', 'use_recovery_code(bytea, bytea, timestamptz)',
        'ask_challenge(bytea, text, bytea, timestamptz, timestamptz)', 'take_challenge(bytea, text, timestamptz)',
        'add_passkey(bytea, text, text, bytea, bytea, bigint, text[], timestamptz)',
        'use_passkey(bytea, bytea, bigint, timestamptz)', 'drop_passkey(bytea, text, timestamptz)',
        'refused_proofs(bytea, timestamptz)', 'reset_factors(bytea, text, timestamptz)'] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO gw_api', f);
    END LOOP;
END $$;

-- downgrade
DROP FUNCTION refused_proofs(bytea, timestamptz);
DROP FUNCTION reset_factors(bytea, text, timestamptz);
DROP FUNCTION drop_factors(text, timestamptz);
DROP FUNCTION drop_passkey(bytea, text, timestamptz);
DROP FUNCTION use_passkey(bytea, bytea, bigint, timestamptz);
DROP FUNCTION add_passkey(bytea, text, text, bytea, bytea, bigint, text[], timestamptz);
DROP FUNCTION take_challenge(bytea, text, timestamptz);
DROP FUNCTION ask_challenge(bytea, text, bytea, timestamptz, timestamptz);
DROP FUNCTION use_recovery_code(bytea, bytea, timestamptz);
DROP FUNCTION write_recovery_codes(bytea, bytea[], timestamptz);
DROP FUNCTION drop_totp(bytea, timestamptz);
DROP FUNCTION use_totp(bytea, bigint, timestamptz);
DROP FUNCTION confirm_totp(bytea, text, bigint, timestamptz);
DROP FUNCTION offer_totp(bytea, text, timestamptz);
DROP FUNCTION drop_idle_codes(text);
DROP FUNCTION end_other_sessions(user_session, timestamptz);
DROP FUNCTION session_in_force(bytea, boolean, timestamptz);
CREATE OR REPLACE FUNCTION has_second_factor(person text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$ SELECT false $$;
DROP TABLE passkey_challenge, passkey, recovery_code, totp;
