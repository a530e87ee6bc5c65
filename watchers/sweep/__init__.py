"""Pool addresses emptied into the hot wallet: what is worth it, step by step, and what it cost."""
