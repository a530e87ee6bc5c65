"""Refunds of invoices: withdrawals that never pay back more than was received."""
