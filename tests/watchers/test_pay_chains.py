"""Replacing on anvil, and several payouts at once on Surfpool: real nodes, a real keystore."""

import argparse
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address
from sqlalchemy import delete, insert, text, update

from devnet import anvil, surfpool
from devnet.anvil import AnvilChain
from devnet.chain import RpcFault
from devnet.solana_ledger import FINALITY_SLOTS
from devnet.surfpool import SurfpoolChain
from gateway.db import CROSS_TENANT
from gateway.domain import posting
from gateway.ledger.service import post
from gateway.models import Attempt, CancelRequest, Signature, Withdrawal
from gateway.settings import KeystoreSettings, Settings
from keystore.keyring import Keyring
from keystore.vault import decode
from tests.conftest import FreshDatabase
from tests.keystore.house import PASSPHRASE, House, build, init, serving
from tests.watchers.sweep_world import SweepWorld, sweep_world
from tests.watchers.world import merchant_row
from watchers.clock import now
from watchers.commands import settle
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


async def ask(
    w: SweepWorld,
    number: int,
    currency: str,
    units: int,
    destination: str,
    id_: str | None = None,
) -> str:
    """Put an approved withdrawal with its hold; its id is made of `number` where none is given."""
    id_, moment = id_ or f"wdr_{w.name}_{number}", now()
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
    evm: tuple[SweepWorld, AnvilChain], keystore: tuple[House, str]
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
    await displaced(w, chain, keystore[0])


async def displaced(w: SweepWorld, chain: AnvilChain, house: House) -> None:
    """Let somebody else's transaction take the nonce of a payment, and end it as an operator does."""
    id_ = await ask(w, 8, w.coin, ETHER // 4, await chain.fresh_address())
    await w.payouts.adoption.round()
    assert await w.payouts.claims.claim()
    await w.payouts.hands.sign()
    other = await from_elsewhere(chain, house, await w.address("hot"))
    assert not await ended(w, house, id_, other), "in no final block of ours yet"
    await w.bury()
    assert not await ended(w, house, id_, "0x" + "ab" * 32), "a hash that no node knows"
    assert await status(w, id_) == "broadcast"
    assert await ended(w, house, id_, other)
    assert await status(w, id_) == "failed"
    assert await w.wallet("mer_1", w.coin) == 4 * ETHER


async def from_elsewhere(chain: AnvilChain, house: House, hot: str) -> str:
    """Sign 1 wei to the hot wallet itself with its own key, as whoever has stolen it may."""
    _, secrets = decode(house.file.read_bytes(), PASSPHRASE.encode())
    key = Keyring(secrets).key("hot", "ethereum")
    nonce = int(await chain.rpc.call("eth_getTransactionCount", hot, "latest"), 16)
    call = {"nonce": nonce, "gas": 21_000, "gasPrice": 500 * GWEI, "chainId": 31337}
    signed = Account.sign_transaction({**call, "to": to_checksum_address(hot), "value": 1}, key)
    sent = await chain.rpc.call(
        "eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex()
    )
    return str(sent)


async def ended(w: SweepWorld, house: House, id_: str, tx_hash: str) -> bool:
    """Run `watchers settle --failed --taken-by`; tell whether it ended the order."""
    socket = KeystoreSettings(socket=house.socket)
    words = [w.name, id_, "--failed", "--taken-by", tx_hash.upper().replace("0X", "0x")]
    parser = argparse.ArgumentParser()
    settle.add_arguments(parser)
    args = parser.parse_args([*words, "--reason", "paid by hand"])
    settings = Settings(networks={w.name: w.settings}, keystore=socket)
    return await settle.command(settings, w.database, args) == 0


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
    await taken_back(w)


async def forgotten(w: SweepWorld, id_: str) -> None:
    """Put the rows of a payout back to what an older copy of the database says."""
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text("ALTER TABLE withdrawal DISABLE TRIGGER withdrawal_guard"))
        await session.execute(delete(Signature).where(Signature.withdrawal_id == id_))
        await session.execute(delete(Attempt).where(Attempt.order_id == id_))
        row = update(Withdrawal).where(Withdrawal.id == id_)
        await session.execute(row.values(status="approved", tx_hash=None))
        await session.execute(
            text("ALTER TABLE withdrawal ENABLE ALWAYS TRIGGER withdrawal_guard")
        )


async def taken_back(w: SweepWorld) -> None:
    """Advance the nonce of a payment that waits: its bytes never land then, its hold is free.

    Both are taken over in their place by a database that has forgotten them.
    """
    spared, before = await w.chain.fresh_address(), await w.wallet("mer_1", w.coin)
    id_ = await ask(w, 9, w.coin, SOL // 100, spared)
    await w.payouts.adoption.round()
    assert await w.payouts.claims.claim()
    await w.payouts.hands.sign()
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        unsent = update(Attempt).where(Attempt.order_id == id_)
        await session.execute(unsent.values(last_broadcast_at=now().at))
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        await cancels.ask(session, w.name, id_, "test", now(), patience=timedelta(0))
    await w.payouts.outbids.round()
    await w.payouts.hands.sign()
    await forgotten(w, id_)
    await w.payouts.round()
    await w.bury()
    [*_, payment], [cancel] = await w.attempts("payout"), await w.attempts("cancel")
    assert (payment.state, cancel.state) == ("replaced", "succeeded")
    assert (payment.nonce_account, payment.nonce_value) == (
        cancel.nonce_account,
        cancel.nonce_value,
    )
    assert await status(w, id_) == "failed"
    assert isinstance(w.chain, SurfpoolChain)
    with pytest.raises(RpcFault):
        await w.chain.send_raw(payment.raw or b"")
    await w.bury()
    assert await w.chain.balance(spared) == 0
    assert await w.wallet("mer_1", w.coin) == before
    await w.payouts.round()
    [wish] = await w.rows(CancelRequest)
    assert wish.answer == "canceled"
    await w.agreed()
