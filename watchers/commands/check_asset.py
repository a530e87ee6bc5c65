"""`watchers check-asset NETWORK CODE|CONTRACT`: whether a token may be listed and is still the same."""

import argparse
import getpass
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import select

from gateway.audit import service as audit
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import Actor
from gateway.models import AssetCheck, Currency
from gateway.settings import AssetSettings, NetworkSettings, Settings, SettingsError
from watchers.assets.checks import HOLDERS_MAX, accept, documents, terms
from watchers.assets.rules import Finding, Inspection, Terms, changes, judged, refusals
from watchers.chain import asset_key
from watchers.clock import now
from watchers.families import asset_inspector, connect
from watchers.network import Incomplete, NodeUnavailable
from watchers.reconcile import books


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's words."""
    parser.add_argument("network")
    parser.add_argument("asset", metavar="CODE|CONTRACT")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--accept", action="store_true", help="take a listed asset that changed as it is now"
    )
    parser.add_argument("--reason", help="with --accept: why, for the audit log")


async def command(settings: Settings, database: Database, args: argparse.Namespace) -> int:
    """Look and print; 1 where the asset is refused or has changed."""
    network = settings.networks.get(args.network)
    if network is None:
        raise SettingsError(f"networks.{args.network}: there is no such network")
    if args.accept and not args.reason:
        raise SettingsError("--reason: say why the asset is accepted as it is")
    listed = _listed(network, args.asset)
    contract = args.asset if listed is None else listed.contract
    if contract is None:
        raise SettingsError(f"{args.asset}: the network's own coin has no contract to look at")
    currency, row, holders = await _known(database, args.network, contract)
    inspection = await _inspection(args.network, network, contract, holders)
    agreed = Terms(inspection.decimals or 0) if listed is None else terms(listed)
    findings = judged(inspection, agreed)
    changed = "" if row is None else changes(row.decimals, row.fingerprint, inspection)
    if args.accept:
        await _accept(database, currency, inspection, findings, args.reason)
        changed = ""
    document = _document(contract, inspection, findings, changed)
    print(msgspec.json.encode(document).decode() if args.json else _text(document))  # noqa: T201
    return int(bool(changed or refusals(findings)))


def _listed(network: NetworkSettings, wanted: str) -> AssetSettings | None:
    for asset in network.assets:
        same = asset.contract and asset_key(asset.contract) == asset_key(wanted)
        if same or asset.code == wanted:
            return asset
    return None


async def _known(
    database: Database, network: str, contract: str
) -> tuple[Currency | None, AssetCheck | None, list[str]]:
    """Return the listed currency, what it looked like when accepted, and addresses of ours."""
    async with database.unit_of_work(CROSS_TENANT) as session:
        query = select(Currency).where(Currency.network_id == network)
        rows = (await session.scalars(query)).all()
        currency = next(
            (
                row
                for row in rows
                if row.contract and asset_key(row.contract) == asset_key(contract)
            ),
            None,
        )
        row = None if currency is None else await session.get(AssetCheck, currency.id)
        holders = await books.application_wallets(session, network)
        live = await books.live_addresses(session, network, 0, HOLDERS_MAX)
    return currency, row, [*holders, *(address for _, address in live)]


async def _inspection(
    name: str, network: NetworkSettings, contract: str, holders: Sequence[str]
) -> Inspection:
    chain = connect(name, network, [])
    try:
        await chain.reader.check_identity()
        inspector = asset_inspector(network, chain.endpoints)
        return await inspector.inspect(asset_key(contract), holders)
    except (Incomplete, NodeUnavailable, ValueError) as trouble:
        raise SettingsError(f"networks.{name}: {contract}: {trouble}") from trouble
    finally:
        await chain.endpoints.aclose()


async def _accept(
    database: Database,
    currency: Currency | None,
    inspection: Inspection,
    findings: Sequence[Finding],
    reason: str,
) -> None:
    if currency is None:
        raise SettingsError("--accept: this asset is not listed")
    if refused := refusals(findings):
        raise SettingsError(f"--accept: {refused}")
    actor = Actor(f"operator:{getpass.getuser()}", None, frozenset(), livemode=False)
    async with database.unit_of_work(CROSS_TENANT) as session:
        row = await session.get(AssetCheck, currency.id, with_for_update=True)
        before = None if row is None else dict(row.fingerprint)
        await accept(session, currency, inspection, findings)
        await audit.record(
            session,
            actor,
            now(),
            action="asset.accept",
            subject=currency.id,
            before=before,
            after={**inspection.fingerprint, "reason": reason},
        )


def _document(
    contract: str, inspection: Inspection, findings: Sequence[Finding], changed: str
) -> dict[str, Any]:
    return {
        "asset": contract,
        "listable": not refusals(findings),
        "decimals": inspection.decimals,
        "changed": changed or None,
        "paused": inspection.paused,
        "frozen": sorted(inspection.frozen),
        "findings": documents(findings),
        "fingerprint": dict(inspection.fingerprint),
    }


def _text(document: dict[str, Any]) -> str:
    lines = [f"{document['asset']}: {'may be listed' if document['listable'] else 'refused'}"]
    lines.append(f"  decimals: {document['decimals']}")
    for finding in document["findings"]:
        word = "refused" if finding["refuses"] else "warning"
        lines.append(f"  {word}: {finding['code']}: {finding['text']}")
    if document["changed"]:
        lines.append(f"  changed since it was accepted: {document['changed']}")
    if document["paused"]:
        lines.append("  paused by its issuer")
    lines += [f"  frozen by its issuer: {address}" for address in document["frozen"]]
    lines += [f"  {name}: {value}" for name, value in document["fingerprint"].items()]
    return "\n".join(lines)
