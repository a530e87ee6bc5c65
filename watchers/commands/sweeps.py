"""`watchers sweeps NETWORK`: what was swept at what cost, what is under way, what waits and why."""

import argparse
import re
from collections.abc import Iterable

from sqlalchemy import select

from gateway.db import CROSS_TENANT, Database
from gateway.domain.money import to_text
from gateway.models import Attempt, Currency, Sweep, Unswept
from gateway.settings import Settings, SettingsError
from watchers import store
from watchers.commands import gather
from watchers.sweep import turned
from watchers.sweep.rows import Cost, costs

NEWEST = 20
LIMIT_MAX = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("network")
    parser.add_argument(
        "--limit", type=_limit, default=NEWEST, help="sweeps and waiting addresses"
    )
    parser.add_argument(
        "--gather",
        metavar="DEPOSIT",
        help="bring a deposit that is account_not_canonical to where a sweep reaches it",
    )
    parser.add_argument("--reason", help="why, for the audit log")


def _limit(text: str) -> int:
    """Read a number of rows; what is none or too many is the caller's mistake."""
    found = int(text) if re.fullmatch("[0-9]{1,5}", text) else 0
    if not 1 <= found <= LIMIT_MAX:
        raise argparse.ArgumentTypeError(f"a number from 1 to {LIMIT_MAX}")
    return found


async def command(settings: Settings, database: Database, args: argparse.Namespace) -> int:
    """Print tables: cost by asset, newest sweeps, what waits, what a rewritten chain left to land."""
    if args.network not in settings.networks:
        raise SettingsError(f"networks.{args.network}: there is no such network")
    if args.gather is not None:
        name, deposit = args.network, args.gather
        return await gather.command(settings, database, name, deposit, args.reason)
    newest = select(Sweep).where(Sweep.network_id == args.network).order_by(Sweep.id.desc())
    waiting = select(Unswept).where(Unswept.network_id == args.network).order_by(Unswept.since)
    async with database.unit_of_work(CROSS_TENANT) as session:
        currencies = await store.currencies_of(session, args.network)
        rows = (await session.scalars(newest.limit(args.limit))).all()
        left = (await session.scalars(waiting.limit(args.limit))).all()
        done = await costs(session, args.network)
        judged = await turned.waiting(session, args.network)
    by_id = {currency.id: currency for currency in currencies}
    native = next(each for each in currencies if each.contract is None)
    lines = [*_costs(done, native), "", *_sweeps(rows, by_id, native)]
    lines += ["", *_waiting(left, by_id), *rewritten(judged)]
    print("\n".join(lines))  # noqa: T201 - the command's answer
    return 0


def _costs(done: Iterable[Cost], native: Currency) -> list[str]:
    lines = [
        f"{'asset':<16}{'sweeps':>8}{'cost each':>24}{'rent back each':>24}  {native.code}"
    ]
    for each in done:
        cost, rent = (
            to_text(units // max(1, each.sweeps), native.decimals)
            for units in (each.cost_units, each.returned_units)
        )
        lines.append(f"{each.currency_id:<16}{each.sweeps:>8}{cost:>24}{rent:>24}")
    return lines


def _sweeps(rows: Iterable[Sweep], by_id: dict[str, Currency], native: Currency) -> list[str]:
    lines = [f"{'sweep':<32}{'asset':<16}{'amount':>24}{'cost':>24}  state"]
    for row in rows:
        amount = to_text(row.units, by_id[row.currency_id].decimals)
        cost = to_text(row.cost_units, native.decimals)
        why = row.failure_reason or row.blocked_reason or row.reason
        lines.append(
            f"{row.id:<32}{row.currency_id:<16}{amount:>24}{cost:>24}  {row.state}: {why}"
        )
    return lines


def _waiting(rows: Iterable[Unswept], by_id: dict[str, Currency]) -> list[str]:
    lines = [f"{'waits at':<46}{'asset':<16}{'amount':>24}  why"]
    for row in rows:
        amount = to_text(row.units, by_id[row.currency_id].decimals)
        why = row.reason or "not looked at yet"
        lines.append(f"{row.address:<46}{row.currency_id:<16}{amount:>24}  {why}")
    return lines


def rewritten(judged: Iterable[Attempt]) -> list[str]:
    """Return what keeps its addresses until it lands or is taken back; nothing where nothing does."""
    lines = [
        f"{each.order_id:<32}{each.sender:<46}  {each.last_answer or 'not sent yet'}"
        for each in judged
    ]
    head = f"{'its chain was rewritten':<32}{'address':<46}  nodes say; `watchers cancel` takes it back"
    return ["", head, *lines] if lines else []
