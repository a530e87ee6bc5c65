"""`watchers cancel NETWORK WITHDRAWAL`: take back what waits, as long as nothing of it has landed.

The command only writes the wish; the network's watcher carries it out. A payment that lands
first is paid.
"""

import argparse
import getpass
import sys
from datetime import timedelta

from gateway.audit import service as audit
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import Actor
from gateway.settings import Settings, SettingsError
from watchers.clock import now
from watchers.pay import cancels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's words."""
    parser.add_argument("network")
    parser.add_argument("withdrawal", help="id of a withdrawal, or of an order of the house")


async def command(settings: Settings, database: Database, args: argparse.Namespace) -> int:
    """Write the wish; 1 where it cannot be carried out."""
    network = settings.networks.get(args.network)
    if network is None:
        raise SettingsError(f"networks.{args.network}: there is no such network")
    person, moment = getpass.getuser(), now()
    try:
        async with database.unit_of_work(CROSS_TENANT) as session:
            await cancels.ask(
                session,
                args.network,
                args.withdrawal,
                person,
                moment,
                patience=timedelta(minutes=network.cancel_minutes),
            )
            actor = Actor(f"operator:{person}", None, frozenset(), livemode=False)
            await audit.record(
                session,
                actor,
                moment,
                action="withdrawal.cancel_asked",
                subject=args.withdrawal,
            )
    except cancels.NotCanceled as refusal:
        sys.stderr.write(f"watchers: {refusal}\n")
        return 1
    print(f"{args.withdrawal}: will be canceled unless it lands first")  # noqa: T201 - the answer
    return 0
