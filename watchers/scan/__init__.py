"""Money in: read block after block, link them, commit them; credit at finality and only there."""
