"""Packages and the subscriptions that bill a customer for one, period by period."""
