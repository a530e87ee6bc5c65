"""A Tron node that is the only one hides a payment, or calls it failed: no hold goes back."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, select, text

from devnet.chain import HOST, free_port
from devnet.tron import TronChain
from devnet.tron.evm import evm
from devnet.tron.http import listening
from devnet.tron.node import Node
from devnet.tron.start import attached
from gateway.db import CROSS_TENANT
from gateway.domain import posting
from gateway.ledger.service import post
from gateway.models import Attempt, Wallet, Withdrawal
from tests.conftest import TestServer, cloned
from tests.hostile.liar import Liar, honest, lying
from tests.watchers.sweep_world import SweepWorld, own_keystore, sweep_world
from tests.watchers.world import merchant_row
from watchers.clock import now
from watchers.networks.tron.root import SignedHeader
from watchers.pay.settler import EXPIRED
from watchers.scan.rescan import Rescan
from watchers.seals import Seal, Sealed, SealReader, Terms

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
TRX = 10**6
SOLID_LAG = 3
AGO_MS, LATER_SECONDS = 300_000, 10
AMOUNT = 5 * TRX
LOOKS_AT_HEADS = 20
COIN, TOKEN = "TRX-TRON", "TUSD-TRON"


@dataclass
class Sooner:
    """Reads blocks as they are, and bytes as if they expired sooner."""

    reader: SealReader
    until_ms: dict[str, int] = field(default_factory=dict)

    def terms(self, raw: bytes) -> Terms:
        """Read them with the other date."""
        told = self.reader.terms(raw)
        return replace(told, expiration_ms=self.until_ms.get(told.tx_hash, told.expiration_ms))

    async def seal(self, height: int) -> Seal:
        """Return a header."""
        return await self.reader.seal(height)

    async def sealed(self, height: int) -> Sealed:
        """Return a block."""
        return await self.reader.sealed(height)


@dataclass
class Town:
    """A network whose only node lies when it is told to, and a merchant with a balance."""

    world: SweepWorld
    chain: TronChain
    liar: Liar
    asked: int = 0
    told: list[str] = field(default_factory=list)

    async def pay_out(self, currency: str = COIN) -> Attempt:
        """Approve a withdrawal, sign it, hand it to the node; return its transaction."""
        self.asked += 1
        id_, at = f"wdr_{self.asked}", datetime.now(UTC)
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                insert(Withdrawal).values(
                    id=id_, merchant_id="mer_1", livemode=False, currency_id=currency,
                    network_id="tron", units=AMOUNT, fee_units=0,
                    destination=await self.chain.fresh_address(), metadata_={}, status="approved",
                    created_by="key_1", created_at=at, approved_at=at, updated_at=at,
                )
            )  # fmt: skip
            await post(session, posting.deposit(f"dep_{id_}", "mer_1", currency, AMOUNT), now())
            await post(session, posting.hold(id_, "mer_1", currency, AMOUNT), now())
        await self.world.payouts.round()
        attempt = await self.attempt(id_)
        assert attempt.state == "signed"
        return attempt

    async def attempt(self, withdrawal_id: str) -> Attempt:
        """Return a withdrawal's transaction as it stands."""
        query = select(Attempt).where(Attempt.withdrawal_id == withdrawal_id)
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            return (await session.scalars(query)).one()

    async def withdrawal(self, attempt: Attempt) -> Withdrawal:
        """Return its withdrawal as it stands."""
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            return await session.get_one(Withdrawal, attempt.withdrawal_id)

    async def locked(self, currency: str = COIN) -> int:
        """Return what the merchant has in holds."""
        query = select(Wallet.locked).filter_by(account="mer_1", currency_id=currency)
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            return int(await session.scalar(query) or 0)

    async def require_waiting(
        self, attempt: Attempt, reason: str, *, status: str = "broadcast"
    ) -> None:
        """Demand that it was paid, and that its hold stays for a reason that is told."""
        row, currency = await self.withdrawal(attempt), attempt.intent["asset"]
        assert await self.chain.balance(row.destination, currency) == AMOUNT
        assert (row.status, await self.locked(row.currency_id)) == (status, AMOUNT)
        assert reason in (row.blocked_reason or "")
        assert "is not settled" in (self.world.scanner.unsettled or "")

    async def outlive(self, attempt: Attempt) -> None:
        """Let its expiration be one that the next blocks pass: now, by the chain's clock.

        For us alone: nobody waits for six hours, and the bytes stay what they are.
        """
        head = await self.chain.ask("wallet/getnowblock")
        until = head["block_header"]["raw_data"]["timestamp"] + 1
        async with self.world.owner.unit_of_work(CROSS_TENANT) as session:
            # No role but the owner's could, and not while the table's triggers stand.
            await session.execute(text("ALTER TABLE attempt DISABLE TRIGGER USER"))
            await session.execute(
                text(
                    "UPDATE attempt SET intent = intent || jsonb_build_object('expiration_ms',"
                    " CAST(:until AS bigint)) WHERE id = :id"
                ),
                {"until": until, "id": attempt.id},
            )
            await session.execute(text("ALTER TABLE attempt ENABLE TRIGGER USER"))
        proof = self.world.scanner.final_lane.ends._proof
        assert proof is not None
        if not isinstance(proof.reader, Sooner):
            proof.reader = Sooner(proof.reader)
        proof.reader.until_ms[attempt.tx_hash or ""] = until
        await self.chain.travel(LATER_SECONDS)

    async def bury(self) -> None:
        """Make everything final, and look again at what waits."""
        for _ in range(3):
            await self.world.bury()


@asynccontextmanager
async def behind() -> AsyncIterator[TronChain]:
    """Run an emulator whose clock is behind ours; blocks come when they are asked for."""
    port = free_port()
    async with evm() as machine:
        node = Node(machine, lambda: time.time_ns() // 1_000_000 - AGO_MS, SOLID_LAG)
        await node.start()
        async with listening(node, port), attached(f"http://{HOST}:{port}") as chain:
            yield chain


@pytest.fixture(scope="module")
async def town(database_server: TestServer) -> AsyncIterator[Town]:
    """Build one for the module; its chain is behind our clock, so that expirations can pass."""
    async with behind() as chain, lying(chain.url) as liar:
        await chain.mine(5)
        with own_keystore() as keystore, cloned(database_server) as database:
            async with sweep_world(
                database, chain, *keystore, final_lag=SOLID_LAG, rpc_urls=[liar.url]
            ) as w:
                async with w.owner.unit_of_work(CROSS_TENANT) as session:
                    await session.execute(merchant_row())
                hot = await w.address("hot")
                for units, asset in ((1_000 * TRX, "native"), (10 * AMOUNT, chain.token)):
                    await chain.send(hot, units, asset)
                    await chain.mine()
                await w.bury()
                w.scanner.final_lane.ends.retry_seconds = 0
                yield Town(w, chain, liar)


def hiding(tx: str) -> Any:
    """Leave a transaction out of its block, and its info; the header stays as it is."""

    def twist(method: str, _params: Any, result: Any) -> Any:
        if method == "getblockbynum":
            kept = [each for each in result.get("transactions", []) if each["txID"] != tx]
            return {**result, "transactions": kept}
        if method == "gettransactioninfobyblocknum":
            return [each for each in result if each["id"] != tx]
        return result

    return twist


def failing(tx: str) -> Any:
    """Say in both answers that it was reverted."""

    def twist(method: str, _params: Any, result: Any) -> Any:
        if method == "getblockbynum":
            said = [
                {**each, "ret": [{"contractRet": "REVERT"}]} if each["txID"] == tx else each
                for each in result.get("transactions", [])
            ]
            return {**result, "transactions": said}
        if method == "gettransactioninfobyblocknum":
            return [
                {**each, "result": "FAILED", "receipt": {"result": "REVERT"}, "log": []}
                if each["id"] == tx
                else each
                for each in result
            ]
        return result

    return twist


async def forging(chain: TronChain, tx: str, height: int) -> Any:
    """Make up the chain from a block on: without the transaction, all else in its place."""
    head = (await chain.ask("wallet/getnowblock"))["block_header"]["raw_data"]["number"]
    made: dict[int, Any] = {}
    for each in range(height, head + 1):
        block = await chain.ask("wallet/getblockbynum", num=each)
        raw = block["block_header"]["raw_data"]
        if each == height:
            assert [sent["txID"] for sent in block.pop("transactions")] == [tx]
            raw["txTrieRoot"] = "00" * 32
        else:
            raw["parentHash"] = made[each - 1]["blockID"]
        made[each] = {**block, "blockID": msgspec.convert(raw, SignedHeader).block_id()}

    def twist(method: str, _params: Any, result: Any) -> Any:
        if method == "gettransactioninfobyblocknum":
            return [each for each in result if each["id"] != tx]
        number = result.get("block_header", {}).get("raw_data", {}).get("number", 0)
        return made.get(number, result)

    return twist


async def test_a_payment_that_its_node_leaves_out_of_the_block_is_not_paid_again(
    town: Town,
) -> None:
    """It was paid; the row says why its hold stays, and a rescan finds it.

    Another payment stands beside it: that a block of one is not empty, its header tells our scan.
    """
    attempt = await town.pay_out()
    await town.chain.send(await town.chain.fresh_address(), TRX)
    town.liar.twist = hiding(attempt.tx_hash or "")
    height = (await town.chain.mined(attempt.tx_hash or ""))["blockNumber"]
    await town.outlive(attempt)
    await town.bury()
    await town.require_waiting(attempt, "its root is not that of its transactions")
    town.liar.twist = honest
    await town.bury()
    await town.require_waiting(attempt, f"block {height}, which our scan was shown without it")
    await Rescan(town.world.scanner, town.told.append, asyncio.sleep).run(height, height)
    await town.bury()
    assert (await town.withdrawal(attempt)).status == "completed"
    assert await town.locked() == 0


async def test_a_payment_that_stands_in_no_block_gives_its_hold_back(town: Town) -> None:
    """Its node forgot it; every block in which it might stand proves that."""
    town.liar.twist = honest
    await town.chain.set_faults(swallow=True)
    attempt = await town.pay_out()
    await town.chain.set_faults()
    await town.outlive(attempt)
    await town.bury()
    ended = await town.withdrawal(attempt)
    assert (ended.status, ended.failure_reason) == ("failed", EXPIRED)
    assert await town.locked() == 0
    before = town.liar.asked.copy()
    await town.bury()
    assert town.liar.asked["getblock"] - before["getblock"] < LOOKS_AT_HEADS
    assert town.world.scanner.unsettled is None


async def test_a_payment_that_its_node_calls_failed_is_not_paid_again(town: Town) -> None:
    """Block and info agree, the block's root does not."""
    attempt = await town.pay_out(TOKEN)
    town.liar.twist = failing(attempt.tx_hash or "")
    await town.bury()
    await town.require_waiting(
        attempt, "its root is not that of its transactions", status="confirming"
    )
    town.liar.twist = honest
    await town.bury()
    await town.require_waiting(attempt, "does not say that it failed", status="confirming")
    height = (await town.attempt(attempt.withdrawal_id or "")).block_height or 0
    await Rescan(town.world.scanner, town.told.append, asyncio.sleep).run(height, height)
    await town.bury()
    assert (await town.withdrawal(attempt)).status == "completed"


async def test_a_chain_that_a_node_makes_up_gives_nothing_back(town: Town) -> None:
    """Roots, ids and parents are all right; nobody's signature is below them.

    The last one here: our scan follows that chain.
    """
    town.liar.twist = honest
    await town.bury()
    attempt = await town.pay_out()
    height = (await town.chain.mined(attempt.tx_hash or ""))["blockNumber"]
    await town.outlive(attempt)
    for _ in range(4):
        await town.chain.mine(SOLID_LAG + 1)
        town.liar.twist = await forging(town.chain, attempt.tx_hash or "", height)
        await town.world.scan()
    await town.require_waiting(attempt, "0 of 1 witnesses signed blocks above")
