"""`gateway admin reverse-deposit`: a final deposit that its chain no longer has, as gw_owner."""

import argparse
import getpass
import secrets
from datetime import UTC, datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit.reason import stated
from gateway.audit.service import record
from gateway.commands import Subparsers, configured, declare
from gateway.commands.owner import as_owner
from gateway.deposits.arrival import Desk
from gateway.deposits.reversal import reverse
from gateway.domain.actor import Actor
from gateway.domain.moment import Moment
from gateway.models import Deposit


def add(actions: Subparsers) -> None:
    """Declare the command."""
    purpose = "take back a final deposit that its chain no longer has"
    parser = declare(actions, "reverse-deposit", purpose, run)
    parser.add_argument("deposit", metavar="DEPOSIT", help="its id (dep_...)")
    parser.add_argument("--reason", required=True, help="why; it stands in the audit log")


def run(args: argparse.Namespace) -> int:
    """Post the inverse of the deposit, of the house's fee and of its commissions."""
    settings = configured(args)
    reason = stated(args.reason)
    moment = Moment(datetime.now(UTC), secrets.token_bytes)

    async def work(session: AsyncSession) -> Deposit:
        return await _reversed(
            Desk(session, moment, settings.api.public_url), args.deposit, reason
        )

    deposit = as_owner(settings, work)
    structlog.get_logger().info(
        "deposit reversed",
        deposit=deposit.id,
        units=str(deposit.units),
        fee=str(deposit.fee_units),
    )
    return 0


async def _reversed(desk: Desk, deposit_id: str, reason: str) -> Deposit:
    deposit = await reverse(desk, deposit_id)
    await record(
        desk.session,
        Actor(f"cli:{getpass.getuser()}", None, frozenset(), livemode=False),
        desk.moment,
        action="deposit.reversed",
        subject=deposit.id,
        merchant_id=deposit.merchant_id,
        before={"status": "confirmed"},
        after={"status": deposit.status, "reason": reason},
    )
    return deposit
