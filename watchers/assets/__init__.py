"""Whether a token may be listed, and whether a listed one is still what it was."""
