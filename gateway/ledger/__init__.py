"""Balances and the postings behind them."""
