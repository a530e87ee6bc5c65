-- invoices

-- downgrade
-- invoices
