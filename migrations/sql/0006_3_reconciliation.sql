-- Invoices by expiry: the reconciler looks for those that were over lately, not through all of them.
CREATE INDEX invoice_expiring ON invoice (expires_at);

-- downgrade
DROP INDEX invoice_expiring;
