"""Payments that are only played: on local chains, for test keys, through the real state machine."""
