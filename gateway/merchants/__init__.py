"""The tenants: businesses that take payments, and their settings."""
