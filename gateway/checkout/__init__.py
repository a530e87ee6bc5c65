"""What the payer sees: one page per invoice, public, plain HTML, no script."""
