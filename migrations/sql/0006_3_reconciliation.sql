-- Invoices by expiry: the reconciler looks for those that were over lately, not through all of them.
CREATE INDEX invoice_expiring ON invoice (expires_at);
CREATE INDEX invoice_unpaid_end ON invoice (monitoring_until)
    WHERE status IN ('expired', 'canceled', 'invalid');

-- downgrade
DROP INDEX invoice_unpaid_end;
DROP INDEX invoice_expiring;
