-- How many requests each key has made in its minute. Not logged: after a crash everybody begins anew.
CREATE UNLOGGED TABLE rate_window (
    key_id text PRIMARY KEY,
    began timestamptz NOT NULL,
    used integer NOT NULL
);
REVOKE ALL ON rate_window FROM PUBLIC;

-- As in 0001, and in the same round trip: what this key has used, and when its minute ends.
-- Without a quota nothing is counted.
CREATE FUNCTION authenticate_key(hash bytea, now timestamptz, quota integer)
    RETURNS TABLE (id text, merchant_id text, scopes text[], livemode boolean, allowed_ips text[],
                   used integer, resets_in integer)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE k record; w rate_window%ROWTYPE;
BEGIN
    SELECT a.* INTO k FROM authenticate_key(hash, now) a;
    IF k.id IS NULL THEN RETURN; END IF;
    IF quota > 0 THEN
        INSERT INTO rate_window AS r VALUES (k.id, now, 1)
            ON CONFLICT (key_id) DO UPDATE SET
                began = CASE WHEN r.began <= now - interval '60 s' THEN now ELSE r.began END,
                used = CASE WHEN r.began <= now - interval '60 s' THEN 1 ELSE least(r.used, quota) + 1 END
            RETURNING * INTO w;
    END IF;
    RETURN QUERY SELECT k.id, k.merchant_id, k.scopes, k.livemode, k.allowed_ips, coalesce(w.used, 0),
        coalesce(ceil(extract(epoch FROM w.began + interval '60 s' - now))::integer, 0);
END $$;
REVOKE ALL ON FUNCTION authenticate_key(bytea, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION authenticate_key(bytea, timestamptz, integer) TO gw_api;

-- downgrade
DROP FUNCTION authenticate_key(bytea, timestamptz, integer);
DROP TABLE rate_window;
