-- An event's number is one more than the last of its subject: at the end of one index. By old statistics,
-- or by none, a plan read the whole table for it, or all that the merchant has, and a prepared statement
-- keeps such a plan. The caller sees its own rows, as before.
CREATE FUNCTION next_sequence(wanted text) RETURNS integer
    LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN 1 + coalesce((SELECT max(sequence) FROM event WHERE subject = wanted), 0);
END $$;

-- downgrade
DROP FUNCTION next_sequence(text);
