-- The audit log in a chain of hashes: each link covers a row and the link before it, so a row that
-- is changed, dropped or put in later shows. Links are made a moment after the rows were committed,
-- by one transaction at a time: nobody who writes the log waits for anybody.
CREATE TABLE audit_link (
    place bigint PRIMARY KEY CHECK (place > 0),
    audit_id bigint NOT NULL UNIQUE REFERENCES audit_log ON DELETE RESTRICT,
    hash bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE TABLE audit_pending (audit_id bigint PRIMARY KEY);
INSERT INTO audit_pending SELECT id FROM audit_log;

CREATE FUNCTION await_link() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO audit_pending VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER audit_log_link AFTER INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION await_link();
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_link;

-- What a link covers of a row; jsonb has one spelling, and so has the time.
CREATE FUNCTION audit_text(r audit_log) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_array(r.id, r.merchant_id, r.actor, r.action, r.subject, r.before, r.after,
        r.address, r.endpoint, r.request_id,
        to_char(r.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text
$$;

CREATE FUNCTION link_audit(batch integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE r audit_log%ROWTYPE; last audit_link%ROWTYPE; links integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('audit_link'));
    SELECT * INTO last FROM audit_link ORDER BY place DESC LIMIT 1;
    FOR r IN SELECT a.* FROM audit_pending p JOIN audit_log a ON a.id = p.audit_id
        ORDER BY p.audit_id LIMIT batch
    LOOP
        last.place := coalesce(last.place, 0) + 1;
        last.hash := sha256(coalesce(last.hash, ''::bytea) || convert_to(audit_text(r), 'UTF8'));
        INSERT INTO audit_link VALUES (last.place, r.id, last.hash);
        DELETE FROM audit_pending WHERE audit_id = r.id;
        links := links + 1;
    END LOOP;
    RETURN links;
END $$;

CREATE TRIGGER audit_link_append_only BEFORE UPDATE OR DELETE ON audit_link
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_link_no_truncate BEFORE TRUNCATE ON audit_link
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_link ENABLE ALWAYS TRIGGER audit_link_append_only;
ALTER TABLE audit_link ENABLE ALWAYS TRIGGER audit_link_no_truncate;
REVOKE ALL ON audit_link, audit_pending FROM PUBLIC;
REVOKE ALL ON FUNCTION await_link(), audit_text(audit_log), link_audit(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION link_audit(integer) TO gw_worker;
GRANT SELECT ON audit_link TO gw_worker;

-- downgrade
DROP TRIGGER audit_log_link ON audit_log;
DROP FUNCTION link_audit(integer);
DROP FUNCTION audit_text(audit_log);
DROP FUNCTION await_link();
DROP TABLE audit_pending;
DROP TABLE audit_link;
