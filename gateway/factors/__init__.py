"""Second factors of people: one-time codes, recovery codes, passkeys, and step-up."""
