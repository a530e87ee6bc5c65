"""Whole lists as files: read in batches, sent as they come, never in memory as a whole."""
