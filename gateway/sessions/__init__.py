"""Signing in: passwords, sessions, one-time tokens, and how long somebody waits who guesses."""
