"""`gateway admin keys` and `revoke-key`: operators' keys, which nobody sees through the API."""

import argparse
import getpass
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts.service import end_key
from gateway.commands import Subparsers, configured, declare
from gateway.commands.owner import as_owner
from gateway.domain.actor import Actor
from gateway.domain.errors import NotFound
from gateway.domain.moment import Moment
from gateway.models import ApiKey
from gateway.people.invitations import Desk, take_back_offers
from gateway.settings import Settings


def add(actions: Subparsers) -> None:
    """Declare the commands."""
    keys = declare(actions, "keys", "list operators' keys, or those of one merchant", show)
    keys.add_argument("--merchant", metavar="ID", help="whose, instead of the operators'")
    revoke = declare(actions, "revoke-key", "end a key at once and for good", run)
    revoke.add_argument("--key", required=True, metavar="ID", help="key_...")


def show(args: argparse.Namespace) -> int:
    """Print a line for each key, oldest first."""
    rows = as_owner(configured(args), lambda session: _keys(session, args.merchant))
    for row in rows:
        mode = "live" if row.livemode else "test"
        used = "never used" if row.last_used_at is None else f"used {_minute(row.last_used_at)}"
        ended = "" if row.revoked_at is None else f"  revoked {_minute(row.revoked_at)}"
        made = _minute(row.created_at)
        sys.stdout.write(
            f"{row.id}  {row.prefix}...  {mode}  {made}  {used}  {row.name}{ended}\n"
        )
    return 0


def run(args: argparse.Namespace) -> int:
    """Revoke the key, and what was offered with it; it is on record."""
    settings = configured(args)
    as_owner(settings, lambda session: _revoked(session, settings, args.key))
    structlog.get_logger().info("key revoked", key_id=args.key)
    return 0


async def _keys(session: AsyncSession, merchant_id: str | None) -> Sequence[ApiKey]:
    query = select(ApiKey).where(ApiKey.merchant_id.is_not_distinct_from(merchant_id))
    return (await session.scalars(query.order_by(ApiKey.id))).all()


async def _revoked(session: AsyncSession, settings: Settings, key_id: str) -> None:
    row = await session.get(ApiKey, key_id, with_for_update=True)
    if row is None or row.revoked_at is not None:
        raise NotFound(f"--key: there is no key {key_id} in force")
    actor = Actor(f"cli:{getpass.getuser()}", row.merchant_id, frozenset(), row.livemode)
    moment = Moment(datetime.now(UTC), secrets.token_bytes)
    await end_key(session, actor, row, moment)
    await take_back_offers(Desk(session, actor, moment, settings.people), row.id)


def _minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
