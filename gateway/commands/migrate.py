"""`gateway migrate`: users, database, schema and catalogue, from what is there to what we need.

Without an administrator's password (another server, no `database.admin_password_file`) the
users and the database must exist already; only the schema is moved then.
"""

import argparse

import structlog

from gateway.catalog.sync import sync_catalog
from gateway.commands import configured, takes
from gateway.commands.owner import as_owner
from gateway.postgres.migrate import migrate
from gateway.postgres.roles import prepare_server
from gateway.postgres.url import is_embedded


def add(parser: argparse.ArgumentParser) -> None:
    """Declare its arguments."""
    takes(parser, run)
    parser.add_argument("--to", metavar="REVISION", help="go back to a revision or `base`")


def run(args: argparse.Namespace) -> int:
    """Prepare the server if we may, then move the schema."""
    settings = configured(args)
    if is_embedded(settings) or settings.database.admin_password_file is not None:
        prepare_server(settings)
    before, after = migrate(settings, to=args.to)
    if args.to is None:
        as_owner(settings, lambda session: sync_catalog(session, settings))
    structlog.get_logger().info("database migrated", before=before, after=after)
    return 0
