"""`watchers rescan NETWORK`: a range of heights, or one transaction's block, read again."""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Sequence

from gateway.db import CROSS_TENANT, Database
from gateway.models import Currency
from gateway.settings import Settings, SettingsError
from watchers import store
from watchers.addresses import AddressBook
from watchers.chain import Chain
from watchers.families import connect, locator
from watchers.network import ChainReader, Incomplete, NodeUnavailable
from watchers.providers.witness import Witness
from watchers.scan.rescan import CannotRescan, Rescan
from watchers.scan.track import Track
from watchers.scan.witnesses import answers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("network")
    parser.add_argument("--from", type=int, dest="first", metavar="N", help="lowest height")
    parser.add_argument("--to", type=int, dest="last", metavar="N", help="highest height")
    parser.add_argument("--tx", metavar="HASH", help="only the block of this transaction")


async def command(settings: Settings, database: Database, args: argparse.Namespace) -> int:
    """Read again what was asked for and print what it brought; return 1 where it cannot be."""
    network = settings.networks.get(args.network)
    if network is None:
        raise SettingsError(f"networks.{args.network}: there is no such network")
    tx = _asked_for(args, network.family)
    async with database.unit_of_work(CROSS_TENANT) as session:
        currencies = await store.currencies_of(session, args.network)
    chain = connect(args.network, network, currencies)
    try:
        await chain.reader.check_identity()
        track = await _track(settings, database, chain, args.network, currencies)
        first, last = args.first, args.last
        if tx is not None:
            first = last = await _height_of(track, tx, network.family)
        found = await Rescan(track, _say, asyncio.sleep, getpass.getuser()).run(first, last)
    except (CannotRescan, Incomplete, NodeUnavailable) as trouble:
        _say(str(trouble))
        return 1
    finally:
        await chain.endpoints.aclose()
    sys.stdout.write(f"{args.network}, heights {first} to {last}\n{found.table()}\n")
    if found.deposits:
        sys.stdout.write("the network's watcher credits what is final\n")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"rescan: {line}\n")


async def _track(
    settings: Settings,
    database: Database,
    chain: Chain,
    network: str,
    currencies: Sequence[Currency],
) -> Track:
    book = AddressBook(settings.keystore.pool_public_key)
    async with database.unit_of_work(CROSS_TENANT) as session:
        position = await store.position_of(session, network)
        if position is None:
            raise CannotRescan(f"{network}: never scanned")
        await book.load(session, network)
    return Track(
        chain.reader,
        database,
        currencies,
        book,
        position,
        settings.api.public_url,
        dense=chain.dense,
        witnesses=chain.witnesses,
        quorum=settings.networks[network].witnesses_needed,
    )


def _asked_for(args: argparse.Namespace, family: str) -> str | None:
    """Return the transaction's name; None where a range is asked for.

    Raises `SettingsError` where the words ask for neither or for both.
    """
    given = (args.first is not None, args.last is not None)
    if args.tx is None and all(given):
        if args.first > args.last:
            raise SettingsError(f"--from: {args.first} lies above --to {args.last}")
        return None
    if args.tx is None or any(given):
        raise SettingsError("either --from and --to, or --tx")
    try:
        return locator(family).spelled(args.tx)
    except ValueError as fault:
        raise SettingsError(f"--tx: {fault}") from fault


async def _height_of(track: Track, tx: str, family: str) -> int:
    """Ask one node after the other for the block of a transaction."""
    find = locator(family)

    async def height_at(each: ChainReader) -> int | None:
        return await find.locate(each.reader if isinstance(each, Witness) else each, tx)

    said = (await answers(track.witnesses, height_at)).values()
    heights = [height for height in said if height is not None]
    if not heights:
        raise CannotRescan(f"--tx: no node of {track.network} knows it in a block")
    return max(heights)
