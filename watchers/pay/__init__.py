"""Money out: claim, prepare, sign, keep, send, and settle from our own scan."""
