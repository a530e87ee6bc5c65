"""A whole network in one process but the keystore: scanner, payer, sweeper, reconciler, real chain."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from devnet.chain import LocalChain
from gateway.db import CROSS_TENANT, Database
from gateway.models import (
    AddressDrift,
    AddressPool,
    ApplicationWallet,
    AssetHold,
    Attempt,
    Currency,
    Deposit,
    Journal,
    Network,
    PriceHistory,
    Reconciliation,
    Signature,
    Sweep,
    Unswept,
    Wallet,
)
from gateway.settings import AssetSettings, NetworkSettings, SweepSettings
from keystore.client import KeystoreClient
from tests.conftest import FreshDatabase
from tests.keystore.house import House, build, init, serving
from watchers import store
from watchers.addresses import AddressBook
from watchers.chain import Chain
from watchers.clock import now
from watchers.families import balance_readers, connect, locator, sweep_hands
from watchers.network import ChainReader
from watchers.pay.adoption import looked_up
from watchers.pay.lanes import Lanes
from watchers.pay.payouts import Payouts
from watchers.pool import Pool, register_wallets
from watchers.providers.witness import Witness
from watchers.reconcile.credit import Credits
from watchers.reconcile.reconciler import Reconciler
from watchers.scan.reorg import Hysteresis
from watchers.scan.scanner import Scanner
from watchers.store import Position
from watchers.sweep import keeper
from watchers.sweep.rounds import Sweeping, compose, register_cold

PUBLIC_URL = "https://pay.example"
CODES = {"ethereum": ("ETH", 18), "tron": ("TRX", 6), "solana": ("SOL", 9)}
PRICES = {"ETH": "3000", "TRX": "0.3", "SOL": "150", "TUSD": "1"}
CEILINGS = {"ethereum": "0.01", "tron": "50", "solana": "0.01"}
TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
ROUNDS_MAX = 120


@dataclass
class SweepWorld:
    """One network and its hands on a local chain."""

    chain: LocalChain
    settings: NetworkSettings
    parts: Chain
    currencies: Sequence[Currency]
    keystore: KeystoreClient
    public_key: str
    database: Database
    owner: Database
    final_lag: int
    position: Position = field(init=False)
    scanner: Scanner = field(init=False)
    payouts: Payouts = field(init=False)
    sweeping: Sweeping = field(init=False)
    reconciler: Reconciler = field(init=False)

    @property
    def name(self) -> str:
        """The network's name is its family's."""
        return self.settings.family

    @property
    def coin(self) -> str:
        """Currency id of the network's own coin."""
        return next(each.id for each in self.currencies if each.contract is None)

    @property
    def token(self) -> str:
        """Currency id of the token."""
        return next(each.id for each in self.currencies if each.contract is not None)

    async def begin(self) -> None:
        """Go on as a new process would: from the database alone."""
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            if await store.has_cursor(session, self.name):
                await store.release_lease(session, self.position)
            else:
                start = (
                    await self.parts.reader.read((await self.parts.reader.tip()).final)
                ).ref
                await store.create_cursor(session, self.name, start, now())
        book = AddressBook(self.public_key)
        async with self.database.unit_of_work(CROSS_TENANT) as session:
            position = await store.take_lease(session, self.name, "test")
            assert position is not None
            self.position = position
            await book.load(session, self.name)
        self.scanner = Scanner(
            self.parts.reader, self.database, self.currencies, book, position, PUBLIC_URL,
            dense=self.parts.dense, hysteresis=Hysteresis(seconds=0), seals=self.parts.seals,
            verify=self.parts.writer.verify,
        )  # fmt: skip
        self.payouts = Payouts(
            self.name, self.settings, self.parts, self.database, self.keystore, position,
            locate=partial(looked_up, locator(self.name).locate, self._nodes()),
        )  # fmt: skip
        balances = balance_readers(self.settings, self.parts.endpoints)
        for each in (self.database, self.owner):
            keeper.register(each, PUBLIC_URL)
        self.sweeping = compose(
            self.name, self.settings, self.parts, self.currencies,
            sweep_hands(self.name, self.settings, self.parts.endpoints),
            database=self.database, position=position, public_key=self.public_key,
            fee_is_alone=balances.fee_is_alone,
        )  # fmt: skip
        # Nobody waits here: blocks come when the test asks for them.
        self.sweeping.choice.look_again = self.sweeping.sweeper.blocked_retry = timedelta(0)
        credits_ = Credits(
            self.name,
            balances,
            {},
            1,
            self.database,
            self.currencies,
            book,
            position,
            PUBLIC_URL,
        )
        self.reconciler = Reconciler(credits_, 3600)
        await Pool(
            self.name, self.settings, self.database, self.keystore, book, position
        ).round()

    def _nodes(self) -> list[ChainReader]:
        return [
            each.reader if isinstance(each, Witness) else each
            for each in self.parts.witnesses.values()
        ]

    async def scan(self) -> None:
        """Step until there is nothing more to do now."""
        for _ in range(400):
            before = self.scanner.position
            more = await self.scanner.step()
            at_head = self.scanner.position.height == self.scanner.tip.head
            if at_head and not more and before == self.scanner.position:
                return

    async def bury(self) -> None:
        """Make everything so far final and scan it."""
        await self.chain.mine(self.final_lag + 1)
        await self.scan()

    async def receive(self, *payments: tuple[str, int, str]) -> None:
        """Let strangers pay (address, units, asset), and see it final."""
        for to, units, asset in payments:
            await self.chain.pay(to, units, asset)
        await self.bury()

    async def turn(self, *, sweep: bool = True) -> None:
        """Do one round of everything, and make what was sent final."""
        if self.parts.lanes is not None:
            lanes = self.settings.nonce_lanes
            await Lanes(self.name, self.parts, self.database, self.position, lanes).round()
        if sweep:
            await self.sweeping.round()
        await self.payouts.round()
        await self.bury()

    async def until(self, done: Callable[[], Awaitable[bool]]) -> None:
        """Turn until it is so."""
        for _ in range(ROUNDS_MAX):
            if await done():
                return
            await self.turn()
        raise AssertionError(f"it never comes: {[_told(s) for s in await self.sweeps()]}")

    async def swept(self, count: int) -> list[Sweep]:
        """Turn until so many sweeps have ended and none is under way; return all."""

        async def enough() -> bool:
            sweeps = await self.sweeps()
            return len(sweeps) >= count and all(each.ended_at is not None for each in sweeps)

        await self.until(enough)
        return await self.sweeps()

    async def reconciled(self) -> dict[str, Reconciliation]:
        """Compare chain and books once; return every asset's figures."""
        self.reconciler.rest = None
        for _ in range(200):
            if await self.reconciler.round():
                continue
            if not self.reconciler.waits_for_scan:
                break
            await self.bury()
        drifts = [
            (d.currency_id, d.address, d.units, d.reason) for d in await self.rows(AddressDrift)
        ]
        assert drifts == []
        assert await self.rows(AssetHold) == []
        return {row.currency_id: row for row in await self.rows(Reconciliation)}

    async def agreed(self, *, staked: int = 0) -> None:
        """Chain, ledger and rows say the same of every asset, to the unit; `staked` lies apart."""
        figures = await self.reconciled()
        assert set(figures) == {self.coin, self.token}
        for row in figures.values():
            assert row.chain_units == row.ledger_units == row.expected_units, row.currency_id
        for currency in self.currencies:
            custody = await self.wallet("custody", currency.id)
            beside = staked if currency.contract is None else 0
            assert -custody == await self.held(currency) + beside

    async def held(self, currency: Currency) -> int:
        """Return what all addresses of the house hold on the chain."""
        asset = currency.contract or "native"
        addresses = [row.address for row in await self.rows(AddressPool)]
        addresses += [row.address for row in await self.rows(ApplicationWallet)]
        units = 0
        for address in addresses:
            units += await self.chain.balance(address, asset)
        return units

    async def wallet(self, account: str, currency: str) -> int:
        """Return what an account of the ledger has."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(Wallet.confirmed).where(
                Wallet.account == account, Wallet.currency_id == currency
            )
            return await session.scalar(query) or 0

    async def rows(self, model: Any) -> list[Any]:
        """Return every row of a table."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            fresh = select(model).execution_options(populate_existing=True)
            return list(await session.scalars(fresh))

    async def sweeps(self) -> list[Sweep]:
        """Return every sweep, oldest first."""
        return sorted(await self.rows(Sweep), key=lambda sweep: sweep.id)

    async def waiting(self) -> dict[tuple[str, str], Unswept]:
        """Return what waits, by currency and address."""
        return {(row.currency_id, row.address): row for row in await self.rows(Unswept)}

    async def deposits(self) -> list[Deposit]:
        """Return every deposit, oldest first."""
        return sorted(await self.rows(Deposit), key=lambda deposit: deposit.id)

    async def attempts(self, purpose: str) -> list[Attempt]:
        """Return our transactions of one purpose, oldest first."""
        found = [each for each in await self.rows(Attempt) if each.purpose == purpose]
        return sorted(found, key=lambda attempt: attempt.id)

    async def booked(self, kind: str) -> int:
        """Return how many journals of a kind there are."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            query = select(func.count()).select_from(Journal).where(Journal.kind == kind)
            return await session.scalar(query) or 0

    async def forget(self, attempt: Attempt, *, unswept: str) -> None:
        """Put the database back to before an order was begun; `unswept` waits there again."""
        async with self.owner.unit_of_work(CROSS_TENANT) as session:
            [sweep] = (await session.scalars(select(Sweep))).all()
            moving = Signature.withdrawal_id == attempt.order_id
            await session.execute(delete(Signature).where(moving))
            await session.execute(delete(Attempt).where(Attempt.id == attempt.id))
            await session.execute(
                insert(Unswept).values(
                    network_id=self.name, currency_id=unswept, address=sweep.address,
                    pool_index=sweep.pool_index, units=sweep.units, since=sweep.since,
                )
            )  # fmt: skip
            await session.execute(delete(Sweep))
            await session.execute(
                update(ApplicationWallet)
                .where(ApplicationWallet.address == attempt.sender)
                .values(next_nonce=attempt.nonce)
            )

    async def pool(self) -> list[str]:
        """Return the pool's addresses by index."""
        found = sorted(await self.rows(AddressPool), key=lambda row: row.index)
        return [row.address for row in found]

    async def address(self, purpose: str) -> str:
        """Return an application wallet."""
        found = [row for row in await self.rows(ApplicationWallet) if row.purpose == purpose]
        return str(found[0].address)


def _told(sweep: Sweep) -> tuple[str, str | None, str | None]:
    return sweep.state, sweep.blocked_reason, sweep.failure_reason


def network_settings(chain: LocalChain, **changes: Any) -> NetworkSettings:
    """Return the settings of a local chain with the test token."""
    code, decimals = CODES[chain.family]
    program = TOKEN_PROGRAM if chain.family == "solana" else None
    fields: dict[str, Any] = {
        "family": chain.family,
        "display_name": "Chain",
        "identity": chain.identity,
        "rpc_urls": [chain.url],
        "test": True,
        "local": True,
        "fee_ceiling": CEILINGS[chain.family],
        "pool_low_water": 1,
        "pool_batch": 12,
        "sweeping": SweepSettings(gas_low="0", gas_high="0"),
        "assets": [
            AssetSettings(code=code, decimals=decimals),
            AssetSettings(code="TUSD", decimals=6, contract=chain.token, token_program=program),
        ],
    }
    return NetworkSettings(**{**fields, **changes})


@contextmanager
def own_keystore() -> Iterator[tuple[House, str]]:
    """Run a keystore of its own: what it signed before would be adopted here."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        house = build(Path(folder))
        public_key = init(house)
        with serving(house):
            yield house, public_key


@asynccontextmanager
async def sweep_world(
    database: FreshDatabase,
    chain: LocalChain,
    house: House,
    public_key: str,
    *,
    final_lag: int,
    **changes: Any,
) -> AsyncIterator[SweepWorld]:
    """Build it on an empty database; the keystore's process may be shared."""
    owner = Database(database.url("owner"), pool_size=2)
    watcher = Database(database.url("watcher"), pool_size=6)
    settings = network_settings(chain, **changes)
    async with owner.unit_of_work(CROSS_TENANT) as session:
        for statement in _listing(chain, settings):
            await session.execute(statement)
    async with watcher.unit_of_work(CROSS_TENANT) as session:
        currencies = await store.currencies_of(session, chain.family)
    parts = connect(chain.family, settings, currencies)
    try:
        async with KeystoreClient(house.socket) as keystore:
            w = SweepWorld(
                chain,
                settings,
                parts,
                currencies,
                keystore,
                public_key,
                watcher,
                owner,
                final_lag,
            )
            await register_wallets(w.name, parts, watcher, keystore, lanes=settings.nonce_lanes)
            await register_cold(w.name, settings, watcher)
            await w.begin()
            await w.begin()  # the second time with the pool's addresses
            yield w
            await w.scanner.aclose()
    finally:
        await parts.endpoints.aclose()
        await watcher.aclose()
        await owner.aclose()


def _listing(chain: LocalChain, settings: NetworkSettings) -> list[Any]:
    at = datetime.now(UTC)
    name = chain.family
    made = [
        insert(Network).values(
            id=name, family=name, display_name="Chain", identity=chain.identity, test=True,
            local=True, enabled=True,
        )
    ]  # fmt: skip
    for asset in settings.assets:
        made.append(
            insert(Currency).values(
                id=f"{asset.code}-{name.upper()}", network_id=name, code=asset.code,
                contract=asset.contract, token_program=asset.token_program,
                decimals=asset.decimals, minimum_deposit_units=0, withdrawal_fee_units=0,
                automatic_approval_below_units=0, enabled=True,
            )
        )  # fmt: skip
        made.append(
            insert(PriceHistory).values(
                code=asset.code, quote="USD", source="test", price=Decimal(PRICES[asset.code]),
                at=at, agreed=True,
            )
        )  # fmt: skip
    return made
