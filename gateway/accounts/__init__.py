"""API keys: what they look like, what they may do, who made them."""
