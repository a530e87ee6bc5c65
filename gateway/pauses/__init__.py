"""Payouts that operators stop for a while: a network, an asset, a merchant."""
