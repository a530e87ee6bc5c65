"""Alembic's entry: run the revisions on the connection that `gateway.postgres.migrate` opened.

There is no offline mode and no URL here: the caller holds the lock, the transaction and the
right user.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
