-- The watcher credits hundreds of deposits at a time, most of them into the same few wallets. Row by
-- row each entry writes its wallet anew, and has to find it behind all that were written before it in
-- this transaction. Here every wallet is locked, read and written once.

-- No entry leaves an account without cover, also where the wallet is written behind the last of many.
ALTER TABLE balance_history ADD CONSTRAINT balance_history_covered
    CHECK (account IN ('custody', 'expense', 'suspense') OR confirmed_after >= 0);

-- An entry that `post_run` has filled stands as it is. The runtime roles cannot give a hash, and one
-- that comes with a statement of its own is computed anew.
DROP TRIGGER balance_history_post ON balance_history;
CREATE TRIGGER balance_history_post BEFORE INSERT ON balance_history FOR EACH ROW
    WHEN (NEW.hash IS NULL OR pg_trigger_depth() = 0) EXECUTE FUNCTION post_balance();
ALTER TABLE balance_history ENABLE ALWAYS TRIGGER balance_history_post;

-- The hash of each entry of a wallet, from the one before it; `head` is where the wallet stood.
CREATE FUNCTION chained(before bytea, head bytea, entry text) RETURNS bytea
    LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(coalesce(before, head, '\x00'::bytea) || convert_to(entry, 'UTF8'))
$$;
CREATE AGGREGATE hash_chain(head bytea, entry text) (SFUNC = chained, STYPE = bytea);

-- One row that is inserted here is a run of entries, in the order in which wallets are locked.
CREATE VIEW posting_run AS SELECT NULL::jsonb AS entries, NULL::timestamptz AS at WHERE false;
CREATE FUNCTION post_run() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE present bigint; named bigint;
BEGIN
    PERFORM FROM wallet w JOIN (SELECT account, currency, min(place) AS place
            FROM jsonb_to_recordset(NEW.entries) AS e (place bigint, account text, currency text)
            GROUP BY account, currency) AS n ON w.account = n.account AND w.currency_id = n.currency
        ORDER BY n.place FOR UPDATE OF w;
    GET DIAGNOSTICS present = ROW_COUNT;
    SELECT count(DISTINCT (account, currency)) INTO named
        FROM jsonb_to_recordset(NEW.entries) AS e (account text, currency text);
    IF present < named THEN
        -- A wallet is new: row by row, which makes it.
        INSERT INTO balance_history (journal_id, account, currency_id, change_type, delta_confirmed,
                delta_locked, at)
            SELECT journal, account, currency, type, confirmed, locked, NEW.at
            FROM jsonb_to_recordset(NEW.entries) AS e (place bigint, journal bigint, account text,
                currency text, type text, confirmed numeric, locked numeric)
            ORDER BY place;
        RETURN NEW;
    END IF;
    WITH entry AS (
        SELECT e.*, w.id, w.merchant_id, w.head_hash,
            w.version + row_number() OVER wallet AS version,
            w.confirmed + sum(e.confirmed) OVER wallet AS confirmed_after,
            w.locked + sum(e.locked) OVER wallet AS locked_after
        FROM jsonb_to_recordset(NEW.entries) AS e (place bigint, journal bigint, account text,
            currency text, type text, confirmed numeric, locked numeric)
        JOIN wallet w ON w.account = e.account AND w.currency_id = e.currency
        WINDOW wallet AS (PARTITION BY w.id ORDER BY e.place ROWS UNBOUNDED PRECEDING)
    ), hashed AS (
        SELECT *, hash_chain(head_hash, concat_ws('|', id, version, journal, currency, type,
            confirmed, locked, confirmed_after, locked_after)) OVER wallet AS hash
        FROM entry WINDOW wallet AS (PARTITION BY id ORDER BY place ROWS UNBOUNDED PRECEDING)
    ), posted AS (
        INSERT INTO balance_history (wallet_id, version, journal_id, account, merchant_id, currency_id,
                change_type, delta_confirmed, delta_locked, confirmed_before, confirmed_after,
                locked_before, locked_after, previous_hash, hash, at)
            SELECT id, version, journal, account, merchant_id, currency, type, confirmed, locked,
                confirmed_after - confirmed, confirmed_after, locked_after - locked, locked_after,
                lag(hash, 1, head_hash) OVER (PARTITION BY id ORDER BY place), hash, NEW.at
            FROM hashed ORDER BY place
            RETURNING wallet_id, version, confirmed_after, locked_after, hash
    )
    UPDATE wallet w SET confirmed = p.confirmed_after, locked = p.locked_after, version = p.version,
            head_hash = p.hash
        FROM (SELECT DISTINCT ON (wallet_id) * FROM posted ORDER BY wallet_id, version DESC) AS p
        WHERE w.id = p.wallet_id;
    RETURN NEW;
END $$;
-- A trigger, because a wallet changes only beneath one (`guard_wallet`).
CREATE TRIGGER posting_run_post INSTEAD OF INSERT ON posting_run
    FOR EACH ROW EXECUTE FUNCTION post_run();
REVOKE ALL ON FUNCTION chained(bytea, bytea, text), hash_chain(bytea, text), post_run() FROM PUBLIC;
GRANT INSERT ON posting_run TO gw_watcher;

-- downgrade
DROP VIEW posting_run;
DROP FUNCTION post_run();
DROP AGGREGATE hash_chain(bytea, text);
DROP FUNCTION chained(bytea, bytea, text);
DROP TRIGGER balance_history_post ON balance_history;
CREATE TRIGGER balance_history_post BEFORE INSERT ON balance_history
    FOR EACH ROW EXECUTE FUNCTION post_balance();
ALTER TABLE balance_history ENABLE ALWAYS TRIGGER balance_history_post;
ALTER TABLE balance_history DROP CONSTRAINT balance_history_covered;
