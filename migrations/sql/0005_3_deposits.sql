-- A flood of small deposits to one address costs each further one no more than the first: the few
-- rows that are read of a place stand in an index of their own, the largest first.
CREATE INDEX deposit_small ON deposit (network_id, address, currency_id, units DESC)
    WHERE reason = 'below_minimum';
CREATE INDEX deposit_owned ON deposit (network_id, address, currency_id, units DESC)
    WHERE purpose IN ('invoice', 'customer');

-- A small deposit keeps its mark until it is credited, its owner's too.
UPDATE deposit d SET reason = 'below_minimum'
FROM currency c
WHERE c.id = d.currency_id AND d.units < c.minimum_deposit_units AND d.reason IS NULL
    AND d.purpose IN ('invoice', 'customer')
    AND (d.status = 'pending' OR d.status = 'confirmed'
        AND EXISTS (SELECT 1 FROM journal j WHERE j.kind = 'deposit' AND j.merchant_id IS NULL
            AND j.ref = concat_ws(':', d.network_id, d.tx_hash, d.kind, d.ordinal))
        AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.kind = 'assign'
            AND j.ref = concat_ws(':', d.network_id, d.tx_hash, d.kind, d.ordinal)));

-- downgrade
UPDATE deposit SET reason = NULL WHERE reason = 'below_minimum' AND purpose IN ('invoice', 'customer');
DROP INDEX deposit_small, deposit_owned;
