"""Networks and currencies: what the configuration names and what can be paid with now."""
