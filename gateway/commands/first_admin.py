"""`gateway admin invite-first-admin`: one token, from the machine itself, while there is no admin."""

import argparse
import getpass
import re
import secrets
import sys
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from gateway.commands import Subparsers, configured, declare
from gateway.commands.owner import as_owner
from gateway.domain.moment import Moment
from gateway.people.invitations import first_admin
from gateway.sessions.letters import shown
from gateway.settings import SettingsError


def add(actions: Subparsers) -> None:
    """Declare the command."""
    parser = declare(
        actions, "invite-first-admin", "print a token that makes the first admin, once", run
    )
    parser.add_argument("--email", required=True, help="the admin's e-mail address")


def run(args: argparse.Namespace) -> int:
    """Print the token, or the link to the page that takes it; refuse where there is an admin."""
    settings = configured(args)
    if not re.fullmatch(r"[^@\s]{1,64}@[^@\s]{1,189}", args.email):
        raise SettingsError(f"--email: {args.email!r} is no e-mail address")

    async def invited(session: AsyncSession) -> str | None:
        moment = Moment(datetime.now(UTC), secrets.token_bytes)
        return await first_admin(
            session,
            moment,
            email=args.email,
            invited_by=f"cli:{getpass.getuser()}",
            days=settings.people.invitation_days,
        )

    token = as_owner(settings, invited)
    if token is None:
        raise SettingsError("there is an admin already: admins invite each other")
    sys.stdout.write(shown("invitation", token, settings.people.page_url) + "\n")
    return 0
