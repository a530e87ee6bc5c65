"""`watchers run NETWORK` is one network's process; `watchers status` says how far each has come.

`watchers decode FAMILY` prints the transfers of a recorded block, `watchers coverage NETWORK` which
heights were read, `watchers rescan NETWORK` reads some of them again, `watchers explain NETWORK TX`
says why a transaction was or was not credited, `watchers reconcile NETWORK` whether chain and books
agree, `watchers check-asset NETWORK CODE` whether a token may be listed, `watchers cancel NETWORK
WITHDRAWAL` takes back a payout that waits to be mined, `watchers settle NETWORK ORDER` ends one
that only a person can judge, `watchers adopt-nonce NETWORK` goes on where the chain counts more
transactions of a wallet than our book, `watchers sweeps NETWORK` says what was swept at what cost and what waits,
`watchers export NETWORK` prints what was signed, for a keystore whose journal is lost, `watchers
reopen NETWORK` goes on where the chain was rewritten below what was final.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import structlog
import uvloop

from gateway import logs
from gateway.db import CROSS_TENANT, Database
from gateway.postgres.head import require_database
from gateway.postgres.url import role_url
from gateway.settings import Settings, SettingsError, load
from keystore.client import KeystoreClient
from watchers import decode, garbage, store
from watchers.addresses import AddressBook
from watchers.commands import (
    adopt_nonce,
    cancel,
    export,
    reconcile,
    reopen,
    rescan,
    settle,
    status,
    sweeps,
)
from watchers.commands import check_asset as asset_command
from watchers.explain import command as explain
from watchers.families import connect
from watchers.network import WrongChain
from watchers.parts import Parts
from watchers.scan import coverage
from watchers.service import Watcher
from watchers.store import CatalogChanged, LeaseLost

INTERRUPTED = 130
"""What a shell expects of a command that somebody ended with Ctrl-C."""
IDLE_SECONDS = 1.0
"""A connection that rested for longer is asked whether it lives; a round that fails is repeated."""
Command = Callable[[Settings, Database, argparse.Namespace], Awaitable[int]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    args = _arguments(argv)
    if args.command == "decode":
        return decode.run(args)
    try:
        settings = load(args.config)
        logs.configure(settings.logs.level)
        require_database(settings, "watcher")
        return uvloop.run(_work(settings, args))
    except WrongChain as wrong:
        sys.stderr.write(f"watchers: networks.{args.network}.identity: {wrong}\n")
        return 1
    except (SettingsError, LeaseLost, CatalogChanged) as refusal:
        sys.stderr.write(f"watchers: {refusal}\n")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _work(settings: Settings, args: argparse.Namespace) -> Coroutine[Any, Any, int]:
    """Return the work of a command that needs the database."""
    if args.command == "status":
        return _with_database(settings, lambda database: status.command(settings, database))
    if args.command == "coverage":
        return _with_database(settings, lambda database: coverage.command(database, args))
    commands: dict[str, Command] = {
        "rescan": rescan.command,
        "explain": explain.command,
        "check-asset": asset_command.command,
        "reconcile": reconcile.command,
        "cancel": cancel.command,
        "settle": settle.command,
        "adopt-nonce": adopt_nonce.command,
        "sweeps": sweeps.command,
        "export": export.command,
        "reopen": reopen.command,
    }
    if command := commands.get(args.command):
        return _with_database(settings, lambda database: command(settings, database, args))
    return _run(settings, args.network)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="watchers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="watch one network")
    run.add_argument("network")
    far = commands.add_parser("status", help="print how far every network has come")
    decode.add_arguments(commands.add_parser("decode", help="decode a recorded block"))
    covered = commands.add_parser("coverage", help="print which heights were read, and gaps")
    coverage.add_arguments(covered)
    again = commands.add_parser("rescan", help="read heights again and record what was missed")
    rescan.add_arguments(again)
    why = commands.add_parser("explain", help="say why a transaction was or was not credited")
    explain.add_arguments(why)
    compare = commands.add_parser("reconcile", help="compare the chain with the books")
    reconcile.add_arguments(compare)
    back = commands.add_parser("cancel", help="take back a payout that waits to be mined")
    cancel.add_arguments(back)
    judged = commands.add_parser("settle", help="end a payout that only a person can judge")
    settle.add_arguments(judged)
    book = commands.add_parser("adopt-nonce", help="let our nonces follow the chain's count")
    adopt_nonce.add_arguments(book)
    look = commands.add_parser("check-asset", help="say whether a token may be listed")
    asset_command.add_arguments(look)
    swept = commands.add_parser("sweeps", help="list sweeps with their cost, and what waits")
    sweeps.add_arguments(swept)
    signed = commands.add_parser("export", help="print what was signed, for keystore merge")
    export.add_arguments(signed)
    anew = commands.add_parser("reopen", help="go on where what was final was rewritten")
    reopen.add_arguments(anew)
    named = (
        run,
        far,
        covered,
        again,
        why,
        compare,
        back,
        judged,
        book,
        look,
        swept,
        signed,
        anew,
    )
    for command in named:
        command.add_argument("--config", type=Path, required=True)
    return parser.parse_args(argv)


def _database(settings: Settings) -> Database:
    return Database(
        role_url(settings, "watcher"),
        pool_size=settings.database.pool_size,
        slow_milliseconds=settings.database.slow_query_milliseconds,
        idle_seconds=IDLE_SECONDS,
    )


async def _with_database(settings: Settings, work: Callable[[Database], Awaitable[int]]) -> int:
    """Do one thing with the watcher's database; return its exit code."""
    database = _database(settings)
    try:
        return await work(database)
    finally:
        await database.aclose()


async def _run(settings: Settings, name: str) -> int:
    network = settings.networks.get(name)
    if network is None:
        raise SettingsError(f"networks.{name}: there is no such network in the configuration")
    async with AsyncExitStack() as stack:
        database = _database(settings)
        stack.push_async_callback(database.aclose)
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


if __name__ == "__main__":
    sys.exit(main())
