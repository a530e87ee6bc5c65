"""People: a merchant's team, the operator's own, their invitations and profiles."""
