"""The merchant-facing service: rules, ledger, HTTP API and its background worker."""
