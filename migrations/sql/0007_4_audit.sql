-- The audit log as its tenant reads it, newest first.
CREATE INDEX audit_log_list ON audit_log (merchant_id, at);

-- downgrade
DROP INDEX audit_log_list;
