"""Chain against ledger against what was signed: money that blocks do not show, and drift."""
