-- Deposits become final by the hundred: what they leave to be swept is noted once for each statement,
-- where the trigger of 0002 looked up and wrote each by itself.

DROP TRIGGER deposit_unswept ON deposit;
CREATE OR REPLACE FUNCTION note_unswept() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO unswept (network_id, currency_id, address, pool_index, units, since)
        SELECT now.network_id, now.currency_id, now.address, p.index, sum(now.units),
            min(now.confirmed_at)
        FROM before JOIN now USING (id)
        JOIN address_pool p ON p.network_id = now.network_id AND p.address = now.address
        WHERE now.status = 'confirmed' AND before.status <> 'confirmed'
        GROUP BY now.network_id, now.currency_id, now.address, p.index
        ORDER BY now.currency_id, now.address
        ON CONFLICT (currency_id, address)
        DO UPDATE SET units = unswept.units + excluded.units, looked_at = NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER deposit_unswept AFTER UPDATE ON deposit REFERENCING OLD TABLE AS before NEW TABLE AS now
    FOR EACH STATEMENT EXECUTE FUNCTION note_unswept();
ALTER TABLE deposit ENABLE ALWAYS TRIGGER deposit_unswept;

-- downgrade

DROP TRIGGER deposit_unswept ON deposit;
CREATE OR REPLACE FUNCTION note_unswept() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO unswept (network_id, currency_id, address, pool_index, units, since)
        SELECT NEW.network_id, NEW.currency_id, NEW.address, p.index, NEW.units, NEW.confirmed_at
        FROM address_pool p WHERE p.network_id = NEW.network_id AND p.address = NEW.address
        ON CONFLICT (currency_id, address)
        DO UPDATE SET units = unswept.units + excluded.units, looked_at = NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER deposit_unswept AFTER UPDATE OF status ON deposit FOR EACH ROW
    WHEN (NEW.status = 'confirmed' AND OLD.status <> 'confirmed') EXECUTE FUNCTION note_unswept();
ALTER TABLE deposit ENABLE ALWAYS TRIGGER deposit_unswept;
