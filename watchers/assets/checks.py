"""Every hour: whether each listed token is still what it was when it was listed.

A token that changed is suspended until an operator accepts it as it is: nobody is offered it, its
payouts wait, and its deposits are recorded and wait as pending. One that its issuer froze or
paused is held too, but what has arrived stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.models import AssetCheck, Currency
from gateway.settings import AssetSettings, NetworkSettings
from watchers.assets.rules import (
    AssetInspector,
    Finding,
    Inspection,
    Terms,
    changes,
    judged,
    refusals,
)
from watchers.chain import asset_of
from watchers.clock import now
from watchers.network import Incomplete, NodeUnavailable
from watchers.pay import holds
from watchers.reconcile import books

log = structlog.get_logger()
HOLDERS_MAX = 500
EVERY_SECONDS = 3600.0
TURN = timedelta(seconds=EVERY_SECONDS)
REASON_MAX = 300


@dataclass(slots=True)
class AssetChecks:
    """Looks at one network's tokens."""

    name: str
    settings: NetworkSettings
    inspector: AssetInspector
    database: Database
    currencies: Sequence[Currency]

    _last: int = field(default=0, init=False)
    """Pool row up to which holders were asked about; the next turn goes on behind it."""
    _next: int = field(default=0, init=False)
    _seen: set[str] = field(default_factory=set, init=False)
    """Currencies that need not be looked at again in this turn, however often it is tried."""
    _began: datetime | None = field(default=None, init=False)

    async def round(self) -> None:
        """Look at every token once; trouble with one comes up when all were looked at."""
        at = now().at
        if self._began is None or at - self._began >= TURN:
            # A token that cannot be looked at keeps the others from nothing.
            self._began, self._seen, self._last = at, set(), self._next
        holders, frozen = await self._holders()
        troubles: list[NodeUnavailable | Incomplete] = []
        for currency in self.currencies:
            listed = currency.contract is not None and currency.enabled
            if not listed or currency.id in self._seen:
                continue
            asked = [*holders, *frozen.get(currency.id, ())]
            try:
                inspection = await self.inspector.inspect(asset_of(currency), asked)
            except (NodeUnavailable, Incomplete) as trouble:
                troubles.append(trouble)
                await self._doubt(currency, str(trouble))
                continue
            await self._keep(currency, inspection)
            self._seen.add(currency.id)
        if troubles:
            raise troubles[0]
        self._began = None

    async def _holders(self) -> tuple[list[str], dict[str, list[str]]]:
        """Return wallets and the next pool addresses, and by currency those that were frozen."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            wallets = await books.application_wallets(session, self.name)
            live = await books.live_addresses(session, self.name, self._last, HOLDERS_MAX)
            standing = await holds.of_network(session, self.name)
        self._next = live[-1][0] if len(live) == HOLDERS_MAX else 0
        frozen: dict[str, list[str]] = {}
        for hold in standing:
            if hold.cause == holds.FROZEN:
                frozen.setdefault(hold.currency_id, []).append(hold.address)
        return [*wallets, *(address for _, address in live)], frozen

    async def _doubt(self, currency: Currency, reason: str) -> None:
        """Hold a token that nobody could look at yet; one that was accepted stands."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            if await session.get(AssetCheck, currency.id) is None:
                unseen = f"nobody could look at it yet: {reason}"[:REASON_MAX]
                await _hold(session, currency, holds.REFUSED, unseen)

    async def _keep(self, currency: Currency, inspection: Inspection) -> None:
        findings = judged(inspection, terms_of(self.settings, currency))
        refused = refusals(findings)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            row = await session.get(AssetCheck, currency.id, with_for_update=True)
            changed = ""
            if row is not None:
                changed = changes(row.decimals, row.fingerprint, inspection)
                row.findings, row.checked_at = documents(findings), now().at
            elif not refused:
                await accept(session, currency, inspection, findings)
            standing = {
                holds.REFUSED: refused,
                holds.CHANGED: changed,
                holds.PAUSED: "its issuer has paused it" if inspection.paused else "",
            }
            for cause, reason in standing.items():
                await _hold(session, currency, cause, reason)
            await _freeze(session, currency, inspection.frozen)


def terms_of(settings: NetworkSettings, currency: Currency) -> Terms:
    """Return what the configuration says about a listed currency."""
    asset = next((each for each in settings.assets if each.code == currency.code), None)
    return terms(asset) if asset is not None else Terms(currency.decimals)


def terms(asset: AssetSettings) -> Terms:
    """Return what the configuration pins and accepts for one asset."""
    return Terms(asset.decimals, asset.fee_on_transfer, frozenset(asset.allowed_extensions))


def documents(findings: Sequence[Finding]) -> list[dict[str, object]]:
    """Shape findings for the database and for people."""
    return [
        {"code": each.code, "text": each.text, "refuses": each.refuses} for each in findings
    ]


async def accept(
    session: AsyncSession,
    currency: Currency,
    inspection: Inspection,
    findings: Sequence[Finding],
) -> None:
    """Take an asset as it is now for the one that was listed."""
    values = {
        "decimals": inspection.decimals,
        "fingerprint": dict(inspection.fingerprint),
        "findings": documents(findings),
        "checked_at": now().at,
    }
    await session.execute(
        insert(AssetCheck)
        .values(currency_id=currency.id, network_id=currency.network_id, **values)
        .on_conflict_do_update(index_elements=["currency_id"], set_=values)
    )
    await holds.lift(session, currency.id, holds.CHANGED)


async def _hold(session: AsyncSession, currency: Currency, cause: str, reason: str) -> None:
    network = currency.network_id
    if not reason:
        # What changed stays suspended even if it changes back: only a person resumes it.
        if cause != holds.CHANGED and await holds.lift(session, currency.id, cause):
            log.info("asset released", payment_method=currency.id, cause=cause)
        return
    if await holds.put(session, network, currency.id, cause, reason, at=now().at):
        log.error("asset held", payment_method=currency.id, cause=cause, reason=reason)


async def _freeze(session: AsyncSession, currency: Currency, frozen: frozenset[str]) -> None:
    """Note which addresses of ours cannot move this asset; what lies there stays credited."""
    before = {
        hold.address
        for hold in await holds.of_network(session, currency.network_id)
        if (hold.currency_id, hold.cause) == (currency.id, holds.FROZEN)
    }
    for address in sorted(frozen - before):
        reason = f"its issuer has frozen {address}"
        await holds.put(
            session,
            currency.network_id,
            currency.id,
            holds.FROZEN,
            reason,
            at=now().at,
            address=address,
        )
        log.error("address frozen", payment_method=currency.id, address=address)
    for address in sorted(before - frozen):
        await holds.lift(session, currency.id, holds.FROZEN, address=address)
