"""Events out: the outbox, the endpoints, the sender."""
