"""The keystore's journal against our rows: what nobody but the keystore remembers is told."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import select, text

from devnet.system.waiting import until
from gateway.catalog.troubles import Troubles
from gateway.db import CROSS_TENANT
from gateway.models import AuditLog, SignatureDrift, SignatureMark
from keystore import networks
from keystore.api import EthereumIntent, Remembered, Signed
from keystore.client import KeystoreClient
from tests.conftest import FreshDatabase
from tests.keystore.house import House, build, init, serving
from tests.watchers.test_command import config, run
from tests.watchers.test_payouts import AMOUNT, DESTINATION, Desk, desk
from tests.watchers.world import ETH, NETWORK, USDC
from watchers.clock import now
from watchers.pay import holds
from watchers.reconcile import outcome
from watchers.reconcile.rules import Tally
from watchers.reconcile.signatures import Signatures
from watchers.reconcile.signed import DIFFERS, NO_NUMBER, Row, compared, ours_alone

pytestmark = pytest.mark.anyio


@pytest.fixture
def house() -> Iterator[House]:
    """One keystore for each test: its journal begins with the test's database."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        house = build(Path(folder))
        init(house)
        with serving(house):
            yield house


class Counting(KeystoreClient):
    """Counts how often the journal was asked."""

    pages = 0

    async def history(self, network: str, after: int) -> list[Remembered]:
        """Ask, and count."""
        self.pages += 1
        return await super().history(network, after)


@dataclass
class Books:
    """Withdrawals that were paid, and the comparison of their signatures."""

    desk: Desk
    signatures: Signatures
    keystore: Counting
    paid: list[str] = field(default_factory=list)

    async def pay(self, count: int, *, final: bool = True) -> None:
        """Pay some withdrawals."""
        for _ in range(count):
            self.paid.append(await self.desk.request(len(self.paid) + 1, units=AMOUNT // 100))
        await self.desk.payouts.round()
        if final:
            await self.desk.bury()

    async def edit(self, *statements: str) -> None:
        """Edit rows by hand, as their owner may who switches the guards off."""
        tables = ("attempt", "withdrawal")
        off = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables]
        on = [f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_guard" for table in tables]
        for statement in (*off, *statements, *on):
            async with self.desk.world.owner.unit_of_work(CROSS_TENANT) as session:
                await session.execute(text(statement))

    async def look(self) -> list[tuple[str, str, int, int]]:
        """Compare; return currency, order, and both amounts of what differs."""
        await self.signatures.round()
        found: list[SignatureDrift] = await self.rows(SignatureDrift)
        return sorted(
            (each.currency_id, each.order_id, each.signed_units, each.known_units)
            for each in found
        )

    async def conclude(self) -> list[tuple[str, str]]:
        """End a turn of the reconciler; return what is held, and why."""
        await outcome.conclude(
            self.signatures.database, NETWORK, self.signatures.currencies, Tally(),
            fee_is_alone=True,
        )  # fmt: skip
        async with self.desk.world.owner.unit_of_work(CROSS_TENANT) as session:
            return [(each.currency_id, each.cause) for each in await holds.everywhere(session)]

    async def rows(self, model: Any) -> list[Any]:
        """Return every row of a table."""
        async with self.desk.world.owner.unit_of_work(CROSS_TENANT) as session:
            fresh = select(model).execution_options(populate_existing=True)
            return list(await session.scalars(fresh))


@asynccontextmanager
async def books(database: FreshDatabase, house: House) -> AsyncIterator[Books]:
    """Build it."""
    async with desk(database, house) as d, Counting(house.socket) as keystore:
        world = d.world
        signatures = Signatures(NETWORK, world.database, keystore, world.scanner.currencies)
        yield Books(d, signatures, keystore)


async def test_a_signature_that_no_row_knows_pauses_its_asset_until_the_row_is_back(
    database: FreshDatabase, house: House, tmp_path: Path
) -> None:
    """Deleted by hand: no balance and no ledger shows it, only the keystore's journal."""
    async with books(database, house) as b:
        await b.pay(3)
        assert await b.look() == []
        assert await b.conclude() == []
        gone = b.paid[1]
        await b.edit(
            f"CREATE TABLE aside AS SELECT * FROM attempt WHERE order_id = '{gone}'",
            f"DELETE FROM attempt WHERE order_id = '{gone}'",
        )
        assert await b.look() == [(ETH, gone, AMOUNT // 100, 0)]
        waiting = await b.desk.request(9)
        await b.desk.payouts.round()
        row = await b.desk.withdrawal(waiting)
        assert (row.status, "is held (drift)" in str(row.blocked_reason)) == ("approved", True)
        assert gone in str(row.blocked_reason)
        # Its amount and its fee are missing from what our rows expect, too.
        assert (ETH, "drift") in await b.conclude()
        registry = CollectorRegistry()
        await Troubles(registry).round(b.signatures.database, now())
        labels = {"payment_method": ETH, "cause": "drift"}
        assert registry.get_sample_value("gateway_asset_held", labels) == 1

        path = str(config(tmp_path, database, "http://127.0.0.1:1", "1"))
        words = ("reconcile", NETWORK, "--config", path)
        shown = await asyncio.to_thread(run, *words, "--json")
        document = json.loads(shown.stdout)
        [told] = next(a for a in document["assets"] if a["payment_method"] == ETH)["signatures"]
        assert (told["order"], told["number"], told["acknowledged"]) == (gone, 2, False)
        assert (shown.returncode, document["signatures_checked_at"] is None) == (1, False)
        assert f"rows say 0: {gone}" in (await asyncio.to_thread(run, *words)).stdout

        await b.edit("INSERT INTO attempt SELECT * FROM aside")
        assert await b.look() == []
        assert await b.conclude() == []

        async def sent() -> bool | None:
            await b.desk.payouts.round()
            return (await b.desk.withdrawal(waiting)).status == "broadcast" or None

        # What was refused waits some seconds for its next turn.
        await until(sent, "the payout that waited")


async def test_rows_edited_by_hand_are_not_what_was_signed(
    database: FreshDatabase, house: House
) -> None:
    """Amount, order, bytes, number, or what the withdrawal asked for: each is named."""
    async with books(database, house) as b:
        await b.pay(6)
        assert await b.look() == []
        amount, bytes_, number, asked, asset, spelled = b.paid
        await b.edit(
            f"UPDATE attempt SET intent = intent || '{{\"units\": \"7\"}}' WHERE order_id = '{amount}'",
            f"UPDATE attempt SET raw = '\\x00' WHERE order_id = '{bytes_}'",
            f"DELETE FROM signature WHERE withdrawal_id = '{number}'",
            f"UPDATE withdrawal SET destination = '0x{'cd' * 20}' WHERE id = '{asked}'",
            "UPDATE attempt SET intent = intent || jsonb_build_object('to', '0x' ||"
            f" upper(substr(intent ->> 'to', 3))) WHERE order_id = '{spelled}'",  # the same address
            "UPDATE attempt SET intent = intent || jsonb_build_object('asset',"
            f" (SELECT contract FROM currency WHERE id = '{USDC}')) WHERE order_id = '{asset}'",
        )
        units = AMOUNT // 100
        assert await b.look() == sorted(
            [
                (ETH, amount, units, 7),
                (ETH, bytes_, units, units),
                (ETH, number, 0, units),
                (ETH, asked, units, units),
                (ETH, asset, units, units),
                (USDC, asset, units, units),
            ]
        )
        reasons = {each.order_id: each.reason for each in await b.rows(SignatureDrift)}
        assert reasons[amount].endswith(": intent")
        assert reasons[bytes_].endswith(": bytes")
        assert reasons[number].endswith("under no number of the keystore's")
        assert "the intent's to is not the withdrawal's" in reasons[asked]
        async with b.desk.world.owner.unit_of_work(CROSS_TENANT) as session:
            held = {each.currency_id: each.cause for each in await holds.everywhere(session)}
        assert held == {ETH: "drift", USDC: "drift"}


def test_a_contract_is_itself_in_either_spelling() -> None:
    """Our rows keep it as configured, with the checksum of EIP-55; the journal in lower case."""
    configured = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
    intent = EthereumIntent(
        "wdr_1", NETWORK, configured, DESTINATION, "5", 1, 0, 60_000, "2", "1"
    )
    journal = networks.normal(intent)
    assert journal != intent
    fields = msgspec.to_builtins(intent)
    signed = Remembered(journal, Signed("00", "0x1", "0xhot", 1))
    assert compared(signed, Row("wdr_1", "0xhot", fields, b"\0", 1)) is None
    other = compared(signed, Row("wdr_1", "0xhot", fields | {"units": "6"}, b"\0", 1))
    assert other is not None
    assert other.reason == f"{DIFFERS}: intent"
    assert other.assets == {configured.lower()}
    elsewhere = fields | {"asset": "0x" + "b0" * 20}
    assert compared(signed, Row("wdr_1", "0xhot", elsewhere, b"\0", 1)) is not None
    alone = ours_alone("0x1", "wdr_1", fields, NO_NUMBER)
    assert alone.assets == {configured.lower()}


async def test_a_row_that_nothing_signed_explains_no_theft(
    database: FreshDatabase, house: House
) -> None:
    """A landed payment written by hand would make stolen money look spent."""
    async with books(database, house) as b:
        await b.pay(1)
        copied = ", ".join(
            "id || 'x'" if name == "id" else "'wdr_x'" if name == "order_id"
            else "tx_hash || 'x'" if name == "tx_hash" else "'sweep'" if name == "purpose"
            else "NULL" if name in {"withdrawal_id", "nonce"} else name
            for name in [
                "id", "network_id", "purpose", "withdrawal_id", "order_id", "place", "intent",
                "sender", "nonce", "raw", "tx_hash", "state", "block_height", "success",
                "payer_gained_units", "broadcasts", "created_at",
            ]
        )  # fmt: skip
        columns = (
            "id, network_id, purpose, withdrawal_id, order_id, place, intent, sender, nonce, raw,"
            " tx_hash, state, block_height, success, payer_gained_units, broadcasts, created_at"
        )
        await b.edit(f"INSERT INTO attempt ({columns}) SELECT {copied} FROM attempt")
        assert await b.look() == [(ETH, "wdr_x", 0, AMOUNT // 100)]
        await b.edit(
            "INSERT INTO signature SELECT network_id, 2, 'wdr_x', tx_hash, created_at"
            " FROM attempt WHERE order_id = 'wdr_x'"
        )
        assert await b.look() == [(ETH, "wdr_x", 0, AMOUNT // 100)]
        [drift] = await b.rows(SignatureDrift)
        assert drift.reason.endswith("the keystore's journal does not have it")
        await b.edit(
            "DELETE FROM attempt WHERE order_id = 'wdr_x'",
            "DELETE FROM signature WHERE withdrawal_id = 'wdr_x'",
        )
        assert await b.look() == []


async def test_what_an_operator_bears_holds_nobody_until_it_changes(
    database: FreshDatabase, house: House, tmp_path: Path
) -> None:
    """`--resume` names it in the audit log; other words about it hold again."""
    async with books(database, house) as b:
        await b.pay(2)
        number = b.paid[0]
        await b.edit(f"DELETE FROM signature WHERE withdrawal_id = '{number}'")
        await b.look()
        assert await b.conclude() == [(ETH, "drift")]
        path = str(config(tmp_path, database, "http://127.0.0.1:1", "1"))
        words = ("reconcile", NETWORK, "--config", path, "--resume", ETH, "--reason", "a slip")
        assert (await asyncio.to_thread(run, *words)).returncode == 0
        [entry] = [row for row in await b.rows(AuditLog) if row.action.startswith("recon")]
        [drift] = await b.rows(SignatureDrift)
        assert entry.before == {"drift": {drift.tx_hash: drift.reason}}
        await b.look()
        assert await b.conclude() == []
        await b.edit(f"UPDATE attempt SET raw = '\\x00' WHERE order_id = '{number}'")
        await b.look()
        assert await b.conclude() == [(ETH, "drift")]


async def test_what_the_rows_do_not_know_yet_is_left_to_be_taken_over(
    database: FreshDatabase, house: House
) -> None:
    """A copy put back, and a payment of which a part failed, are no drift."""
    async with books(database, house) as b:
        await b.pay(2)
        await b.pay(1, final=False)
        newest = b.paid[-1]
        await b.edit(
            f"DELETE FROM attempt WHERE order_id = '{newest}'",
            f"DELETE FROM signature WHERE withdrawal_id = '{newest}'",
            f"UPDATE withdrawal SET status = 'approved', tx_hash = NULL WHERE id = '{newest}'",
        )
        assert await b.look() == []
        b.desk.again()
        await b.desk.payouts.round()
        assert (await b.desk.withdrawal(newest)).status == "broadcast"
        assert await b.look() == []
        await b.desk.bury()
        assert await b.look() == []
        assert await b.conclude() == []
        assert await b.desk.world.chain.balance(DESTINATION) == 3 * AMOUNT // 100


async def test_each_look_goes_on_where_the_last_one_ended(
    database: FreshDatabase, house: House
) -> None:
    """A long journal is read in parts, also by the next process; a deleted row is found at once."""
    async with books(database, house) as b:
        await b.pay(15)
        parts = Signatures(
            NETWORK, b.signatures.database, b.keystore, b.signatures.currencies, look=10
        )
        marks, pages = [], []
        for _ in range(3):
            b.keystore.pages = 0
            await parts.round()
            [mark] = await b.rows(SignatureMark)
            marks.append(mark.number)
            pages.append(b.keystore.pages)
        assert marks == [10, 0, 10]
        assert max(pages) == 2  # a part, and the newest number
        first = b.paid[0]
        await b.edit(f"DELETE FROM attempt WHERE order_id = '{first}'")
        await parts.round()
        assert [each.order_id for each in await b.rows(SignatureDrift)] == [first]
