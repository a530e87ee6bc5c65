-- Gaps between two heights, without a walk along every block that was ever read. As in 0001; it
-- begins with the highest block up to the first height, and ends with the lowest above the last.
DROP FUNCTION coverage_gaps(text);
CREATE FUNCTION coverage_gaps(wanted_network text, wanted_first bigint, wanted_last bigint)
    RETURNS TABLE (first_height bigint, last_height bigint)
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT greatest(gap_first, wanted_first), least(gap_last, wanted_last) FROM (
        SELECT height + 1 AS gap_first,
               greatest(coalesce(next_height - 1, cursor_height), height + 1) AS gap_last
        FROM (
            SELECT b.height, b.hash, c.height AS cursor_height,
                   lead(b.height) OVER link AS next_height, lead(b.parent_hash) OVER link AS next_parent
            FROM block b JOIN cursor c USING (network_id)
            WHERE b.network_id = wanted_network AND NOT b.orphaned
                AND b.height >= coalesce((SELECT max(height) FROM block WHERE network_id = wanted_network
                    AND NOT orphaned AND height < wanted_first), wanted_first)
                AND b.height <= coalesce((SELECT min(height) FROM block WHERE network_id = wanted_network
                    AND NOT orphaned AND height > wanted_last), wanted_last)
            WINDOW link AS (ORDER BY b.height)
        ) AS blocks
        WHERE CASE WHEN next_height IS NULL THEN height < cursor_height ELSE next_parent <> hash END
    ) AS gaps
    WHERE gap_first <= wanted_last AND gap_last >= wanted_first
    ORDER BY gap_first
$$;
REVOKE ALL ON FUNCTION coverage_gaps(text, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION coverage_gaps(text, bigint, bigint) TO gw_watcher;

-- downgrade
DROP FUNCTION coverage_gaps(text, bigint, bigint);
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
