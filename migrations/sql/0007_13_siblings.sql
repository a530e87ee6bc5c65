-- One keystore makes the same addresses on every network of a family. They go together: whoever is
-- given one has it on every network of its mode (on the other mode it is nobody's for good), so that a
-- payer who picked the wrong network pays nobody else. An address is free while it is free everywhere.
-- Who was given one before this came keeps it.

-- Give free addresses that are somebody's elsewhere to that owner. They leave the queue; those whose
-- owners differ, or whose customer has another address there, become nobody's.
CREATE FUNCTION follow_siblings(wanted bigint[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE ready text[];
BEGIN
    -- A customer is given one address per network: who is being given one now is not waited for.
    SELECT array_agg(c.id) INTO ready FROM (
        SELECT id FROM customer WHERE id IN (
            SELECT s.customer_id FROM address_pool p
            JOIN network n ON n.id = p.network_id
            JOIN network o ON o.family = n.family AND o.id <> n.id AND o.test = n.test
            JOIN address_pool s ON s.network_id = o.id AND s.address = p.address
            WHERE p.id = ANY (wanted) AND p.status = 'AVAILABLE' AND s.customer_id IS NOT NULL)
        FOR NO KEY UPDATE SKIP LOCKED) AS c;
    WITH taken AS (
        SELECT p.id, p.network_id,
            max(s.merchant_id) FILTER (WHERE o.test = n.test) AS merchant_id,
            max(s.invoice_id) FILTER (WHERE o.test = n.test) AS invoice_id,
            max(s.customer_id) FILTER (WHERE o.test = n.test) AS customer_id,
            max(s.assigned_at) FILTER (WHERE o.test = n.test) AS assigned_at,
            count(DISTINCT coalesce(s.invoice_id, s.customer_id)) FILTER (WHERE o.test = n.test) AS owners
        FROM address_pool p
        JOIN network n ON n.id = p.network_id
        JOIN network o ON o.family = n.family AND o.id <> n.id
        JOIN address_pool s ON s.network_id = o.id AND s.address = p.address
        WHERE p.id = ANY (wanted) AND p.status = 'AVAILABLE' AND NOT EXISTS (
            SELECT 1 FROM free_address f WHERE f.network_id = s.network_id AND f.address_id = s.id)
        GROUP BY p.id
    ), gone AS (
        DELETE FROM free_address f USING taken t
        WHERE f.network_id = t.network_id AND f.address_id = t.id
    ), heir AS (
        SELECT t.*, row_number() OVER (PARTITION BY t.customer_id, t.network_id ORDER BY t.id) AS place
        FROM taken t WHERE t.owners = 1
    )
    UPDATE address_pool p SET status = 'ASSIGNED', merchant_id = h.merchant_id, invoice_id = h.invoice_id,
        customer_id = h.customer_id, assigned_at = h.assigned_at
    FROM heir h
    WHERE p.id = h.id AND p.status = 'AVAILABLE' AND (h.customer_id IS NULL
        OR h.place = 1 AND h.customer_id = ANY (ready) AND NOT EXISTS (SELECT 1 FROM address_pool c
            WHERE c.customer_id = h.customer_id AND c.network_id = h.network_id));
END $$;

-- Take the next address that is free on every network that shares it off all their queues: its rows on
-- the networks of the wanted one's mode, none where the pool is empty. Nothing is waited for: what
-- another claim has in its hands is passed by, and whoever took all rows of an address has it.
CREATE FUNCTION take_shared_address(wanted_network text) RETURNS bigint[]
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE head record; seen bigint := 0; networks text[]; alike text[]; kin bigint[]; given bigint[]; whole boolean;
BEGIN
    SELECT array_agg(o.id), array_agg(o.id) FILTER (WHERE o.test = n.test) INTO networks, alike
        FROM network n JOIN network o ON o.family = n.family WHERE n.id = wanted_network;
    LOOP
        -- Not a join: the planner would read the pool from its first row on.
        SELECT q.address_id AS id, (SELECT p.address FROM address_pool p WHERE p.id = q.address_id) AS address
            INTO head FROM free_address q WHERE q.network_id = wanted_network AND q.address_id > seen
            ORDER BY q.address_id LIMIT 1;
        IF NOT FOUND THEN RETURN NULL; END IF;
        seen := head.id;
        CONTINUE WHEN NOT pg_try_advisory_xact_lock(hashtextextended('address ' || head.address, 0));
        WITH found AS (
            SELECT p.id, p.network_id FROM address_pool p
            WHERE p.network_id = ANY (networks) AND p.address = head.address
        ), gone AS (
            DELETE FROM free_address f USING found p
            WHERE f.network_id = p.network_id AND f.address_id = p.id RETURNING 1
        )
        SELECT array_agg(p.id), array_agg(p.id) FILTER (WHERE p.network_id = ANY (alike)),
                count(*) = (SELECT count(*) FROM gone)
            INTO kin, given, whole FROM found p;
        IF whole THEN RETURN given; END IF;
        PERFORM follow_siblings(kin);
    END LOOP;
END $$;

-- As before where a network shares its addresses with none.
CREATE OR REPLACE FUNCTION claim_address(wanted_network text, wanted_invoice text, now timestamptz)
    RETURNS TABLE (address text, index integer, path text, signature bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE claimed bigint; kin bigint[];
BEGIN
    IF NOT EXISTS (SELECT 1 FROM network o WHERE o.id <> wanted_network
            AND o.family = (SELECT n.family FROM network n WHERE n.id = wanted_network)) THEN
        DELETE FROM free_address f WHERE (f.network_id, f.address_id) = (
            SELECT q.network_id, q.address_id FROM free_address q WHERE q.network_id = wanted_network
            ORDER BY q.address_id LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING f.address_id INTO claimed;
        IF NOT FOUND THEN RETURN; END IF;
        RETURN QUERY UPDATE address_pool p
            SET status = 'ASSIGNED', invoice_id = wanted_invoice, merchant_id = current_merchant(), assigned_at = now
            WHERE p.id = claimed AND current_merchant() IS NOT NULL
            RETURNING p.address, p.index, p.path, p.signature;
        RETURN;
    END IF;
    RETURN QUERY SELECT p.address, p.index, p.path, p.signature FROM address_pool p
        WHERE p.invoice_id = wanted_invoice AND p.network_id = wanted_network
            AND p.merchant_id = current_merchant();
    IF FOUND THEN RETURN; END IF;
    kin := take_shared_address(wanted_network);
    RETURN QUERY WITH given AS (UPDATE address_pool p
        SET status = 'ASSIGNED', invoice_id = wanted_invoice, merchant_id = current_merchant(), assigned_at = now
        WHERE p.id = ANY (kin) AND current_merchant() IS NOT NULL
        RETURNING p.*)
        SELECT g.address, g.index, g.path, g.signature FROM given g WHERE g.network_id = wanted_network;
END $$;

CREATE OR REPLACE FUNCTION claim_customer_address(wanted_network text, wanted_customer text, now timestamptz)
    RETURNS TABLE (address text, index integer, path text, signature bytea, fresh boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE kin bigint[];
BEGIN
    PERFORM 1 FROM customer c JOIN network n ON n.id = wanted_network AND n.test <> c.livemode
        WHERE c.id = wanted_customer AND c.merchant_id = current_merchant() AND c.deleted_at IS NULL
        FOR NO KEY UPDATE OF c;
    IF NOT FOUND THEN RETURN; END IF;
    RETURN QUERY SELECT p.address, p.index, p.path, p.signature, false FROM address_pool p
        WHERE p.customer_id = wanted_customer AND p.network_id = wanted_network;
    IF FOUND THEN RETURN; END IF;
    IF NOT EXISTS (SELECT 1 FROM network o WHERE o.id <> wanted_network
            AND o.family = (SELECT n.family FROM network n WHERE n.id = wanted_network)) THEN
        DELETE FROM free_address f WHERE (f.network_id, f.address_id) = (
            SELECT q.network_id, q.address_id FROM free_address q WHERE q.network_id = wanted_network
            ORDER BY q.address_id LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING ARRAY[f.address_id] INTO kin;
    ELSE
        kin := take_shared_address(wanted_network);
    END IF;
    RETURN QUERY WITH given AS (UPDATE address_pool p
        SET status = 'ASSIGNED', customer_id = wanted_customer, merchant_id = current_merchant(), assigned_at = now
        WHERE p.id = ANY (kin) AND NOT EXISTS (SELECT 1 FROM address_pool o
            WHERE o.customer_id = wanted_customer AND o.network_id = p.network_id)
        RETURNING p.*)
        SELECT g.address, g.index, g.path, g.signature, true FROM given g WHERE g.network_id = wanted_network;
END $$;

-- Whether paying this address would pay ourselves, on this network or on another that has the same
-- addresses: any tenant's pool address, or a wallet of the house.
CREATE OR REPLACE FUNCTION is_own_address(wanted_network text, wanted text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    WITH shared AS (
        SELECT o.id FROM network n JOIN network o ON o.family = n.family WHERE n.id = wanted_network
    )
    SELECT EXISTS (SELECT 1 FROM shared s JOIN address_pool p ON p.network_id = s.id AND p.address = wanted)
        OR EXISTS (SELECT 1 FROM shared s JOIN application_wallet w ON w.network_id = s.id AND w.address = wanted)
$$;

REVOKE ALL ON FUNCTION follow_siblings(bigint[]), take_shared_address(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION follow_siblings(bigint[]) TO gw_watcher;

-- What is free here and somebody's elsewhere is theirs from now on.
LOCK TABLE free_address IN EXCLUSIVE MODE;
SELECT follow_siblings(ARRAY(SELECT id FROM address_pool WHERE status = 'AVAILABLE'));
SET CONSTRAINTS ALL IMMEDIATE;

-- downgrade
DROP FUNCTION follow_siblings(bigint[]);
DROP FUNCTION take_shared_address(text);
CREATE OR REPLACE FUNCTION claim_address(wanted_network text, wanted_invoice text, now timestamptz)
    RETURNS TABLE (address text, index integer, path text, signature bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE claimed bigint;
BEGIN
    DELETE FROM free_address f WHERE (f.network_id, f.address_id) = (
        SELECT q.network_id, q.address_id FROM free_address q WHERE q.network_id = wanted_network
        ORDER BY q.address_id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING f.address_id INTO claimed;
    IF NOT FOUND THEN RETURN; END IF;
    RETURN QUERY UPDATE address_pool p
        SET status = 'ASSIGNED', invoice_id = wanted_invoice, merchant_id = current_merchant(), assigned_at = now
        WHERE p.id = claimed AND current_merchant() IS NOT NULL
        RETURNING p.address, p.index, p.path, p.signature;
END $$;
CREATE OR REPLACE FUNCTION claim_customer_address(wanted_network text, wanted_customer text, now timestamptz)
    RETURNS TABLE (address text, index integer, path text, signature bytea, fresh boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE claimed bigint;
BEGIN
    PERFORM 1 FROM customer c JOIN network n ON n.id = wanted_network AND n.test <> c.livemode
        WHERE c.id = wanted_customer AND c.merchant_id = current_merchant() AND c.deleted_at IS NULL
        FOR NO KEY UPDATE OF c;
    IF NOT FOUND THEN RETURN; END IF;
    RETURN QUERY SELECT p.address, p.index, p.path, p.signature, false FROM address_pool p
        WHERE p.customer_id = wanted_customer AND p.network_id = wanted_network;
    IF FOUND THEN RETURN; END IF;
    DELETE FROM free_address f WHERE (f.network_id, f.address_id) = (
        SELECT q.network_id, q.address_id FROM free_address q WHERE q.network_id = wanted_network
        ORDER BY q.address_id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING f.address_id INTO claimed;
    RETURN QUERY UPDATE address_pool p
        SET status = 'ASSIGNED', customer_id = wanted_customer, merchant_id = current_merchant(), assigned_at = now
        WHERE p.id = claimed
        RETURNING p.address, p.index, p.path, p.signature, true;
END $$;
CREATE OR REPLACE FUNCTION is_own_address(wanted_network text, wanted text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT 1 FROM address_pool WHERE network_id = wanted_network AND address = wanted)
        OR EXISTS (SELECT 1 FROM application_wallet WHERE network_id = wanted_network AND address = wanted)
$$;
