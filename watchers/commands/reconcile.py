"""`watchers reconcile NETWORK`: the three figures per asset, and letting an asset pay again.

The figures are base units at one final block: what the chain holds, what the ledger owes, and
what our rows expect (arrivals less the transactions we had signed). The running watcher compares
each of those transactions with the keystore's journal; what differs stands below its asset.
"""

import argparse
import getpass
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.audit import service as audit
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import Actor
from gateway.models import (
    AddressDrift,
    AssetHold,
    Currency,
    Reconciliation,
    SignatureDrift,
    SignatureMark,
)
from gateway.settings import Settings, SettingsError
from watchers.clock import now
from watchers.commands import look
from watchers.pay import holds
from watchers.reconcile.outcome import Drifts, acknowledge, borne, drifting, of_currency
from watchers.reconcile.rules import Borne, standing
from watchers.reconcile.signature_rows import disagreeing

UNKNOWN = "unknown"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's words."""
    parser.add_argument("network")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--resume", metavar="ASSET", help="bear the drift of a payment method")
    parser.add_argument(
        "--release",
        metavar="ASSET",
        help="end its hold for signed payments that no row asks for",
    )
    parser.add_argument("--reason", help="why, for the audit log")
    parser.add_argument("--address", help="compare this pool address now, whoever waits for it")


async def command(settings: Settings, database: Database, args: argparse.Namespace) -> int:
    """Print or resume; 1 where an asset's payouts wait."""
    if args.network not in settings.networks:
        raise SettingsError(f"networks.{args.network}: there is no such network")
    if args.address is not None:
        name, address = args.network, args.address
        return await look.command(settings, database, name, address, as_json=args.json)
    if args.resume is not None:
        return await _resume(database, args.network, args.resume, args.reason)
    if args.release is not None:
        return await _release(database, args.network, args.release, args.reason)
    async with database.unit_of_work(CROSS_TENANT) as session:
        assets = await _assets(session, args.network)
        mark = await session.get(SignatureMark, args.network)
    if not assets:
        raise SettingsError(
            f"networks.{args.network}: not in the database, run `gateway migrate`"
        )
    if args.json:
        checked = None if mark is None else mark.checked_at
        document = {
            "network": args.network,
            "signatures_checked_at": checked,
            "assets": assets,
        }
        print(msgspec.json.encode(document).decode())  # noqa: T201 - the command's answer
    else:
        print(_table(assets))  # noqa: T201 - the command's answer
    return int(any(asset["holds"] for asset in assets))


async def _assets(session: AsyncSession, network: str) -> list[dict[str, Any]]:
    query = (
        select(Currency, Reconciliation)
        .outerjoin(Reconciliation, Reconciliation.currency_id == Currency.id)
        .where(Currency.network_id == network)
        .order_by(Currency.id)
    )
    drifts = await drifting(session, network)
    signed = await disagreeing(session, network)
    held = await holds.of_network(session, network)
    return [
        _asset(
            currency,
            row,
            of_currency(currency.id, drifts, signed),
            [hold for hold in held if hold.currency_id == currency.id],
        )
        for currency, row in await session.execute(query)
    ]


def _asset(
    currency: Currency,
    row: Reconciliation | None,
    drifts: Drifts,
    held: Sequence[AssetHold],
) -> dict[str, Any]:
    """Shape one asset; amounts are decimal strings of base units."""
    looked: dict[str, Any] = {}
    state = UNKNOWN
    if row is not None:
        unbooked = Borne(row.expected_units - row.ledger_units, row.acknowledged_units)
        state = standing(unbooked, borne(drifts))
        looked = {
            "height": row.height,
            "chain_units": str(row.chain_units),
            "ledger_units": str(row.ledger_units),
            "expected_units": str(row.expected_units),
            "addresses": row.addresses,
            "checked_at": row.checked_at,
        }
    return {
        "payment_method": currency.id,
        "state": str(state),
        **looked,
        "drifts": [_drift(drift) for drift in drifts[0]],
        "signatures": [_signature(drift) for drift in drifts[1]],
        "holds": [
            {
                "cause": hold.cause,
                "address": hold.address,
                "reason": hold.reason,
                "since": hold.since,
            }
            for hold in held
        ],
    }


def _drift(drift: AddressDrift) -> dict[str, Any]:
    return {
        "address": drift.address,
        "units": str(drift.units),
        "acknowledged_units": str(drift.acknowledged_units),
        "reason": drift.reason,
        "since": drift.since,
    }


def _signature(drift: SignatureDrift) -> dict[str, Any]:
    """Shape a transaction of which journal and rows differ; `number` is the keystore's."""
    return {
        "tx": drift.tx_hash,
        "order": drift.order_id,
        "number": drift.number,
        "signed_units": str(drift.signed_units),
        "known_units": str(drift.known_units),
        "acknowledged": drift.acknowledged,
        "reason": drift.reason,
        "since": drift.since,
    }


def _table(assets: Sequence[dict[str, Any]]) -> str:
    heads = ("method", "chain", "ledger", "expected", "height", "state")
    lines = ["{:<18}{:>26}{:>26}{:>26}{:>12}  {}".format(*heads)]
    for asset in assets:
        figures = [asset.get(f"{name}_units", "-") for name in ("chain", "ledger", "expected")]
        lines.append(
            "{:<18}{:>26}{:>26}{:>26}{:>12}  {}".format(
                asset["payment_method"], *figures, asset.get("height", "-"), asset["state"]
            )
        )
        lines += [
            f"  {drift['address']} {drift['units']}: {drift['reason']}"
            for drift in asset["drifts"]
        ]
        lines += [
            f"  signed {each['signed_units']}, rows say {each['known_units']}:"
            f" {each['order']} as {each['tx']}: {each['reason']}"
            for each in asset["signatures"]
        ]
        lines += [
            f"  held ({hold['cause']}) {hold['address']} {hold['reason']}"
            for hold in asset["holds"]
        ]
    return "\n".join(lines)


async def _resume(
    database: Database, network: str, currency_id: str, reason: str | None
) -> int:
    if not reason:
        raise SettingsError("--reason: say why the drift is borne")
    moment = now()
    actor = Actor(f"operator:{getpass.getuser()}", None, frozenset(), livemode=False)
    async with database.unit_of_work(CROSS_TENANT) as session:
        currency = await session.get(Currency, currency_id)
        if currency is None or currency.network_id != network:
            raise SettingsError(f"--resume: {currency_id} is not a payment method of {network}")
        try:
            borne = await acknowledge(session, currency_id)
        except LookupError as fault:
            raise SettingsError(f"--resume: {fault}") from fault
        await audit.record(
            session,
            actor,
            moment,
            action="reconciliation.acknowledge",
            subject=currency_id,
            before={"drift": borne},
            after={"reason": reason},
        )
    sys.stderr.write(f"{currency_id}: borne {borne}\n")
    return 0


async def _release(
    database: Database, network: str, currency_id: str, reason: str | None
) -> int:
    if not reason:
        raise SettingsError("--reason: say what became of the payments")
    moment = now()
    actor = Actor(f"operator:{getpass.getuser()}", None, frozenset(), livemode=False)
    async with database.unit_of_work(CROSS_TENANT) as session:
        hold = await session.get(AssetHold, (currency_id, holds.LOST, ""))
        if hold is None or hold.network_id != network:
            raise SettingsError(
                f"--release: no signed payment holds {currency_id} of {network}"
            )
        await holds.lift(session, currency_id, holds.LOST)
        await audit.record(
            session,
            actor,
            moment,
            action="lost_payment.release",
            subject=currency_id,
            before={"held": hold.reason},
            after={"reason": reason},
        )
    sys.stderr.write(f"{currency_id}: released\n")
    return 0
