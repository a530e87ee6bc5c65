"""`watchers settle NETWORK ORDER --paid|--failed --reason TEXT`: end what waits for a person.

One that a restored database took over, and that our own blocks cannot tell of, is let go by `--failed`
to be taken back (Solana). With `--taken-by HASH` an order ends that can never land: that transaction took its nonce, or spent
the value of the nonce account that it was signed for (Solana).
"""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Sequence
from contextlib import aclosing

from gateway.audit.reason import stated
from gateway.db import CROSS_TENANT, Database
from gateway.settings import NetworkSettings, Settings, SettingsError
from watchers import store
from watchers.chain import Chain
from watchers.clock import now
from watchers.commands.history import Unread, require_history
from watchers.contention import repeated
from watchers.families import connect, locator, placed
from watchers.network import ChainReader, Incomplete, NodeUnavailable, Placed, WrongChain
from watchers.pay import displaced, judged, own_bytes, unread
from watchers.pay.displaced import Displacement
from watchers.pay.judged import Judgement, NotSettled
from watchers.providers.witness import Witness
from watchers.sweep import keeper

SCAN_SECONDS = 60
"""How long the scan has to come up to what the nodes show."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's words."""
    parser.add_argument("network")
    parser.add_argument(
        "order", metavar="ORDER", help="a withdrawal's id (wdr_...), or an order's of the house"
    )
    end = parser.add_mutually_exclusive_group(required=True)
    end.add_argument(
        "--paid", action="store_true", help="it did what it was for: the money arrived"
    )
    end.add_argument("--failed", action="store_true", help="nothing was paid: end the hold")
    taken = "it can never land: this transaction took its nonce"
    parser.add_argument("--taken-by", metavar="HASH", help=taken)
    raw = "its signed bytes in hex, where the nodes do not give them"
    parser.add_argument("--raw", type=_octets, metavar="HEX", help=raw)
    parser.add_argument("--reason", required=True, help="why; it stands in the audit log")


async def command(settings: Settings, database: Database, args: argparse.Namespace) -> int:
    """Ask every node, then end it; 1 where it must not be."""
    network = settings.networks.get(args.network)
    if network is None:
        raise SettingsError(f"networks.{args.network}: there is no such network")
    args.reason = stated(args.reason)
    if args.raw is not None and args.taken_by is None:
        raise SettingsError("--raw: says nothing without --taken-by")
    if args.taken_by is not None:
        args.taken_by = _spelled(network, args.taken_by)
    async with database.unit_of_work(CROSS_TENANT) as session:
        currencies = await store.currencies_of(session, args.network)
    keeper.register(database, settings.api.public_url)
    chain = connect(args.network, network, currencies)
    readers = list(chain.witnesses.values()) or [chain.reader]
    end = "completed" if args.paid else "failed"
    try:
        async with aclosing(chain.endpoints):
            if args.taken_by is None:
                end = await _judge(database, network, chain, readers, args) or end
            else:
                await require_history(settings, database, args.network)
                await _displace(database, network, chain, readers, args)
    except (NotSettled, Unread) as refusal:
        sys.stderr.write(f"watchers: {refusal}\n")
        return 1
    sys.stdout.write(f"{args.order}: {end}\n")
    return 0


def _octets(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _spelled(network: NetworkSettings, text: str) -> str:
    """Return the hash as blocks spell it."""
    try:
        return locator(network.family).spelled(text)
    except ValueError as fault:
        raise SettingsError(f"--taken-by: {fault}") from fault


async def _judge(
    database: Database,
    network: NetworkSettings,
    chain: Chain,
    readers: Sequence[ChainReader],
    args: argparse.Namespace,
) -> str | None:
    """End the order; where it is only let go to be taken back, return what becomes of it."""

    async def locate(reader: ChainReader, tx_hash: str) -> int | None:
        node = reader.reader if isinstance(reader, Witness) else reader
        return await locator(network.family).locate(node, tx_hash)

    person = getpass.getuser()
    judgement = Judgement(args.network, args.order, args.paid, person, args.reason)
    edited = own_bytes.by(chain.writer.verify)
    if await unread.waits(database, args.network, args.order):
        await unread.believe(database, readers, judgement, now(), locate, edited=edited)
        return unread.LET_GO
    await repeated(
        args.order,
        lambda: judged.settle(database, readers, judgement, now(), locate, edited=edited),
    )
    return None


async def _displace(
    database: Database,
    network: NetworkSettings,
    chain: Chain,
    readers: Sequence[ChainReader],
    args: argparse.Namespace,
) -> None:
    if not chain.numbered and chain.lanes is None:
        raise NotSettled(f"{args.network}: no transaction takes another's place here")
    place = await displaced.place_of(database, args.network, args.order)
    said: dict[str, Placed | Exception | None] = {}
    for label, node in chain.endpoints.alone().items():
        try:
            said[label] = await placed(network, node, args.taken_by, place, args.raw)
        except ValueError as fault:
            raise SettingsError(f"--{fault}") from fault
        except (Incomplete, NodeUnavailable, WrongChain) as trouble:
            said[label] = trouble
    where = displaced.agreed(said, network.witnesses_needed)
    for _ in range(SCAN_SECONDS):
        # Our scan has to come as far as the nodes showed the place to be taken.
        if await displaced.reached(database, args.network, where.gone_at):
            break
        await asyncio.sleep(1)
    told = Displacement(
        network=args.network,
        order_id=args.order,
        tx_hash=args.taken_by,
        placed=where,
        paid=args.paid,
        person=getpass.getuser(),
        reason=args.reason,
    )
    await repeated(args.order, lambda: displaced.settle(database, readers, told, now()))
