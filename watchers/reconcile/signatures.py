"""The keystore's journal against our rows: what it signed, transaction by transaction.

Balances, ledger and rows may agree and be wrong together, where somebody edited or deleted a row
by hand. The keystore has a memory of its own: each look goes on through its journal where the
last one ended, begins again after its end, and takes along every number that has no row. Numbers
that our rows do not know yet are for the payouts to take over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.db import CROSS_TENANT, Database
from gateway.models import Currency
from keystore.api import Remembered
from keystore.client import KeystoreClient
from watchers.chain import asset_key, asset_of
from watchers.clock import now
from watchers.pay import holds
from watchers.pay.numbers import highest_known
from watchers.reconcile import signature_rows
from watchers.reconcile.signed import Finding, compared

log = structlog.get_logger()
LOOK_MAX = 2_000
"""Transactions of one look; the keystore shows them ten at a time."""
AGAIN_MAX = 50
"""Transactions that are looked at out of their turn."""
FINDINGS_MAX = 200
"""Findings of one look that are written down: the first ones hold the assets already."""


@dataclass(frozen=True, slots=True)
class Signatures:
    """Compares what was signed for one network with our rows, and holds what differs."""

    name: str
    database: Database
    keystore: KeystoreClient
    currencies: Sequence[Currency]
    look: int = LOOK_MAX

    async def round(self) -> None:
        """Look at the next part of the journal; raise `KeystoreUnavailable` where it is silent."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            known = await highest_known(session, self.name)
            mark = await signature_rows.mark_of(session, self.name)
            doubtful = await signature_rows.rowless(session, self.name, AGAIN_MAX)
        payments, mark = await self._next(mark, known)
        for number in doubtful:
            payments += await self._numbered(number)
        shorter = known > 0 and not await self._numbered(known)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            if await highest_known(session, self.name) < known:
                return  # put back to an older copy meanwhile: the next look begins with that
            ours = await signature_rows.unnumbered(session, self.name, AGAIN_MAX)
            if shorter:
                ours.append(await signature_rows.under(session, self.name, known))
            await self._judge(session, payments, ours)
            await signature_rows.go_on(session, self.name, mark, now().at)

    async def _next(self, mark: int, known: int) -> tuple[list[Remembered], int]:
        """Read on from `mark`; return what our rows should know, and where to go on."""
        found: list[Remembered] = []
        while len(found) < self.look:
            page = await self.keystore.history(self.name, mark)
            found += [each for each in page if each.signed.number <= known]
            if not page or page[-1].signed.number >= known:
                return found, 0
            mark = page[-1].signed.number
        return found, mark

    async def _numbered(self, number: int) -> list[Remembered]:
        """Return the transaction of this number; none where the journal does not have it."""
        page = await self.keystore.history(self.name, number - 1)
        return [each for each in page if each.signed.number == number]

    async def _judge(
        self, session: AsyncSession, payments: Sequence[Remembered], ours: Sequence[Finding]
    ) -> None:
        """Write down what differs, and `ours` that the journal lacks; forget what agrees."""
        hashes = [each.signed.tx_hash for each in payments]
        rows = await signature_rows.of(session, self.name, hashes, self.currencies)
        found = {
            each.signed.tx_hash: compared(each, rows.get(each.signed.tx_hash))
            for each in payments
        }
        alone = {each.tx_hash for each in ours}
        right = {tx_hash for tx_hash, finding in found.items() if finding is None} - alone
        await signature_rows.forget(session, self.name, right, alone)
        wrong = [*ours, *(finding for finding in found.values() if finding is not None)]
        for finding in wrong[:FINDINGS_MAX]:
            await self._note(session, finding)
        await self._hold(session)

    async def _note(self, session: AsyncSession, finding: Finding) -> None:
        """Keep a finding with the assets that it moves; with all where it is none that we list."""
        assets = frozenset(map(asset_key, finding.assets))
        moved = [each for each in self.currencies if asset_of(each) in assets]
        for currency in moved or self.currencies:
            if await signature_rows.note(session, currency, finding, now().at):
                log.error(
                    "a signature and its row differ",
                    payment_method=currency.id,
                    tx=finding.tx_hash,
                    order=finding.order_id,
                    reason=finding.reason,
                )

    async def _hold(self, session: AsyncSession) -> None:
        """Let the assets wait that nobody bears; the end of a turn lets them go again."""
        drifts = await signature_rows.disagreeing(session, self.name)
        new = [drift for drift in drifts if not drift.acknowledged]
        for currency_id, of_asset in groupby(new, key=attrgetter("currency_id")):
            reason = signature_rows.told(list(of_asset))
            await holds.put(session, self.name, currency_id, holds.DRIFT, reason, at=now().at)
