"""`gateway admin keys` and `revoke-key`: operators' keys, which nobody sees through the API."""

import argparse
import getpass
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts.service import end_key
from gateway.accounts.standing import made_with
from gateway.commands import Subparsers, configured, declare
from gateway.commands.owner import as_owner
from gateway.domain.actor import Actor
from gateway.domain.errors import Conflict, NotFound
from gateway.domain.moment import Moment
from gateway.models import ApiKey
from gateway.people.offers import Desk, take_back_offers
from gateway.settings import Settings


def add(actions: Subparsers) -> None:
    """Declare the commands."""
    keys = declare(actions, "keys", "list operators' keys, or those of one merchant", show)
    keys.add_argument("--merchant", metavar="ID", help="whose, instead of the operators'")
    keys.add_argument("--made-by", metavar="ID", help="every key that this person or key made")
    revoke = declare(actions, "revoke-key", "end a key at once and for good", run)
    revoke.add_argument("--key", required=True, metavar="ID", help="key_...")
    revoke.add_argument(
        "--made",
        choices=["end", "keep"],
        help="what becomes of the keys that were made with it: they end (default), or stay;"
        " has to be said where an operator's key made keys of merchants",
    )


def show(args: argparse.Namespace) -> int:
    """Print a line for each key, oldest first."""
    rows = as_owner(configured(args), lambda session: _keys(session, args))
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
    """Revoke the key, what was offered and made with it; it is on record."""
    settings = configured(args)
    ended = as_owner(settings, lambda session: _revoked(session, settings, args))
    structlog.get_logger().info("key revoked", key_id=args.key, ended=ended)
    return 0


async def _keys(session: AsyncSession, args: argparse.Namespace) -> Sequence[ApiKey]:
    whose = ApiKey.merchant_id.is_not_distinct_from(args.merchant)
    if args.made_by is not None:
        whose = or_(ApiKey.created_by == args.made_by, ApiKey.made_with == args.made_by)
    return (await session.scalars(select(ApiKey).where(whose).order_by(ApiKey.id))).all()


async def _revoked(
    session: AsyncSession, settings: Settings, args: argparse.Namespace
) -> list[str]:
    row = await session.get(ApiKey, args.key, with_for_update=True)
    if row is None or row.revoked_at is not None:
        raise NotFound(f"--key: there is no key {args.key} in force")
    made = await made_with(session, row.id)
    if made and row.merchant_id is None and args.made is None:
        raise Conflict(
            f"--made: {len(made)} keys of merchants were made with it: say `end` where somebody"
            " else may have it, `keep` where only its time is over"
        )
    actor = Actor(f"cli:{getpass.getuser()}", row.merchant_id, frozenset(), row.livemode)
    moment = Moment(datetime.now(UTC), secrets.token_bytes)
    ended = await end_key(session, actor, row, moment, made=args.made != "keep")
    for each in (row, *ended):
        await take_back_offers(Desk(session, actor, moment, settings.people), each.id)
    return [each.id for each in ended]


def _minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
