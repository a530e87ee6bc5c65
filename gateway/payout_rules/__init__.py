"""Balances that pay themselves out: a threshold, what stays, and an entry of the address book."""
