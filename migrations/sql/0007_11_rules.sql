-- Payout rules have their destinations looked at like everybody's: the worker asks, in the name of
-- the rule's merchant, and for nothing but destinations.
CREATE POLICY worker ON question TO gw_worker
    USING (kind = 'destination' AND NOT operator)
    WITH CHECK (kind = 'destination' AND NOT operator AND answer IS NULL);
GRANT SELECT ON question TO gw_worker;
GRANT INSERT (id, asker, kind, network_id, body, operator) ON question TO gw_worker;

-- downgrade
REVOKE INSERT (id, asker, kind, network_id, body, operator) ON question FROM gw_worker;
REVOKE SELECT ON question FROM gw_worker;
DROP POLICY worker ON question;
