"""Ethereum and every other EVM chain."""
