"""Several nodes per network: what each may be asked, what its answers are worth, who is next."""
