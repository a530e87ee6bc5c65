"""A drift makes payouts wait, visibly, until it is gone or an operator bears it."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from devnet import anvil
from devnet.anvil import AnvilChain
from devnet.contracts import cases
from gateway.db import CROSS_TENANT
from gateway.models import AuditLog, Withdrawal
from gateway.settings import AssetSettings, NetworkSettings
from tests.conftest import FreshDatabase
from tests.watchers.recon_world import Counted, counted
from tests.watchers.test_command import config, run
from tests.watchers.world import DUE_UNITS, ETH, USDC
from watchers.chain import Chain
from watchers.network import Incomplete, NodeUnavailable, WrongChain
from watchers.networks.ethereum.balances import EthereumBalances
from watchers.networks.ethereum.writer import EthereumWriter
from watchers.pay.claims import Claims
from watchers.reconcile import books
from watchers.reconcile.balances import Holding, NoHistory, Observation
from watchers.rpc import JsonRpc

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
FUNDS = 10**20


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[AnvilChain]:
    """Run one anvil for the module."""
    async with anvil.running() as running:
        yield running


async def steal(chain: AnvilChain, victim: str, units: int) -> None:
    """Send from an address of ours without us."""
    await chain.rpc.call("anvil_impersonateAccount", victim)
    fields = {"from": victim, "to": await chain.fresh_address(), "value": hex(units)}
    await chain.included(await chain.transact(**fields))


def claims(w: Counted) -> Claims:
    """Return the payouts' claims on this world's chain."""
    rpc = JsonRpc(w.endpoints)
    settings = NetworkSettings(
        family="ethereum", display_name="E", identity=w.chain.identity, rpc_urls=[w.chain.url],
        assets=[AssetSettings(code="ETH", decimals=18)], test=True,
    )  # fmt: skip
    writer = EthereumWriter(rpc, int(w.chain.identity), "ethereum")
    reader = w.scanner.reader
    on_chain = Chain(reader, writer, w.endpoints, numbered=True)
    return Claims("ethereum", settings, on_chain, w.database, w.scanner.position)


async def test_theft_from_the_hot_wallet_holds_payouts_of_that_asset_alone(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """The withdrawal says why it waits; nobody is debited; the return of the money ends it."""
    async with counted(database, chain) as w:
        await chain.pay(w.hot, FUNDS)
        await w.settle()
        assert (await w.figures()).chain_units == FUNDS
        await steal(chain, w.hot, 10**18)
        before = await w.journals()
        await w.settle()
        assert await w.holds() == [(ETH, "drift", "")]
        assert await w.journals() == before
        withdrawal = await w.approved(ETH, 5)
        await claims(w).claim()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            row = await session.get_one(Withdrawal, withdrawal)
        assert row.status == "approved"
        assert "ETH-ETHEREUM is held (drift)" in str(row.blocked_reason)
        [[_, address, units]] = await w.drifts()
        assert address == w.hot
        held = await chain.balance(w.hot)
        await chain.rpc.call("anvil_setBalance", w.hot, hex(held - units))
        await w.settle()
        assert (await w.holds(), await w.drifts()) == ([], [])


async def test_operator_sees_the_figures_and_bears_the_drift(
    database: FreshDatabase, chain: AnvilChain, tmp_path: Path
) -> None:
    """`watchers reconcile` prints it; `--resume` writes who and why; a new drift holds again."""
    async with counted(database, chain) as w:
        path = str(config(tmp_path, database, chain.url, chain.identity))
        await chain.pay(w.hot, FUNDS)
        await w.settle()
        await steal(chain, w.hot, 10**18)
        await w.settle()
        words = ("reconcile", "ethereum", "--config", path)
        shown = run(*words, "--json")
        assert shown.returncode == 1
        [eth, usdc] = json.loads(shown.stdout)["assets"]
        assert (eth["state"], usdc["state"]) == ("drifting", "agreed")
        assert eth["ledger_units"] == eth["expected_units"] == str(FUNDS)
        assert int(eth["chain_units"]) == await chain.balance(w.hot)
        assert "drifting" in run(*words).stdout
        refused = run(*words, "--resume", ETH)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert run(*words, "--resume", ETH, "--reason", "insured").returncode == 0
        assert await w.holds() == []
        await w.settle()
        assert await w.holds() == []
        [eth, _] = json.loads(run(*words, "--json").stdout)["assets"]
        assert eth["state"] == "acknowledged"
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            [row] = await session.scalars(select(AuditLog))
        assert (row.action, row.subject) == ("reconciliation.acknowledge", ETH)
        assert row.after == {"reason": "insured"}
        await steal(chain, w.hot, 7)
        await w.settle()
        assert await w.holds() == [(ETH, "drift", "")]


async def test_ledger_that_owes_more_than_was_received_holds_payouts(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """A journal that no arrival explains: chain and rows agree, the ledger does not."""
    async with counted(database, chain) as w:
        await chain.pay(w.assigned, 3000 * 10**6, chain.token)
        await w.settle()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            journal = await session.scalar(
                text(
                    "INSERT INTO journal (kind, ref, at) VALUES ('capital', 'x', now()) RETURNING id"
                )
            )
            for account, units in (("custody", -9), ("external", 9)):
                await session.execute(
                    text(
                        "INSERT INTO balance_history (journal_id, account, currency_id, change_type,"
                        " delta_confirmed, delta_locked, at)"
                        " VALUES (:j, :a, :c, 'ADJUSTMENT', :u, 0, now())"
                    ),
                    {"j": journal, "a": account, "c": USDC, "u": units},
                )
        await w.settle()
        assert await w.holds() == [(USDC, "drift", "")]
        figures = await w.figures(USDC)
        assert figures.ledger_units == figures.expected_units + 9 == figures.chain_units + 9


class Generous:
    """A node that shows one address more than it has."""

    historic, credits, fee_is_alone = True, True, True

    def __init__(self, real: EthereumBalances, address: str, from_height: int) -> None:
        self.real, self.address, self.from_height = real, address, from_height

    async def observe(self, wanted: list[Holding], height: int) -> Observation:
        """Invent 5 wei."""
        seen = await self.real.observe(wanted, height)
        gift = 5 if height >= self.from_height else 0
        units = {
            holding: held + (gift if holding == (self.address, "native") else 0)
            for holding, held in seen.units.items()
        }
        return Observation(seen.low, seen.high, units)

    async def beneficiary(self, height: int) -> str:
        """Tell the truth."""
        return await self.real.beneficiary(height)


@pytest.mark.parametrize(("needed", "above"), [(2, {}), (1, {ETH: 4})], ids=["all", "large"])
async def test_one_lying_node_cannot_make_money(
    database: FreshDatabase, chain: AnvilChain, needed: int, above: dict[str, int]
) -> None:
    """A difference that a second node does not show is a drift, never a credit."""
    async with counted(database, chain, needed=needed) as w:
        w.reconciler.credits.quorum_above = above
        await w.bury()
        honest = EthereumBalances(JsonRpc(w.endpoints))
        liar = Generous(honest, w.assigned, w.scanner.position.final_height)
        w.reconciler.credits.balances = liar  # type: ignore[assignment]
        w.reconciler.credits.witnesses = {"a": liar, "b": honest}  # type: ignore[dict-item]
        await w.turn()
        assert await w.balance_deposits() == []
        assert await w.drifts() == [(ETH, w.assigned, 5)]
        assert await w.holds() == [(ETH, "drift", "")]


class Forgetful(EthereumBalances):
    """A node that keeps the newest states only."""

    kept_from = 0

    async def observe(self, wanted: object, height: int) -> Observation:
        """Refuse what is older."""
        if height < self.kept_from:
            raise NoHistory("missing trie node")
        return await EthereumBalances.observe(self, wanted, height)  # type: ignore[arg-type]


async def test_without_old_states_money_is_credited_where_it_was_seen(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """At the observed final block; found again by a rescan it does not count twice."""
    async with counted(database, chain) as w:
        contract = await chain.create(cases.fixed_forwarder(w.assigned))
        paid = await chain.included(await chain.transact(to=contract, value=hex(DUE_UNITS)))
        await chain.mine(3)
        await w.bury()
        height = await w.height_of(paid)
        forgetful = Forgetful(JsonRpc(w.endpoints))
        forgetful.kept_from = height + 1
        w.reconciler.credits.balances = forgetful
        await w.turn()
        [deposit] = await w.balance_deposits()
        assert (deposit.units, deposit.block_height > height) == (DUE_UNITS, True)
        await w.rescan_with_traces(height)
        await w.settle()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert await w.holds() == []


@pytest.mark.parametrize(
    ("ago", "monitored", "status", "looked"),
    [("0 s", "7 days", "expired", True), ("1 hour", "7 days", "expired", True),
     ("1 day", "7 days", "settled", True), ("7 days", "7 days", "expired", True),
     ("5 days", "5 days", "expired", True), ("7 days", "7 days", "settled", True),
     ("3 days", "3 days", "settled", True), ("365 days", "365 days", "settled", True),
     ("1 hour", "5 minutes", "expired", False), ("2 hours", "7 days", "expired", False)],
)  # fmt: skip
async def test_expired_invoice_is_looked_at_again_until_nobody_waits_for_it(
    database: FreshDatabase,
    chain: AnvilChain,
    ago: str,
    monitored: str,
    status: str,
    looked: bool,
) -> None:
    """At its expiry, soon after, and when its monitoring ends: money may come late and silently.

    One that was settled elsewhere, by another method or by hand, received nothing at this address.
    """
    async with counted(database, chain, expires_at=datetime.now(UTC) + timedelta(hours=1)) as w:
        await w.settle()
        contract = await chain.create(cases.fixed_forwarder(w.assigned))
        await chain.included(await chain.transact(to=contract, value=hex(DUE_UNITS)))
        await w.bury()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                text(
                    "UPDATE reconciliation_mark SET expiries_through = expiries_through - interval '10 s'"
                )
            )
            past = "(SELECT expiries_through + interval '5 s' FROM reconciliation_mark)"
            await session.execute(
                text(
                    f"UPDATE invoice SET status = '{status}', final = {ago == monitored}, expires_at = {past} - interval '{ago}',"
                    f" monitoring_until = {past} - interval '{ago}' + interval '{monitored}'"
                )
            )
        assert await w.reconciler.round() is looked
        assert not await w.reconciler.round()
        found = [(each.units, each.late) for each in await w.balance_deposits()]
        assert found == ([(DUE_UNITS, True)] if looked else [])


async def test_invoices_that_expire_together_are_all_looked_at(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """Only the moment is remembered: what does not fit beside it comes with it."""
    copies = {
        "invoice": "{'id', 'inv_x' || n}",
        "address_pool": "{'id', 9000 + n, 'index', 9000 + n, 'address', 'x' || n, 'invoice_id', 'inv_x' || n}",
    }
    async with counted(database, chain) as w, w.owner.unit_of_work(CROSS_TENANT) as session:
        for table, changes in copies.items():
            built = f"jsonb_build_object({changes.strip('{}')})"
            await session.execute(
                text(
                    f"INSERT INTO {table} OVERRIDING SYSTEM VALUE"
                    f" SELECT (jsonb_populate_record(t, {built})).* FROM {table} t,"
                    f" generate_series(1, 3) n"
                    f" WHERE {'id' if table == 'invoice' else 'invoice_id'} = 'inv_1'"
                )
            )
        at = await session.scalar(text("SELECT expires_at FROM invoice WHERE id = 'inv_1'"))
        since = at - timedelta(seconds=1)
        found = await books.expired_addresses(session, "ethereum", since, at, 1)
    assert [moment for moment, _ in found] == [at] * 4


class Astray(EthereumBalances):
    """A node that has nothing to say: it does not know, or stands on another chain."""

    trouble: type[Exception] = Incomplete

    async def observe(self, wanted: object, height: int) -> Observation:
        """Refuse."""
        raise self.trouble(f"nothing about {wanted} at {height}")


@pytest.mark.parametrize("trouble", [Incomplete, WrongChain, NodeUnavailable])
async def test_a_node_without_a_say_holds_up_nobody(
    database: FreshDatabase, chain: AnvilChain, trouble: type[Exception]
) -> None:
    """What two others show is credited, whatever the third answers."""
    async with counted(database, chain, needed=2) as w:
        rpc = JsonRpc(w.endpoints)
        astray = Astray(rpc)
        astray.trouble = trouble
        w.reconciler.credits.witnesses = {
            "astray": astray, "a": EthereumBalances(rpc), "b": EthereumBalances(rpc)
        }  # fmt: skip
        if trouble is Incomplete:
            w.reconciler.credits.balances = AstrayAtFirst(rpc)
        contract = await chain.create(cases.fixed_forwarder(w.assigned))
        await chain.included(await chain.transact(to=contract, value=hex(DUE_UNITS)))
        await w.bury()
        await w.turn()
        [deposit] = await w.balance_deposits()
        assert deposit.units == DUE_UNITS


class AstrayAtFirst(Astray):
    """Knows single holdings, and nothing of a whole portion."""

    async def observe(self, wanted: object, height: int) -> Observation:
        """Answer about one."""
        if isinstance(wanted, list) and len(wanted) == 1:
            return await EthereumBalances.observe(self, wanted, height)
        return await super().observe(wanted, height)


async def test_wallet_funded_before_the_first_block_is_capital(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """Funds that lay there when watching began belong to the operator, and the ledger knows."""
    async with counted(database, chain, funded=FUNDS) as w:
        await w.settle()
        [deposit] = await w.balance_deposits()
        assert (deposit.purpose, deposit.units) == ("capital", FUNDS)
        assert await w.wallet("external") == (FUNDS, 0)
        await w.turn()
        assert await w.holds() == []
        assert (await w.figures()).chain_units == FUNDS
