"""What people approve before the keystore signs: orders, their proofs, refusals."""
