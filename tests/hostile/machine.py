"""A network's whole machine in one process, behind a node that lies: real chain, real keystore.

The keystore has a policy: every payout needs a person. What the tests look at (balances, blocks)
they ask of the chain itself, never of the liar.
"""

import json
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from devnet.chain import NATIVE
from gateway.db import CROSS_TENANT
from gateway.models import Attempt, Withdrawal
from keystore import api
from tests.hostile.liar import Liar, honest
from tests.hostile.policy import ALICE
from tests.hostile.report import Report
from tests.keystore.house import House
from tests.watchers.sweep_world import SweepWorld
from tests.watchers.test_pay_chains import ask
from watchers.loops import TROUBLE
from watchers.pay.orders import Orders
from watchers.policy import Policies

TURNS_MAX = 40
WHOLE = {"tron": 10**6, "solana": 10**9}
TOKENS = 10**6
ATTACKERS = {
    "tron": "TN3W4H6rK2ce4vX9YnFQHwKENnHjoxb3m9",
    "solana": "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk",
}


@dataclass
class Machine:
    """One network, its keystore, its liar, and what was found so far."""

    w: SweepWorld
    liar: Liar
    house: House
    report: Report
    asked: int = 0
    trouble: list[str] = field(default_factory=list)
    """What the last turn waited for."""
    hot: str = ""
    waiting: dict[str, tuple[str, str]] = field(default_factory=dict)
    """A payout of each kind that lies have hindered so far, and whom it is for."""

    @property
    def attacker(self) -> str:
        """Who must never have a unit."""
        return ATTACKERS[self.w.name]

    def units(self, kind: str) -> int:
        """Return what a payout of `native` or `token` is."""
        return WHOLE[self.w.name] // 50 if kind == "native" else TOKENS // 4

    def asset(self, kind: str) -> str:
        """Return what the chain calls it."""
        return NATIVE if kind == "native" else self.w.chain.token

    def honest(self) -> None:
        """Tell the truth again, and be believed again at once."""
        self.liar.twist = honest
        self.liar.swallowed.clear()

    async def approved(self, kind: str, destination: str) -> str:
        """Ask for a payout and have it approved by Alice; return its id."""
        self.asked += 1
        currency = self.w.coin if kind == "native" else self.w.token
        id_ = await ask(self.w, self.asked, currency, self.units(kind), destination)
        await Policies(self.w.name, self.w.database, self.w.keystore).round()
        orders = Orders(self.w.name, self.w.settings, self.w.database, self.w.position)
        await orders.round()
        [row] = await self.sql(
            "SELECT id, withdrawal_id, network_id, asset, destination, units::text, "
            "fee_ceiling_units::text, coalesce(merchant_id, ''), requested_by, expires_ms "
            "FROM approval_order WHERE withdrawal_id = :id",
            id=id_,
        )
        names = ("withdrawal_id", "network", "asset", "to", "units", "fee_ceiling", "merchant")
        fields: dict[str, Any] = dict(zip(names, map(str, row[1:8]), strict=True))
        order = api.Order(**fields, requested_by=row[8], expires_ms=int(row[9]))
        proof = {"kind": "key", "approver": "alice"}
        proof["signature"] = ALICE.sign(api.order_message(order)).hex()
        await self.sql(
            "INSERT INTO approval (order_id, approver, proof, at) "
            "VALUES (:order, 'alice', CAST(:proof AS jsonb), now())",
            order=row[0],
            proof=json.dumps(proof),
        )
        await orders.round()
        return id_

    async def left_waiting(self, kind: str) -> tuple[str, str]:
        """Return an approved payout that was not begun yet, and its destination."""
        if kind not in self.waiting:
            destination = await self.w.chain.fresh_address()
            self.waiting[kind] = await self.approved(kind, destination), destination
        return self.waiting[kind]

    async def turn(self, id_: str, *, scan: bool = True) -> None:
        """Pay and scan once, with no pause between two tries; others that wait go on waiting."""
        self.trouble = []
        await self.wake(id_)
        await self.sql("UPDATE attempt SET last_broadcast_at = NULL WHERE state = 'signed'")
        await self._patiently(self.w.payouts.round)
        if scan:
            await self.w.chain.mine(self.w.final_lag + 1)
            await self._patiently(self.w.scan)

    async def wake(self, id_: str) -> None:
        """Give a payout that waits its next turn at once, and all others theirs much later."""
        await self.sql(
            "UPDATE withdrawal SET updated_at = now() "
            "+ CASE WHEN id = :id THEN interval '-5 minutes' ELSE interval '1 hour' END "
            "WHERE status = 'approved' AND blocked_reason IS NOT NULL",
            id=id_,
        )

    async def _patiently(self, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except TROUBLE as trouble:
            self.trouble.append(str(trouble))

    async def until_said(self, id_: str, words: str, *, scan: bool = True) -> str:
        """Turn until the row, its transaction or a task of the watcher says so."""
        said = ""
        for _ in range(TURNS_MAX):
            await self.turn(id_, scan=scan)
            row = await self.row(id_)
            answers = [each.last_answer or "" for each in await self.attempts(id_)]
            said = " | ".join(
                [row.blocked_reason or "", row.failure_reason or "", *answers, *self.trouble]
            )
            if words in said:
                return said
        raise AssertionError(f"{words!r} is never said: {row.status}: {said}")

    async def until_status(self, id_: str, *wanted: str) -> Withdrawal:
        """Turn until a withdrawal stands so."""
        for _ in range(TURNS_MAX):
            row = await self.row(id_)
            if row.status in wanted:
                return row
            await self.turn(id_)
        raise AssertionError(f"{id_} is {row.status}: {row.blocked_reason} {self.trouble}")

    async def paid_once(self, id_: str, kind: str, destination: str) -> None:
        """Turn until it is paid; demand that it was by one transaction, and in full."""
        row = await self.until_status(id_, "completed", "failed")
        assert row.status == "completed", row.failure_reason
        assert await self.held(destination, kind) == self.units(kind)
        states = [each.state for each in await self.attempts(id_)]
        assert states.count("succeeded") == 1
        assert set(states) <= {"succeeded", "refused"}

    async def nothing_paid(self, id_: str, kind: str, destination: str) -> None:
        """Demand that it failed, moved nothing and gave its hold back."""
        assert (await self.row(id_)).status == "failed"
        assert await self.held(destination, kind) == 0
        kinds = await self.sql("SELECT kind FROM journal WHERE ref = :id ORDER BY id", id=id_)
        assert [each for (each,) in kinds] == ["hold", "release"]

    async def note(self, case: str, said: str) -> None:
        """Put a case on the report; a unit of the attacker's is a failure."""
        units = sum([await self.held(self.attacker, kind) for kind in ("native", "token")])
        self.report.add(f"{self.w.name}: {case}", said, units)

    async def held(self, address: str, kind: str) -> int:
        """Return what an address holds, by the chain itself."""
        return await self.w.chain.balance(address, self.asset(kind))

    async def row(self, id_: str) -> Withdrawal:
        """Return a withdrawal as it stands."""
        async with self.w.owner.unit_of_work(CROSS_TENANT) as session:
            return await session.get_one(Withdrawal, id_)

    async def attempts(self, id_: str) -> list[Attempt]:
        """Return a withdrawal's transactions, oldest first."""
        found = [each for each in await self.w.rows(Attempt) if each.order_id == id_]
        return sorted(found, key=lambda attempt: attempt.id)

    def refusals(self, id_: str) -> set[str]:
        """Return the codes that the keystore's journal remembers of a withdrawal."""
        with sqlite3.connect(f"file:{self.house.journal}?mode=ro", uri=True) as journal:
            query = "SELECT code FROM entry WHERE kind = 'refused' AND subject = ?"
            return {code for (code,) in journal.execute(query, (id_,))}

    async def sql(self, statement: str, **values: Any) -> Any:
        """Do one thing as the owner of the database; return the rows where there are any."""
        async with self.w.owner.unit_of_work(CROSS_TENANT) as session:
            result: Any = await session.execute(text(statement), values)
            return result.all() if result.returns_rows else None

    async def edit(self, table: str, statement: str, **values: Any) -> None:
        """Do what the table's triggers forbid, as somebody who owns the database might."""
        await self.sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        await self.sql(statement, **values)
        await self.sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")


async def forgotten(m: Machine, id_: str) -> None:
    """Put the rows of a payout back to what an older copy of the database says."""
    await m.edit("signature", "DELETE FROM signature WHERE withdrawal_id = :id", id=id_)
    await m.edit("attempt", "DELETE FROM attempt WHERE order_id = :id", id=id_)
    await m.edit(
        "withdrawal",
        "UPDATE withdrawal SET status = 'approved', tx_hash = NULL WHERE id = :id",
        id=id_,
    )
