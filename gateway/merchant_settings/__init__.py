"""What a merchant wants: notices, defaults of invoices, looks, safety, taxes."""
