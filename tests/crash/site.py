"""One network with everything real around it: chain, keystore process, database, watcher process.

Withdrawals are asked for and approved by the API's own use cases under the API's own role; the
test looks at the chain and at the rows as the owner of the database.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import select, text

from devnet import anvil, surfpool, tron
from devnet.audit import audit
from devnet.chain import NATIVE, LocalChain
from devnet.system.waiting import until
from devnet.tied import tied
from gateway.db import CROSS_TENANT, Database
from gateway.domain.actor import MERCHANT_SCOPES, Actor
from gateway.models import (
    Attempt,
    Journal,
    Wallet,
    Withdrawal,
)
from gateway.settings import Settings
from gateway.withdrawals.request import Payout, request_withdrawal
from gateway.withdrawals.service import Gate, approve
from tests.chaos.networks import NATIVE_DECIMALS, TOKEN_DECIMALS
from tests.conftest import FreshDatabase
from tests.keystore.house import House, Running
from watchers.clock import now

ROOT = Path(__file__).resolve().parents[2]
MERCHANT, MAKER, APPROVER = "mer_1", "key_maker", "key_approver"
SECONDS_MAX = 180.0
TOKEN_UNITS = 10**12
"""A million whole tokens for the merchant, and as many for the hot wallet."""
TOKEN_PAYMENT = 1_234_567


@dataclass(frozen=True)
class Family:
    """How to start a chain, what merchant and hot wallet begin with, and how deep final is."""

    start: Callable[[], AbstractAsyncContextManager[Any]]
    native_units: int
    fee_ceiling: str
    depth: int
    payment: int
    """Base units of a native payment."""


FAMILIES: Mapping[str, Family] = {
    "ethereum": Family(anvil.running, 10**21, "0.01", 5, 10**15),
    "tron": Family(tron.running, 10**12, "100", 4, 10**6),
    "solana": Family(lambda: surfpool.running(skip_every=0), 10**13, "0.01", 34, 10**7),
}


class Died(Exception):
    """A process ended otherwise than it was told to; the message holds its last lines."""


@dataclass
class Process:
    """A `watchers run` process with its log."""

    child: subprocess.Popen[bytes]
    log: Path

    @property
    def words(self) -> str:
        """What it has said."""
        return self.log.read_text(errors="replace")

    @property
    def last_words(self) -> str:
        """The end of it."""
        return "\n".join(self.words.splitlines()[-15:])

    async def end(self) -> int:
        """Wait for its end; return the exit status, negative for a signal."""

        async def ended() -> int | None:
            return self.child.poll()

        return await until(ended, f"the end of a watcher: {self.log}", seconds_max=SECONDS_MAX)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait(SECONDS_MAX)


@dataclass
class Site:
    """Everything of one network. `url` is where the watcher believes its node to be."""

    family: Family
    chain: LocalChain
    database: FreshDatabase
    house: House
    home: Path
    owner: Database
    api: Database
    config: Path
    settings: Settings
    keystore: Running | None = None
    running: list[Process] = field(default_factory=list)
    started: int = 0
    hot: str = ""

    @property
    def name(self) -> str:
        """The network's name: its family's."""
        return self.chain.family

    def currency(self, kind: str) -> str:
        """Return the payment method of `native` or `token`."""
        return f"{'COIN' if kind == 'native' else 'TUSD'}-{self.name}".upper()

    def asset(self, kind: str) -> str:
        """Return what the chain calls it."""
        return NATIVE if kind == "native" else self.chain.token

    def serve_keystore(self, **environment: str) -> None:
        """Start `keystore serve` and wait until it listens."""
        with _environment(environment):
            self.keystore = Running(self.house)
        self.keystore.wait_for("ready")

    async def start(self, **environment: str) -> Process:
        """Start `watchers run`; a lease that a killed watcher left counts as run out."""
        await self.sql("UPDATE cursor SET leased_until = NULL")
        self.started += 1
        log = self.home / f"watcher-{self.started}.log"
        command = (sys.executable, "-m", "watchers", "run", self.name)
        process = _spawned([*command, "--config", str(self.config)], log, environment)
        self.running.append(process)
        return process

    def stop(self) -> None:
        """Kill every watcher that still runs."""
        while self.running:
            self.running.pop().kill()

    async def request(self, kind: str, units: int, destination: str) -> str:
        """Ask with one key; return the withdrawal's id."""
        decimals = NATIVE_DECIMALS[self.name] if kind == "native" else TOKEN_DECIMALS
        amount = f"{Decimal(units).scaleb(-decimals):f}"
        payout = Payout(self.currency(kind), amount, destination)
        async with self.api.unit_of_work(MERCHANT) as session:
            asked = await request_withdrawal(Gate(session, _actor(MAKER), now()), payout)
        return asked.id

    async def approve(self, withdrawal_id: str) -> None:
        """Approve with another key."""
        async with self.api.unit_of_work(MERCHANT) as session:
            await approve(Gate(session, _actor(APPROVER), now()), withdrawal_id)

    async def pay_out(self, kind: str, units: int, destination: str) -> str:
        """Ask and approve."""
        withdrawal_id = await self.request(kind, units, destination)
        await self.approve(withdrawal_id)
        return withdrawal_id

    async def withdrawal(self, withdrawal_id: str) -> Withdrawal:
        """Return a withdrawal as it stands."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return await session.get_one(Withdrawal, withdrawal_id)

    async def attempts(self, withdrawal_id: str) -> Sequence[Attempt]:
        """Return a withdrawal's transactions, oldest first."""
        query = select(Attempt).where(Attempt.withdrawal_id == withdrawal_id)
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return (await session.scalars(query.order_by(Attempt.created_at))).all()

    async def journals(self, withdrawal_id: str) -> list[str]:
        """Return the kinds of journals of a withdrawal, in order."""
        query = select(Journal.kind).where(Journal.ref == withdrawal_id).order_by(Journal.id)
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            return list(await session.scalars(query))

    async def locked(self) -> int:
        """Return what all merchants have in holds, over all currencies."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            rows = await session.scalars(select(Wallet.locked))
            return sum(int(units) for units in rows)

    async def until_status(
        self, withdrawal_id: str, *status: str, seconds_max: float = SECONDS_MAX
    ) -> Withdrawal:
        """Mine until a withdrawal stands so; a watcher that ends meanwhile is `Died`."""

        async def standing() -> Withdrawal | None:
            row = await self.withdrawal(withdrawal_id)
            if row.status in status:
                return row
            self.require_alive()
            await self.mine(row.status)
            return None

        what = f"{withdrawal_id} to be {status}"
        return await until(standing, what, seconds_max=seconds_max)

    async def mine(self, status: str) -> None:
        """Let blocks come quickly once there is something to bury."""
        if status in {"broadcast", "confirming"}:
            await self.chain.mine(self.family.depth)

    def require_alive(self) -> None:
        """Raise `Died` where a watcher has ended."""
        for process in self.running:
            if process.child.poll() is not None:
                raise Died(f"{process.child.returncode}: {process.last_words}")

    async def sql(self, statement: str, **values: Any) -> Any:
        """Do one thing as the owner of the database; return the rows where there are any."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            result: Any = await session.execute(text(statement), values)
            return result.all() if result.returns_rows else None

    async def edit(self, table: str, statement: str, **values: Any) -> None:
        """Do what the table's triggers forbid, as somebody who owns the database might."""
        await self.sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        await self.sql(statement, **values)
        await self.sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    async def audited(self) -> Any:
        """Wait until the independent check finds ledger and chain equal and at rest."""
        url = self.database.url("owner")
        address = url.render_as_string(hide_password=False).replace("+psycopg", "")
        report: Any = None
        with psycopg.connect(address, autocommit=True) as connection:

            async def well() -> Any:
                nonlocal report
                good, report = await audit(connection, {self.name: self.chain.url})
                if good:
                    return report
                self.require_alive()
                await self.chain.mine(self.family.depth)
                return None

            try:
                return await until(well, "the audit", seconds_max=SECONDS_MAX)
            except Exception as late:
                raise AssertionError(f"the books are not the chain's: {report}") from late


def _spawned(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Process:
    with log.open("wb") as words:
        child = subprocess.Popen(
            tied(command),
            cwd=ROOT,
            stdout=words,
            stderr=words,
            env={**os.environ, **environment},
        )
    return Process(child, log)


def _actor(key: str) -> Actor:
    return Actor(key, MERCHANT, MERCHANT_SCOPES, livemode=False)


class _environment:  # noqa: N801 - a block
    """Variables for what is started inside the block."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __enter__(self) -> None:
        os.environ.update(self._values)

    def __exit__(self, *_: object) -> None:
        for name in self._values:
            del os.environ[name]
