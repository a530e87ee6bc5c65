"""Money in: chain facts become deposits, invoices move, the ledger is credited at finality."""
