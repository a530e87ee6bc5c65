"""The history of the database schema, from empty to head and back."""
