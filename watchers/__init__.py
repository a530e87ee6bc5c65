"""One process per network: sees deposits, confirms them, pays withdrawals."""
