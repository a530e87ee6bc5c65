"""`keystore approve` on a person's own machine. Nothing here is loaded by the process that signs."""
