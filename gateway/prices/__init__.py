"""Exchange rates and their history."""
