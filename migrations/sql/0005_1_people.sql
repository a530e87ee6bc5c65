-- People, keys and what they leave behind: an end stays an end, an admin takes back what the house's
-- own offered to merchants, and what is over for good is forgotten.

-- A key, session or invitation that was revoked is never in force again, whoever writes.
CREATE FUNCTION stay_revoked() RETURNS trigger
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN
        RAISE EXCEPTION '% % was revoked for good', TG_TABLE_NAME, OLD.id USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION stay_revoked() FROM PUBLIC;
CREATE TRIGGER revoked_for_good BEFORE UPDATE OF revoked_at ON api_key FOR EACH ROW EXECUTE FUNCTION stay_revoked();
CREATE TRIGGER revoked_for_good BEFORE UPDATE OF revoked_at ON user_session FOR EACH ROW EXECUTE FUNCTION stay_revoked();
CREATE TRIGGER revoked_for_good BEFORE UPDATE OF revoked_at ON invitation FOR EACH ROW EXECUTE FUNCTION stay_revoked();
ALTER TABLE api_key ENABLE ALWAYS TRIGGER revoked_for_good;
ALTER TABLE user_session ENABLE ALWAYS TRIGGER revoked_for_good;
ALTER TABLE invitation ENABLE ALWAYS TRIGGER revoked_for_good;
-- Tokens are spent by the functions that count them; nobody else has business with that.
REVOKE UPDATE (used_at) ON one_time_token FROM gw_api;

-- What an operator offered to a merchant's team ends with the operator.
CREATE POLICY offered_by_the_house ON invitation TO gw_api
    USING ((SELECT is_admin()) AND EXISTS (SELECT 1 FROM users u WHERE u.id = invited_by AND u.merchant_id IS NULL));

-- What is over for good, so many rows of each kind at a time; true where there is more. Accepted
-- invitations stay with the person that they became.
CREATE FUNCTION forget_spent(now timestamptz, batch integer) RETURNS boolean
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
REVOKE ALL ON FUNCTION forget_spent(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_spent(timestamptz, integer) TO gw_worker;
CREATE INDEX user_session_over ON user_session (expires_at);
CREATE INDEX one_time_token_over ON one_time_token (expires_at);
CREATE INDEX invitation_over ON invitation (expires_at) WHERE accepted_at IS NULL;
-- The round that sums up asks every minute for the last day.
CREATE INDEX usage_day_day ON usage_day (day);
-- The queues of messages: one for each mailbox or target, by who writes there.
CREATE INDEX notification_queue ON notification ((CASE WHEN recipient LIKE '%@%' THEN 'mail' ELSE 'target' END),
    lower(recipient), coalesce(merchant_id, ''), secret, next_attempt_at) WHERE status IN ('scheduled', 'retrying');
DROP INDEX notification_due;

-- downgrade
CREATE INDEX notification_due ON notification (next_attempt_at) WHERE status IN ('scheduled', 'retrying');
DROP INDEX notification_queue;
DROP INDEX user_session_over, one_time_token_over, invitation_over, usage_day_day;
DROP FUNCTION forget_spent(timestamptz, integer);
DROP POLICY offered_by_the_house ON invitation;
GRANT UPDATE (used_at) ON one_time_token TO gw_api;
DROP TRIGGER revoked_for_good ON invitation;
DROP TRIGGER revoked_for_good ON user_session;
DROP TRIGGER revoked_for_good ON api_key;
DROP FUNCTION stay_revoked();
