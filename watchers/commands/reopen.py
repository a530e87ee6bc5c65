"""`watchers reopen NETWORK`: go on where its chain was rewritten below what was final.

Without `--from` it only shows what it would do. With the height that it showed, and a reason, it
does it: that height is the operator's word that he compared the block with others.
"""

import argparse
import getpass
import sys
from collections.abc import Iterable, Sequence
from contextlib import aclosing

from gateway.audit.reason import stated
from gateway.db import CROSS_TENANT, Database
from gateway.domain.money import to_text
from gateway.models import Currency
from gateway.postgres.url import role_url
from gateway.settings import Settings, SettingsError
from watchers import store
from watchers.addresses import AddressBook
from watchers.chain import Chain
from watchers.clock import now
from watchers.contention import repeated
from watchers.families import connect, locator
from watchers.network import Incomplete, NodeUnavailable, WrongChain
from watchers.scan import reopen
from watchers.scan.doubted import Doubted
from watchers.scan.forks import CannotReopen
from watchers.scan.reopen import Order, Plan
from watchers.scan.track import Track
from watchers.sweep import keeper


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's words."""
    parser.add_argument("network")
    first = "forget our blocks from this height on: the one that it shows without this"
    parser.add_argument("--from", type=int, dest="first", metavar="HEIGHT", help=first)
    parser.add_argument("--reason", help="why; it stands in the audit log")


async def command(settings: Settings, database: Database, args: argparse.Namespace) -> int:
    """Show it, or do it where the height is named; 1 where it cannot be."""
    network = settings.networks.get(args.network)
    if network is None:
        raise SettingsError(f"networks.{args.network}: there is no such network")
    if (args.first is None) != (args.reason is None):
        raise SettingsError("--from and --reason: both, or neither to look first")
    reason = None if args.reason is None else stated(args.reason)
    async with database.unit_of_work(CROSS_TENANT) as session:
        currencies = await store.currencies_of(session, args.network)
    chain = connect(args.network, network, currencies)
    try:
        async with aclosing(chain.endpoints):
            await chain.reader.check_identity()
            track = await _track(settings, database, chain, args.network, currencies)
            plan = await reopen.planned(track)
        sys.stdout.writelines(f"{line}\n" for line in lines(plan, currencies))
        if reason is not None:
            await _do(settings, plan, args.first, reason)
    except (CannotReopen, Incomplete, NodeUnavailable, WrongChain) as refusal:
        sys.stderr.write(f"watchers: {refusal}\n")
        return 1
    return 0


async def _do(settings: Settings, plan: Plan, first: int, reason: str) -> None:
    """Carry it out as the owner of the database: no watcher may take back what was final."""
    if first != plan.fork.first:
        raise CannotReopen(f"--from: the chains part at {plan.fork.first}, not at {first}")
    owner = Database(role_url(settings, "owner"), pool_size=1)
    keeper.register(owner, settings.api.public_url)
    try:
        order = Order(getpass.getuser(), reason, settings.api.public_url)
        await repeated(
            plan.position.network, lambda: reopen.carry_out(owner, plan, order, now())
        )
    finally:
        await owner.aclose()
    sys.stdout.write(f"reopened: the watcher reads again from {first}\n")


async def _track(
    settings: Settings,
    database: Database,
    chain: Chain,
    name: str,
    currencies: Sequence[Currency],
) -> Track:
    network = settings.networks[name]
    async with database.unit_of_work(CROSS_TENANT) as session:
        position = await store.position_of(session, name)
    if position is None:
        raise CannotReopen(f"{name}: never scanned")
    return Track(
        chain.reader,
        database,
        currencies,
        AddressBook(settings.keystore.pool_public_key),
        position,
        settings.api.public_url,
        dense=chain.dense,
        witnesses=chain.witnesses,
        quorum=network.witnesses_needed,
        locate=locator(network.family).locate,
    )


def lines(plan: Plan, currencies: Iterable[Currency]) -> list[str]:
    """Return the plan as a person reads it."""
    decimals = {currency.id: currency.decimals for currency in currencies}

    def said(each: Doubted) -> str:
        units = to_text(each.claim.transfer.units, decimals[each.currency_id])
        owner = each.merchant_id or "nobody"
        return f"{each.claim.id} of {owner}, {units} {each.currency_id}"

    position, fork = plan.position, plan.fork
    return [
        f"halted    {position.halted}",
        f"from      {fork.first}: {fork.base.height} is the last block that stands",
        f"blocks    {plan.blocks} forgotten, up to {position.height}",
        *(f"stays     {said(each)}: in block {_height(each)} there" for each in plan.kept),
        *(f"reversed  {said(each)}: in no final block there" for each in plan.gone),
        *(
            f"judged    {each.order_id} ({each.purpose}) {each.state} in {each.height or 'no block'}: "
            f"{each.tx_hash}"
            for each in plan.orders
        ),
    ]


def _height(each: Doubted) -> int | None:
    return None if each.stands is None else each.stands.height
