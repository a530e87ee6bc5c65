"""`watchers rescan NETWORK`: reads blocks again that were processed, and records what was missed.

It is safe beside the running watcher: a block counts only while it is the one that stands in our
own rows, the cursor is locked for that look, and identities are unique. No money moves here: the
final lane credits what came to stand below the final height.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.deposits.service import Desk
from gateway.models import Block as BlockRow
from gateway.models import Currency, Cursor, Deposit
from gateway.settings import Settings, SettingsError
from watchers import store
from watchers.addresses import AddressBook
from watchers.chain import Chain
from watchers.clock import now
from watchers.families import connect, locator
from watchers.network import Block, ChainReader, Incomplete, NodeUnavailable
from watchers.providers.witness import Witness
from watchers.scan.edge import dated
from watchers.scan.evidence import add_readers
from watchers.scan.head_lane import record
from watchers.scan.prefetch import Prefetch
from watchers.scan.track import Track
from watchers.scan.witnesses import answers

PROGRESS_SECONDS = 2.0
PATIENCE = 5
PAUSE_SECONDS = 1.0


class CannotRescan(Exception):
    """The command asks for what was never processed; the message is one line."""


@dataclass(slots=True)
class Found:
    """What was read again."""

    blocks: int = 0
    transfers: int = 0
    deposits: int = 0

    def table(self) -> str:
        """Return it as a person reads it."""
        return (
            f"blocks read       {self.blocks:>10}\n"
            f"transfers to us   {self.transfers:>10}\n"
            f"new deposits      {self.deposits:>10}"
        )


@dataclass(slots=True)
class Rescan:
    """Reads one range again. `tell` takes a line for people, now and then."""

    track: Track
    tell: Callable[[str], None]
    sleep: Callable[[float], Awaitable[None]]

    async def run(self, first: int, last: int) -> Found:
        """Read from `first` to `last`, both included; raise `CannotRescan` outside our blocks."""
        await self._require_processed(first, last)
        prefetch = Prefetch(self.track.dense)
        found, height, told = Found(), first, time.monotonic()
        try:
            while height <= last:
                run = await self._read(prefetch, height, last)
                run = [block for block in run if block.ref.height <= last]
                if not run:
                    break
                await self._record(run, found)
                height = run[-1].ref.height + 1
                if time.monotonic() >= told + PROGRESS_SECONDS:
                    told = time.monotonic()
                    done = 100 * (height - first) // (last - first + 1)
                    self.tell(
                        f"{done:>3} %  height {height - 1} of {last}, {found.deposits} new"
                    )
        finally:
            await prefetch.discard()
        return found

    async def _read(self, prefetch: Prefetch, first: int, last: int) -> Sequence[Block]:
        """Read the next run, waiting out a node's trouble a few times."""
        for _ in range(PATIENCE):
            try:
                return await prefetch.run(self.track.reader, first, last)
            except (Incomplete, NodeUnavailable) as trouble:
                self.tell(f"height {first}: {trouble}")
                await self.sleep(PAUSE_SECONDS)
        return await prefetch.run(self.track.reader, first, last)

    async def _record(self, run: Sequence[Block], found: Found) -> None:
        track, moment = self.track, now()
        async with track.database.unit_of_work(CROSS_TENANT) as session:
            # The lock keeps the watcher from rolling these blocks back while we record them.
            lock = select(Cursor).where(Cursor.network_id == track.network).with_for_update()
            await session.execute(lock)
            standing = await _standing(session, track.network, run)
            for block in run:
                if block.ref.hash not in standing:
                    raise Incomplete(
                        f"block {block.ref.height} is {block.ref.hash} here and another one in "
                        "our rows: wait for the watcher, or ask another node"
                    )
            before = await _known(session, track.network, run)
            desk = Desk(session, moment, track.public_url)
            ours = [dated(block, moment.at) for block in run]
            transfers = await record(desk, track, ours, track.heads)
            after = await _known(session, track.network, run)
            await add_readers(session, run, after - before)
        found.blocks += len(run)
        found.transfers += len(transfers)
        found.deposits += len(after - before)

    async def _require_processed(self, first: int, last: int) -> None:
        track = self.track
        async with track.database.unit_of_work(CROSS_TENANT) as session:
            lowest = (
                select(BlockRow.height)
                .where(BlockRow.network_id == track.network)
                .order_by(BlockRow.height)
                .limit(1)
            )
            begun = await session.scalar(lowest)
        if begun is None or not begun <= first <= last <= track.position.height:
            raise CannotRescan(
                f"{track.network}: heights {first} to {last} were not all processed, "
                f"those are {begun} to {track.position.height}"
            )


async def _standing(session: AsyncSession, network: str, run: Sequence[Block]) -> set[str]:
    query = select(BlockRow.hash).where(
        BlockRow.network_id == network,
        BlockRow.orphaned.is_(False),
        BlockRow.height.between(run[0].ref.height, run[-1].ref.height),
    )
    return set(await session.scalars(query))


async def _known(session: AsyncSession, network: str, run: Sequence[Block]) -> set[str]:
    query = select(Deposit.id).where(
        Deposit.network_id == network,
        Deposit.block_hash.in_([block.ref.hash for block in run]),
        Deposit.status != "reorged",
    )
    return set(await session.scalars(query))


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
    async with database.unit_of_work(CROSS_TENANT) as session:
        currencies = await store.currencies_of(session, args.network)
    chain = connect(args.network, network, currencies)
    try:
        await chain.reader.check_identity()
        track = await _track(settings, database, chain, args.network, currencies)
        first, last = await _range(track, args, network.family)
        found = await Rescan(track, _say, asyncio.sleep).run(first, last)
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
    )


async def _range(track: Track, args: argparse.Namespace, family: str) -> tuple[int, int]:
    """Return the heights that the arguments name."""
    given = (args.first is not None, args.last is not None)
    if args.tx is not None and not any(given):
        height = await _height_of(track, args.tx, family)
        return height, height
    if args.tx is None and all(given):
        return args.first, args.last
    raise CannotRescan("either --from and --to, or --tx")


async def _height_of(track: Track, tx: str, family: str) -> int:
    """Ask one node after the other for the block of a transaction."""
    find = locator(family)
    try:
        name = find.spelled(tx)
    except ValueError as fault:
        raise CannotRescan(f"--tx: {fault}") from fault

    async def height_at(each: ChainReader) -> int | None:
        return await find.locate(each.reader if isinstance(each, Witness) else each, name)

    said = (await answers(track.witnesses, height_at)).values()
    heights = [height for height in said if height is not None]
    if not heights:
        raise CannotRescan(f"--tx: no node of {track.network} knows it in a block")
    return max(heights)
