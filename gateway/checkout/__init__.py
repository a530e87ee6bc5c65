"""What the payer sees: one page per invoice, public, plain HTML, and one script that it can do without."""
