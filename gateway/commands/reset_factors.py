"""`gateway admin reset-factors`: for the only admin who lost phone, passkeys and recovery codes."""

import argparse
import getpass
import secrets
from datetime import UTC, datetime

import structlog

from gateway.commands import Subparsers, configured, declare
from gateway.commands.owner import as_owner
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment


def add(actions: Subparsers) -> None:
    """Declare the command."""
    purpose = "take every second factor from somebody who lost them"
    parser = declare(actions, "reset-factors", purpose, run)
    parser.add_argument("--email", required=True, help="whose")


def run(args: argparse.Namespace) -> int:
    """Remove the factors and end the person's sessions; it is on record, and there is mail."""
    # What reads passkeys, and OpenSSL behind it: the other actions need neither.
    from gateway.factors.reset import reset_at_the_machine  # noqa: PLC0415

    settings = configured(args)
    moment = Moment(datetime.now(UTC), secrets.token_bytes)
    actor = Actor(f"cli:{getpass.getuser()}", None, frozenset(), livemode=False)
    as_owner(settings, lambda session: reset_at_the_machine(session, actor, args.email, moment))
    structlog.get_logger().info("second factors removed", email=args.email)
    return 0
