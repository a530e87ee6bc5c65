"""`watchers settle NETWORK WITHDRAWAL --paid|--failed --reason TEXT`: end what waits for a person."""

import argparse
import getpass
import sys
from contextlib import aclosing

from gateway.db import CROSS_TENANT, Database
from gateway.settings import Settings, SettingsError
from watchers import store
from watchers.clock import now
from watchers.families import connect
from watchers.pay import judged
from watchers.pay.judged import Judgement, NotSettled

REASON_LENGTH_MAX = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's words."""
    parser.add_argument("network")
    parser.add_argument("withdrawal", help="its id (wdr_...)")
    end = parser.add_mutually_exclusive_group(required=True)
    end.add_argument("--paid", action="store_true", help="the destination has the money")
    end.add_argument("--failed", action="store_true", help="nothing was paid: end the hold")
    parser.add_argument("--reason", required=True, help="why; it stands in the audit log")


async def command(settings: Settings, database: Database, args: argparse.Namespace) -> int:
    """Ask every node, then end it; 1 where it must not be."""
    network = settings.networks.get(args.network)
    if network is None:
        raise SettingsError(f"networks.{args.network}: there is no such network")
    reason = args.reason.strip()
    if not 0 < len(reason) <= REASON_LENGTH_MAX:
        raise SettingsError(f"--reason: 1 to {REASON_LENGTH_MAX} characters")
    async with database.unit_of_work(CROSS_TENANT) as session:
        currencies = await store.currencies_of(session, args.network)
    chain = connect(args.network, network, currencies)
    judgement = Judgement(args.network, args.withdrawal, args.paid, getpass.getuser(), reason)
    readers = list(chain.witnesses.values()) or [chain.reader]
    try:
        async with aclosing(chain.endpoints):
            await judged.settle(database, readers, judgement, now())
    except NotSettled as refusal:
        sys.stderr.write(f"watchers: {refusal}\n")
        return 1
    sys.stdout.write(f"{args.withdrawal}: {'completed' if args.paid else 'failed'}\n")
    return 0
