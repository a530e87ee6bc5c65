"""Who came through whom, and what that is worth: codes, rates, commissions."""
