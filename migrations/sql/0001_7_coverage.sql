-- Coverage: every height that was read, by which provider and when, is a row of `block`.
GRANT UPDATE (provider, scanned_at) ON block TO gw_watcher;
-- In another block the same transaction may have paid another address, in another asset.
GRANT UPDATE (currency_id, sender, address) ON deposit TO gw_watcher;

-- What lies between the first block and the cursor and was not read. Each block must build on the
-- one before: on chains with a block at every height that is the same as having every height, and
-- where slots may be empty it is the only proof.
CREATE FUNCTION coverage_gaps(wanted_network text)
    RETURNS TABLE (first_height bigint, last_height bigint)
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT height + 1, greatest(coalesce(next_height - 1, cursor_height), height + 1)
    FROM (
        SELECT b.height, b.hash, c.height AS cursor_height,
               lead(b.height) OVER link AS next_height, lead(b.parent_hash) OVER link AS next_parent
        FROM block b JOIN cursor c USING (network_id)
        WHERE b.network_id = wanted_network AND NOT b.orphaned
        WINDOW link AS (ORDER BY b.height)
    ) AS blocks
    WHERE CASE WHEN next_height IS NULL THEN height < cursor_height ELSE next_parent <> hash END
    ORDER BY height
$$;
REVOKE ALL ON FUNCTION coverage_gaps(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coverage_gaps(text) TO gw_watcher;
