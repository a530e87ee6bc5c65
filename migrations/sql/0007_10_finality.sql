-- After how many confirmations a payment is final, for merchants and payers to read; NULL where the
-- chain alone says when. Written from the configuration with the rest of the catalogue.
ALTER TABLE network ADD COLUMN final_confirmations integer CHECK (final_confirmations > 0);

-- downgrade
ALTER TABLE network DROP COLUMN final_confirmations;
