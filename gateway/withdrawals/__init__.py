"""Money out: asked for, approved, and settled when the chain has decided."""
