"""`watchers adopt-nonce NETWORK --reason TEXT`: go on where the chain is, if its count is ahead of ours."""

import argparse
import getpass
import sys
from collections.abc import Sequence
from contextlib import aclosing

from gateway.audit.reason import stated
from gateway.db import CROSS_TENANT, Database
from gateway.settings import NetworkSettings, Settings, SettingsError
from watchers import store
from watchers.clock import now
from watchers.commands.history import Unread, require_history
from watchers.families import connect, final_count
from watchers.network import Incomplete, NodeUnavailable, WrongChain
from watchers.pay import ahead
from watchers.pay.ahead import NotAdopted

TAKEN = (
    "{order}: its place is taken: watchers settle {network} {order} --failed --taken-by HASH\n"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's words."""
    parser.add_argument("network")
    parser.add_argument("--reason", required=True, help="why; it stands in the audit log")


async def command(settings: Settings, database: Database, args: argparse.Namespace) -> int:
    """Ask keystore and nodes, then take the count over; 1 where it must not be."""
    name, reason = args.network, stated(args.reason)
    network = settings.networks.get(name)
    if network is None:
        raise SettingsError(f"networks.{name}: there is no such network")
    try:
        await require_history(settings, database, name)
        async with database.unit_of_work(CROSS_TENANT) as session:
            addresses = await ahead.wallets(session, name)
        counts = await _counts(database, name, network, addresses)
        async with database.unit_of_work(CROSS_TENANT) as session:
            adopted = await ahead.adopt(
                session, name, counts, now(), person=getpass.getuser(), reason=reason
            )
    except (NotAdopted, Unread) as refusal:
        sys.stderr.write(f"watchers: {refusal}\n")
        return 1
    for each in adopted:
        sys.stdout.write(f"{each.address}: next nonce {each.after}, was {each.before}\n")
        sys.stdout.writelines(TAKEN.format(order=order, network=name) for order in each.dead)
    return 0


async def _counts(
    database: Database, name: str, network: NetworkSettings, addresses: Sequence[str]
) -> dict[str, int]:
    """Return what the nodes agree on, by address."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        currencies = await store.currencies_of(session, name)
    chain = connect(name, network, currencies)
    async with aclosing(chain.endpoints):
        if not chain.numbered:
            raise NotAdopted(f"{name}: this network does not number transactions")
        counts = {}
        for address in addresses:
            said: dict[str, int | Exception] = {}
            for label, node in chain.endpoints.alone().items():
                try:
                    said[label] = await final_count(network, node, address)
                except (Incomplete, NodeUnavailable, WrongChain) as trouble:
                    said[label] = trouble
            counts[address] = ahead.agreed(address, said, network.witnesses_needed)
    return counts
