-- What merchants may ask for: quotes, batches, address book, automatic withdrawals, refunds.

-- downgrade
