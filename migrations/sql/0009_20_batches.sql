-- A merchant's batches are listed: their order is that of the ids.
CREATE INDEX withdrawal_batch_merchant ON withdrawal_batch (merchant_id, id DESC);

-- downgrade

DROP INDEX withdrawal_batch_merchant;
