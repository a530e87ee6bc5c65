"""`watchers explain NETWORK TX`: the gates of one transaction, for the operator at the machine."""

import argparse
import sys
from contextlib import AsyncExitStack

import msgspec

from gateway.db import CROSS_TENANT, Database
from gateway.settings import Settings, SettingsError
from watchers import store
from watchers.explain.answer import document, table
from watchers.explain.explainer import Explainer
from watchers.families import connect, locator

PROVIDER_SECONDS = 10.0
"""A person at a terminal can wait longer than a request."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("network", metavar="NETWORK")
    parser.add_argument(
        "tx",
        metavar="TX",
        help="hash or signature of the transaction, or the name that a deposit of ours has instead",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


async def command(settings: Settings, database: Database, args: argparse.Namespace) -> int:
    """Explain one transaction on standard output."""
    network = settings.networks.get(args.network)
    if network is None:
        raise SettingsError(
            f"networks.{args.network}: there is no such network in the configuration"
        )
    async with AsyncExitStack() as stack:
        async with database.unit_of_work(CROSS_TENANT) as session:
            currencies = await store.currencies_of(session, args.network)
        chain = connect(args.network, network, currencies)
        stack.push_async_callback(chain.endpoints.aclose)
        explainer = Explainer(
            args.network,
            chain,
            locator(network.family),
            database,
            settings.keystore.pool_public_key,
            PROVIDER_SECONDS,
        )
        try:
            explanation = await explainer.explain(args.tx)
        except ValueError as fault:
            raise SettingsError(f"TX: {fault}") from fault
    if args.json:
        sys.stdout.write(msgspec.json.encode(document(explanation)).decode() + "\n")
    else:
        sys.stdout.write(table(explanation))
    return 0
