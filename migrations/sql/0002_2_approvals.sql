-- Orders that people approve, their proofs, the keystore policy as published, and what is paused.

-- downgrade
