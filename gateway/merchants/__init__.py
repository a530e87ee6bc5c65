"""The tenants: businesses that take payments."""
