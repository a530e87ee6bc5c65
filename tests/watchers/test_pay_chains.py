"""Replacing on anvil, and several payouts at once on Surfpool: real nodes, a real keystore."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from devnet import anvil, surfpool
from devnet.anvil import AnvilChain
from devnet.solana_ledger import FINALITY_SLOTS
from gateway.db import CROSS_TENANT
from gateway.domain import posting
from gateway.ledger.service import post
from gateway.models import Withdrawal
from tests.conftest import FreshDatabase
from tests.keystore.house import House, build, init, serving
from tests.watchers.sweep_world import SweepWorld, sweep_world
from tests.watchers.world import merchant_row
from watchers.clock import now
from watchers.pay import cancels

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
ETHER, GWEI, SOL, TOKENS = 10**18, 10**9, 10**9, 10**6
FINAL_LAG = 4


@pytest.fixture(scope="module")
def keystore() -> Iterator[tuple[House, str]]:
    """One keystore process for the module, and its pool key."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        house = build(Path(folder))
        public_key = init(house)
        with serving(house):
            yield house, public_key


@pytest.fixture
async def evm(
    database: FreshDatabase, keystore: tuple[House, str]
) -> AsyncIterator[tuple[SweepWorld, AnvilChain]]:
    """Give a funded hot wallet on anvil, which mines when it is told."""
    async with anvil.running() as chain:
        await chain.set_mining(on=False)
        await chain.rpc.call("evm_setAutomine", True)  # noqa: FBT003 - JSON
        async with sweep_world(database, chain, *keystore, final_lag=FINAL_LAG) as w:
            [first, *_] = await w.pool()
            await w.receive(
                (await w.address("hot"), 10 * ETHER, "native"), (first, 5 * ETHER, "native")
            )
            await assign(w, {w.coin: 5 * ETHER})
            await chain.set_mining(on=False)
            yield w, chain


@pytest.fixture
async def solana(
    database: FreshDatabase, keystore: tuple[House, str]
) -> AsyncIterator[SweepWorld]:
    """Give a hot wallet with three lanes on Surfpool."""
    async with (
        surfpool.running(slot_ms=50) as chain,
        sweep_world(database, chain, *keystore, final_lag=FINALITY_SLOTS, nonce_lanes=3) as w,
    ):
        hot, [first, *_] = await w.address("hot"), await w.pool()
        await w.receive(
            (hot, SOL, "native"), (hot, 100 * TOKENS, chain.token), (first, SOL, "native"),
            (first, 50 * TOKENS, chain.token),
        )  # fmt: skip
        await assign(w, {w.coin: SOL, w.token: 50 * TOKENS})
        for _ in range(4):
            await w.turn(sweep=False)
        yield w


async def assign(w: SweepWorld, units: dict[str, int]) -> None:
    """Give a merchant what came to nobody."""
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(merchant_row())
        for currency, amount in units.items():
            await post(session, posting.assign(currency, "mer_1", currency, amount), now())


async def ask(w: SweepWorld, number: int, currency: str, units: int, destination: str) -> str:
    """Put an approved withdrawal with its hold."""
    id_, moment = f"wdr_{w.name}_{number}", now()
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            insert(Withdrawal).values(
                id=id_, merchant_id="mer_1", livemode=False, currency_id=currency,
                network_id=w.name, units=units, fee_units=0, destination=destination,
                metadata_={}, status="approved", created_by="key_1", created_at=moment.at,
                approved_at=moment.at, updated_at=moment.at,
            )
        )  # fmt: skip
        await post(session, posting.hold(id_, "mer_1", currency, units), moment)
    return id_


async def status(w: SweepWorld, id_: str) -> str:
    """Return where a withdrawal stands."""
    return str(next(row.status for row in await w.rows(Withdrawal) if row.id == id_))


async def stuck(w: SweepWorld, chain: AnvilChain, destination: str, base_gwei: int) -> str:
    """Send a payment that the next block does not take: its base fee has risen."""
    id_ = await ask(w, len(await w.rows(Withdrawal)) + 1, w.coin, ETHER, destination)
    await w.payouts.round()
    await chain.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(base_gwei * GWEI))
    await chain.rpc.call("anvil_mine", "0x1", "0x0")
    assert await chain.balance(destination) == 0
    return id_


async def test_anvil_takes_the_higher_offer_and_then_the_cancel_and_every_figure_agrees(
    evm: tuple[SweepWorld, AnvilChain],
) -> None:
    """One payment outbid on its nonce lands once; the next one's place is taken by 0 wei."""
    w, chain = evm
    paid, spared = await chain.fresh_address(), await chain.fresh_address()
    id_ = await stuck(w, chain, paid, 50)
    await w.payouts.round()
    await w.bury()
    first, second = await w.attempts("payout")
    assert (first.state, second.state) == ("replaced", "succeeded")
    assert first.nonce == second.nonce
    assert await status(w, id_) == "completed"
    assert await chain.balance(paid) == ETHER
    id_ = await stuck(w, chain, spared, 200)
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        await cancels.ask(session, w.name, id_, "test", now(), patience=timedelta(0))
    await w.payouts.round()
    await w.bury()
    [*_, payment], [cancel] = await w.attempts("payout"), await w.attempts("cancel")
    assert (payment.state, cancel.state) == ("replaced", "succeeded")
    assert await status(w, id_) == "failed"
    assert await chain.balance(spared) == 0
    assert await w.wallet("mer_1", w.coin) == 4 * ETHER
    await w.agreed()


async def test_solana_payouts_are_under_way_side_by_side(solana: SweepWorld) -> None:
    """Three lanes carry three at once, coins and tokens; the fourth takes the first free one."""
    w = solana
    wanted = [(w.coin, SOL // 100)] * 2 + [(w.token, 5 * TOKENS)] * 2
    payees = [await w.chain.fresh_address() for _ in wanted]
    ids = [
        await ask(w, number, *each, payee)
        for number, (each, payee) in enumerate(zip(wanted, payees, strict=True))
    ]
    await w.payouts.round()
    sent = await w.attempts("payout")
    assert len({each.nonce_account for each in sent}) == len(sent) == 3
    await w.bury()
    for _ in range(4):
        if {await status(w, id_) for id_ in ids} == {"completed"}:
            break
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            for row in await w.rows(Withdrawal):
                found = await session.get_one(Withdrawal, row.id)
                found.updated_at = now().at - timedelta(minutes=5)
        await w.turn(sweep=False)
    assert [await status(w, id_) for id_ in ids] == ["completed"] * 4
    for payee, (currency, units) in zip(payees, wanted, strict=True):
        asset = "native" if currency == w.coin else w.chain.token
        assert await w.chain.balance(payee, asset) == units
    assert len(await w.attempts("setup")) == 3
    await w.agreed()
