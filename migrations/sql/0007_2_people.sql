-- A session that is used where the merchant's people may not be spends nothing of the person's.

-- As in 0004; a request from an address that the merchant does not allow is found, and refused by name,
-- but neither counts against the person nor keeps the session alive: a thief elsewhere stops nobody.
DROP FUNCTION authenticate_session(bytea, timestamptz, interval, integer);
CREATE FUNCTION authenticate_session(hash bytea, now timestamptz, idle interval, ceiling integer, source text)
    RETURNS TABLE (id text, user_id text, merchant_id text, role text, team_role text, livemode boolean,
                   factor_pending boolean, stepped_up_at timestamptz, suspended boolean,
                   merchant_ips text[], quota integer, used integer, resets_in integer)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE s record; w rate_window%ROWTYPE; astray boolean; allowed integer;
BEGIN
    SELECT t.*, u.role AS person_role, u.team_role AS person_team_role, m.status AS merchant_status,
            o.allowed_ips INTO s FROM user_session t
        JOIN users u ON u.id = t.user_id LEFT JOIN merchant m ON m.id = u.merchant_id
            LEFT JOIN merchant_settings o ON o.merchant_id = m.id
        WHERE t.token_hash = hash AND t.revoked_at IS NULL AND t.expires_at > now
          AND t.last_active_at > now - idle AND u.status = 'active' AND u.deleted_at IS NULL
          AND m.deleted_at IS NULL;
    IF NOT FOUND THEN RETURN; END IF;
    astray := NOT is_within(source, s.allowed_ips);
    allowed := CASE WHEN astray THEN 0 ELSE ceiling END;
    IF NOT astray AND s.last_active_at < now - interval '1 minute' THEN
        UPDATE user_session t SET last_active_at = now WHERE t.id = s.id AND t.last_active_at < now;
        UPDATE users u SET last_active_at = now WHERE u.id = s.user_id;
    END IF;
    IF allowed > 0 THEN
        INSERT INTO rate_window AS r VALUES (s.user_id, now, 1)
            ON CONFLICT (key_id) DO UPDATE SET
                began = CASE WHEN r.began <= now - interval '60 s' THEN now ELSE r.began END,
                used = CASE WHEN r.began <= now - interval '60 s' THEN 1 ELSE least(r.used, allowed) + 1 END
            RETURNING * INTO w;
    END IF;
    RETURN QUERY SELECT s.id, s.user_id, s.merchant_id, s.person_role, s.person_team_role, s.livemode,
        s.factor_needed AND s.second_factor_at IS NULL, s.stepped_up_at,
        coalesce(s.merchant_status = 'suspended', false), coalesce(s.allowed_ips, '{}'::text[]), allowed, coalesce(w.used, 0),
        coalesce(ceil(extract(epoch FROM w.began + interval '60 s' - now))::integer, 0);
END $$;
REVOKE ALL ON FUNCTION authenticate_session(bytea, timestamptz, interval, integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate_session(bytea, timestamptz, interval, integer, text) TO gw_api;

-- downgrade
DROP FUNCTION authenticate_session(bytea, timestamptz, interval, integer, text);
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
REVOKE ALL ON FUNCTION authenticate_session(bytea, timestamptz, interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate_session(bytea, timestamptz, interval, integer) TO gw_api;
