"""Creating invoices over HTTP, beside the same statements in bare SQL and a FastAPI + ORM peer."""
