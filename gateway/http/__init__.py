"""The HTTP door: who may pass, how a request is read, how a refusal is told."""
