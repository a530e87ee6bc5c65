"""`gateway admin`: what only the operator at the machine may do, as gw_owner.

A new key is written to standard output once; nothing else ever shows it again.
"""

import argparse
import getpass
import secrets
import sys
from datetime import UTC, datetime

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts.documents import KeyDocument
from gateway.accounts.service import KeyRequest, create_key
from gateway.audit.service import record
from gateway.catalog.sync import sync_catalog
from gateway.commands import (
    configured,
    declare,
    export_pool,
    first_admin,
    keys,
    reset_factors,
    reverse_deposit,
    seed_dev,
    unattributed,
)
from gateway.commands.owner import as_owner
from gateway.domain.actor import MERCHANT_SCOPES, OPERATOR_SCOPES, Actor
from gateway.domain.moment import Moment
from gateway.merchants.repository import merchant_of
from gateway.settings import SettingsError


def add(parser: argparse.ArgumentParser) -> None:
    """Declare what it can do."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    operator = declare(
        actions,
        "create-operator-key",
        "make a key that opens merchants' accounts",
        create_operator,
    )
    _key_arguments(operator, sorted(OPERATOR_SCOPES))
    merchant = declare(
        actions, "create-merchant-key", "make a key for one merchant", create_merchant
    )
    merchant.add_argument("--merchant", required=True, metavar="ID")
    _key_arguments(merchant, sorted(MERCHANT_SCOPES))
    first_admin.add(actions)
    keys.add(actions)
    unattributed.add(actions)
    export_pool.add(actions)
    reset_factors.add(actions)
    reverse_deposit.add(actions)
    seed_dev.add(actions)
    declare(actions, "sync-catalog", "bring networks and currencies to the configuration", sync)


def create_operator(args: argparse.Namespace) -> int:
    """Make an operator's key."""
    return _create(args, None)


def create_merchant(args: argparse.Namespace) -> int:
    """Make a key for an existing merchant."""
    return _create(args, args.merchant)


def sync(args: argparse.Namespace) -> int:
    """Write networks and currencies as the configuration has them."""
    settings = configured(args)
    as_owner(settings, lambda session: sync_catalog(session, settings))
    structlog.get_logger().info("catalogue synchronised", networks=sorted(settings.networks))
    return 0


def _key_arguments(parser: argparse.ArgumentParser, scopes: list[str]) -> None:
    parser.add_argument("--name", required=True, help="what the key is for")
    parser.add_argument(
        "--scopes",
        default=",".join(scopes),
        help=f"separated by commas (default: all of {', '.join(scopes)})",
    )
    parser.add_argument(
        "--live", action="store_true", help="for real networks instead of test ones"
    )
    parser.add_argument("--json", action="store_true", help="print the whole key document")


def _create(args: argparse.Namespace, merchant_id: str | None) -> int:
    settings = configured(args)
    request = KeyRequest(
        name=args.name,
        scopes=[scope.strip() for scope in args.scopes.split(",") if scope.strip()],
        livemode=args.live,
        merchant_id=merchant_id,
    )
    if not request.scopes:
        raise SettingsError("--scopes: at least one scope is needed")
    pepper = settings.secret("api.key_pepper_file")
    document = as_owner(settings, lambda session: _created(session, request, pepper))
    shown = msgspec.json.encode(document).decode() if args.json else document.key
    sys.stdout.write(f"{shown}\n")
    return 0


async def _created(session: AsyncSession, request: KeyRequest, pepper: str) -> KeyDocument:
    moment = Moment(datetime.now(UTC), secrets.token_bytes)
    if request.merchant_id is not None:
        await merchant_of(session, request.merchant_id)
    document = await create_key(session, request, pepper, moment)
    actor = Actor(
        key_id=f"cli:{getpass.getuser()}",
        merchant_id=request.merchant_id,
        scopes=frozenset(),
        livemode=request.livemode,
    )
    await record(
        session,
        actor,
        moment,
        action="api_key.created",
        subject=document.id,
        after={"name": document.name, "scopes": document.scopes, "livemode": document.livemode},
    )
    return document
