-- The end of an invoice's monitoring: its addresses are looked at once more then, however it ended.
CREATE INDEX invoice_monitoring_end ON invoice (monitoring_until);
DROP INDEX invoice_unpaid_end;

-- downgrade
CREATE INDEX invoice_unpaid_end ON invoice (monitoring_until)
    WHERE status IN ('expired', 'canceled', 'invalid');
DROP INDEX invoice_monitoring_end;
