"""`watchers run NETWORK`: one network's process, until SIGTERM or SIGINT."""

import argparse
import asyncio
import signal
from contextlib import AsyncExitStack

import structlog

from gateway.db import CROSS_TENANT, Database
from gateway.settings import Settings, SettingsError
from keystore.client import KeystoreClient
from watchers import garbage, store
from watchers.addresses import AddressBook
from watchers.families import connect
from watchers.network import WrongChain
from watchers.parts import Parts
from watchers.service import Watcher
from watchers.store import CatalogChanged, LeaseLost


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("network")


async def command(settings: Settings, database: Database, args: argparse.Namespace) -> int:
    """Watch until told to stop."""
    name = args.network
    network = settings.networks.get(name)
    if network is None:
        raise SettingsError(f"networks.{name}: there is no such network in the configuration")
    async with AsyncExitStack() as stack:
        keystore = KeystoreClient(settings.keystore.socket)
        stack.push_async_callback(keystore.aclose)
        async with database.unit_of_work(CROSS_TENANT) as session:
            currencies = await store.currencies_of(session, name)
        if not currencies:
            raise SettingsError(f"networks.{name}: not in the database, run `gateway migrate`")
        chain = connect(name, network, currencies)
        stack.push_async_callback(chain.endpoints.aclose)
        book = AddressBook(settings.keystore.pool_public_key)
        parts = Parts(name, settings, network, chain, currencies, database, keystore, book)
        return await _until_told(Watcher(parts))


async def _until_told(watcher: Watcher) -> int:
    """Watch until SIGTERM or SIGINT; what a transaction has not committed is not there."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(watcher.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    garbage.settle()
    try:
        await task
    except asyncio.CancelledError:
        structlog.get_logger().info("stopped", network=watcher.parts.name)
    except ExceptionGroup as group:
        # One failing loop ends the others; the first cause is what a person needs.
        lost, bugs = group.split((WrongChain, LeaseLost, CatalogChanged))
        if bugs is not None or lost is None:
            raise
        raise lost.exceptions[0] from group
    return 0
