"""The address pool from the gateway's side: claim one, prove that the keystore made it."""
