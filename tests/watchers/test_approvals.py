"""From a person's own machine to the chain: the real command, API, database and keystore."""

import asyncio
import hashlib
import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from sqlalchemy import text

from devnet.system.waiting import until
from gateway.accounts.service import KeyRequest, create_key
from gateway.app import create_api
from gateway.approvals.proofs import message, order_of
from gateway.db import CROSS_TENANT, Database
from gateway.models import Withdrawal
from keystore import api
from keystore.approving import key_file
from keystore.client import KeystoreClient, KeystoreRefused
from tests.conftest import FreshDatabase
from tests.keystore.house import ROOT, House, build, ethereum_intent, init, serving
from tests.watchers.test_payouts import AMOUNT, DESTINATION, Desk, desk
from tests.watchers.world import NETWORK
from watchers.clock import now
from watchers.pay.approved import word_on
from watchers.pay.orders import Orders
from watchers.policy import Policies

pytestmark = pytest.mark.anyio
POLICY = """
[[approvers]]
name = "alice"
subject = "usr_alice"
key = "{alice}"

[[approvers]]
name = "bob"
subject = "usr_bob"
key = "{bob}"

[[rules]]
name = "small change"
class = "automatic"
networks = ["ethereum"]
assets = ["native"]
units_max = "{limit}"
window = {{ hours = 24, units = "{window}" }}
fee_max = "100000000000000000"
fee_window = {{ hours = 24, units = "1000000000000000000" }}

[[rules]]
name = "two people"
class = "approved"
networks = ["ethereum"]
assets = ["native"]
fee_max = "100000000000000000"
approvals = 2
approvers = ["alice", "bob"]

[[rules]]
name = "everything else"
class = "block"
"""
LIMIT = AMOUNT // 2
ENDED = 120.0


@dataclass(frozen=True)
class Kept:
    """A keystore under a policy, and the key files of two people."""

    house: House

    def key(self, name: str) -> Path:
        """Return a person's key file."""
        return self.house.home / f"{name}.key"

    def refusals(self, withdrawal_id: str) -> list[str]:
        """Return what the journal says was refused about a withdrawal, oldest first."""
        with sqlite3.connect(f"file:{self.house.journal}?mode=ro", uri=True) as journal:
            rows = journal.execute(
                "SELECT code FROM entry WHERE kind = 'refused' AND subject = ? ORDER BY rowid",
                (withdrawal_id,),
            )
            return [row[0] for row in rows]


@pytest.fixture(scope="module")
def kept() -> Iterator[Kept]:
    """One keystore process for the module."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        house = build(Path(folder), extra='policy = "policy.toml"\n')
        kept = Kept(house)
        keys = {
            name: key_file.create(kept.key(name), b"", os.urandom) for name in ("alice", "bob")
        }
        policy = house.home / "policy.toml"
        policy.write_text(POLICY.format(**keys, limit=LIMIT, window=100 * AMOUNT))
        policy.chmod(0o600)
        init(house)
        with serving(house):
            yield kept


@dataclass
class Scene:
    """A desk of payouts with people around it; `url` is where the API listens."""

    desk: Desk
    kept: Kept
    policies: Policies
    orders: Orders
    url: str
    merchant_key: str

    async def round(self) -> None:
        """Ask people and pay, as the watcher's loops do, with no pause between two tries."""
        await self.policies.round()
        await self.orders.round()
        await self.sql("UPDATE withdrawal SET updated_at = updated_at - interval '2 minutes'")
        await self.desk.payouts.round()

    async def say(self, name: str, *arguments: str) -> tuple[int, str]:
        """Run `keystore approve` as a person does; return exit code and what it said."""
        command = (
            sys.executable, "-m", "keystore", "approve", "--url", self.url,
            "--name", name, "--key", str(self.kept.key(name)), *arguments,
        )  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), ENDED)
        return process.returncode or 0, said.decode()

    async def agree(self, *names: str) -> str:
        """Let people approve the newest order; return its id."""
        order_id = await self.newest()
        for name in names:
            code, said = await self.say(
                name, "--order", order_id, "--yes", await self.digest(order_id)
            )
            assert code == 0, said
        return order_id

    async def digest(self, order_id: str | None = None) -> str:
        """Return what names an order to `--yes`: the newest one's without an id."""
        chosen = order_id or await self.newest()
        [row] = await self.sql("SELECT * FROM approval_order WHERE id = :id", id=chosen)
        return hashlib.sha256(message(order_of(row))).hexdigest()

    async def newest(self) -> str:
        """Return the id of the newest order."""
        rows = await self.sql("SELECT id FROM approval_order ORDER BY id DESC LIMIT 1")
        return str(rows[0].id)

    async def document(self, id_: str) -> dict[str, Any]:
        """Return a withdrawal as its merchant sees it."""
        async with httpx.AsyncClient() as client:
            bearer = {"Authorization": f"Bearer {self.merchant_key}"}
            answer = await client.get(f"{self.url}/v1/withdrawals/{id_}", headers=bearer)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def withdrawal(self, id_: str) -> Withdrawal:
        """Return a withdrawal's row."""
        return await self.desk.withdrawal(id_)

    async def sql(self, statement: str, **values: Any) -> Any:
        """Do one thing as the owner of the database."""
        async with self.desk.world.owner.unit_of_work(CROSS_TENANT) as session:
            result: Any = await session.execute(text(statement), values)
            return result.all() if result.returns_rows else None

    async def edit(self, table: str, statement: str, **values: Any) -> None:
        """Do what the table's triggers forbid, as whoever owns the database might."""
        await self.sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        await self.sql(statement, **values)
        await self.sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    async def paid(self) -> int:
        """Return what the destination holds after everything that was sent is final."""
        await self.desk.bury()
        return await self.desk.world.chain.balance(DESTINATION)


@asynccontextmanager
async def scene(database: FreshDatabase, kept: Kept) -> AsyncIterator[Scene]:
    """Build it, with the API on a port of its own."""
    async with desk(database, kept.house) as d:
        payouts = d.payouts
        settings = msgspec.structs.replace(
            database.settings, networks={NETWORK: payouts.settings}
        )
        policies = Policies(NETWORK, payouts.database, payouts.keystore)
        orders = Orders(NETWORK, payouts.settings, payouts.database, payouts.position)
        as_api = Database(database.url("api"), pool_size=4)
        request = KeyRequest(
            name="till", scopes=["withdrawals:read"], livemode=False, merchant_id="mer_1",
            allowed_ips=[], expires_at=None,
        )  # fmt: skip
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            pepper = settings.secret("api.key_pepper_file")
            made = await create_key(session, request, pepper, now())
        try:
            async with _listening(create_api(settings, as_api).asgi) as url:
                yield Scene(d, kept, policies, orders, url, made.key or "")
        finally:
            await as_api.aclose()


@asynccontextmanager
async def _listening(asgi: Any) -> AsyncIterator[str]:
    configuration = uvicorn.Config(
        asgi, host="127.0.0.1", port=0, lifespan="off", log_config=None, log_level="critical"
    )
    server = uvicorn.Server(configuration)
    serving_ = asyncio.create_task(server.serve())

    async def started() -> bool | None:
        return server.started or None

    try:
        await until(started, "the API")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving_


async def test_above_the_limit_two_people_approve_and_it_is_paid(
    database: FreshDatabase, kept: Kept
) -> None:
    """It waits with 0 of 2, then 1 of 2, and is paid once; small change goes by itself."""
    async with scene(database, kept) as s:
        small = await s.desk.request(1, units=LIMIT)
        big = await s.desk.request(2)
        await s.round()
        assert (await s.withdrawal(small)).status == "broadcast"
        shown = await s.document(big)
        assert (shown["status"], shown["approvals"]) == ("approved", {"have": 0, "need": 2})
        assert shown["blocked_reason"] == "waits for approvals: 0 of 2"
        order_id = await s.agree("alice")
        await s.round()
        assert (await s.document(big))["approvals"] == {"have": 1, "need": 2}
        assert (await s.withdrawal(big)).status == "approved"
        code, said = await s.say("bob", "--order", order_id, "--yes", await s.digest(order_id))
        assert code == 0
        for fact in (
            "1.000000000000000000 ETH  (1000000000000000000 base units)",
            DESTINATION,
            "fee at most   0.100000000000000000",
            "merchant      mer_1",
            "merchant name Shop",
            "asked for by  key_1",
            "NEVER BEFORE by this merchant",
            "1 of 2 by rule 'two people': alice",
            "approved: 2 of 2",
        ):
            assert fact in said, said
        await s.round()
        assert await s.paid() == LIMIT + AMOUNT
        await s.round()
        assert (await s.document(big))["status"] == "completed"
        assert s.kept.refusals(big) == []
        assert await s.sql("SELECT 1 FROM approval_order") == [(1,)]
        third = await s.desk.request(3)
        await s.round()
        _, said = await s.say("alice", "--order", await s.newest(), "--yes", await s.digest())
        assert "2 times, 1.500000000000000000 ETH" in said
        assert (await s.withdrawal(third)).status == "approved"


async def test_nobody_approves_his_own_request(database: FreshDatabase, kept: Kept) -> None:
    """The command refuses, the API refuses, and the keystore refuses what was slipped in."""
    async with scene(database, kept) as s:
        own = await s.desk.request(1)
        await s.edit("withdrawal", "UPDATE withdrawal SET created_by = 'usr_alice'")
        await s.round()
        order_id = await s.newest()
        code, said = await s.say(
            "alice", "--order", order_id, "--yes", await s.digest(order_id)
        )
        assert (code, "four eyes" in said) == (1, True)
        await s.agree("bob")
        [row] = await s.sql("SELECT * FROM approval_order")
        order = api.Order(
            withdrawal_id=own, network=NETWORK, asset="native", to=row.destination,
            units=str(row.units), fee_ceiling=str(row.fee_ceiling_units), merchant="mer_1",
            requested_by="usr_alice", expires_ms=row.expires_ms,
        )  # fmt: skip
        await _slip_in(s, order_id, "alice", order)
        await s.round()
        assert s.kept.refusals(own) == ["own_request"]
        assert "own_request" in ((await s.withdrawal(own)).blocked_reason or "")
        assert await s.paid() == 0


@pytest.mark.parametrize("asker", ["key_alice", "auto:pru_alice"])
async def test_whoever_stands_behind_a_key_or_a_rule_asks_for_its_withdrawals(
    database: FreshDatabase, kept: Kept, asker: str
) -> None:
    """The keystore knows people; a new key or rule of one of them is no second person."""
    async with scene(database, kept) as s:
        await s.desk.request(1)
        for statement in (MADE_KEY, MADE_ENTRY, MADE_RULE):
            await s.sql(statement)
        rule = ", rule_id = 'pru_alice'" if asker.startswith("auto:") else ""
        await s.edit("withdrawal", f"UPDATE withdrawal SET created_by = '{asker}'{rule}")
        await s.round()
        order_id = await s.newest()
        code, said = await s.say(
            "alice", "--order", order_id, "--yes", await s.digest(order_id)
        )
        assert (code, "four eyes" in said) == (1, True)
        assert await s.sql("SELECT requested_by FROM approval_order") == [("usr_alice",)]


MADE_KEY = (
    "INSERT INTO api_key (id, merchant_id, name, prefix, key_hash, scopes, livemode, created_by,"
    " created_at) VALUES ('key_alice', 'mer_1', 'a', 'p', 'h', '{}', false, 'usr_alice', now())"
)
MADE_ENTRY = (
    "INSERT INTO address_book_entry (id, merchant_id, livemode, network_id, address, label,"
    " created_by, created_at, usable_at) SELECT 'abe_1', 'mer_1', false, network_id, destination,"
    " 'b', 'key_alice', now(), now() FROM withdrawal"
)
MADE_RULE = (
    "INSERT INTO payout_rule (id, merchant_id, livemode, currency_id, entry_id, threshold_units,"
    " keep_units, approval, period_minutes, enabled, created_by, created_at, updated_at) SELECT"
    " 'pru_alice', 'mer_1', false, currency_id, 'abe_1', 2, 1, 'merchant', 60, false, 'key_alice',"
    " now(), now() FROM withdrawal"
)


async def _slip_in(s: Scene, order_id: str, name: str, order: api.Order) -> None:
    """Write a proof past the API."""
    key = key_file.opened(key_file.read(s.kept.key(name)), b"")
    signature = key.sign(api.order_message(order)).hex()
    proof = {"kind": "key", "approver": name, "signature": signature}
    await s.sql(
        "INSERT INTO approval (order_id, approver, proof, at)"
        " VALUES (:order_id, :name, CAST(:proof AS jsonb), now())",
        order_id=order_id, name=name, proof=json.dumps(proof),
    )  # fmt: skip


async def test_proofs_written_past_the_api_neither_stop_the_watcher_nor_spoil_true_ones(
    database: FreshDatabase, kept: Kept
) -> None:
    """Garbage and a false signature in people's names: the two who really said yes are enough."""
    async with scene(database, kept) as s:
        paid = await s.desk.request(1)
        await s.round()
        order_id = await s.newest()
        for name, proof in (
            ("carol", {"kind": "nonsense"}),
            ("dave", {"kind": "key", "approver": "dave", "signature": "00" * 64}),
        ):
            await s.sql(
                "INSERT INTO approval (order_id, approver, proof, at)"
                " VALUES (:order_id, :name, CAST(:proof AS jsonb), now())",
                order_id=order_id, name=name, proof=json.dumps(proof),
            )  # fmt: skip
        await s.sql(
            "UPDATE policy_snapshot SET approvers = approvers"
            ' || jsonb_build_array((approvers -> 0) || \'{"name": "carol"}\'::jsonb,'
            ' (approvers -> 0) || \'{"name": "dave"}\'::jsonb)'
        )
        async with s.desk.world.owner.unit_of_work(CROSS_TENANT) as session:
            before = await word_on(session, paid, now().at)
        assert {each.approver for each in before.approvals} == {"dave"}
        await s.agree("alice", "bob")
        async with s.desk.world.owner.unit_of_work(CROSS_TENANT) as session:
            word = await word_on(session, paid, now().at)
        assert word.approvers == {"alice", "bob"}


async def test_an_order_edited_in_the_database_is_refused_by_the_keystore(
    database: FreshDatabase, kept: Kept
) -> None:
    """Approved was another one: nothing leaves, and the journal says why."""
    async with scene(database, kept) as s:
        fee, to = await s.desk.request(1), await s.desk.request(2)
        await s.round()
        ids = await s.sql("SELECT id, withdrawal_id FROM approval_order")
        for row in ids:
            for name in ("alice", "bob"):
                code, said = await s.say(
                    name, "--order", row.id, "--yes", await s.digest(row.id)
                )
                assert code == 0, said
        thief = "0x" + "66" * 20
        await s.edit(
            "approval_order",
            "UPDATE approval_order SET fee_ceiling_units = fee_ceiling_units * 2"
            " WHERE withdrawal_id = :id",
            id=fee,
        )
        await s.edit(
            "approval_order",
            "UPDATE approval_order SET destination = :thief WHERE withdrawal_id = :id",
            thief=thief, id=to,
        )  # fmt: skip
        await s.round()
        assert s.kept.refusals(fee) == ["bad_approval"]
        assert s.kept.refusals(to) == ["not_what_was_approved"]
        await s.edit(
            "withdrawal", "UPDATE withdrawal SET destination = :thief WHERE id = :id",
            thief=thief, id=to,
        )  # fmt: skip
        await s.round()
        assert s.kept.refusals(to) == ["not_what_was_approved", "bad_approval"]
        assert await s.paid() == 0
        assert await s.desk.world.chain.balance(thief) == 0


async def test_an_expired_order_counts_for_nothing(database: FreshDatabase, kept: Kept) -> None:
    """People are asked again; the keystore refuses the old one whoever carries it."""
    async with scene(database, kept) as s:
        id_ = await s.desk.request(1)
        await s.round()
        first = await s.agree("alice", "bob")
        old = "UPDATE approval_order SET expires_ms = 1, created_at = '2020-01-01'"
        await s.edit("approval_order", old)
        code, said = await s.say("alice", "--order", first, "--yes", await s.digest(first))
        assert (code, "expired" in said) == (1, True)
        await s.round()
        assert await s.newest() != first
        shown = await s.document(id_)
        assert (shown["status"], shown["approvals"]) == ("approved", {"have": 0, "need": 2})
        stale = ethereum_intent(withdrawal_id="wdr_stale", nonce=5_000)
        order = api.Order(
            withdrawal_id="wdr_stale", network=NETWORK, asset="native", to=stale.to,
            units=stale.units, fee_ceiling=str(10**17), merchant="mer_1", requested_by="key_1",
            expires_ms=int((now().at - timedelta(seconds=1)).timestamp() * 1000),
        )  # fmt: skip
        approvals = [_approved(s.kept, name, order) for name in ("alice", "bob")]
        async with KeystoreClient(s.kept.house.socket) as client:
            with pytest.raises(KeystoreRefused, match="approval_expired"):
                await client.sign(stale, order=order, approvals=approvals)
        assert s.kept.refusals("wdr_stale") == ["approval_expired"]
        await s.agree("alice", "bob")
        await s.round()
        assert await s.paid() == AMOUNT


def _approved(kept: Kept, name: str, order: api.Order) -> api.KeyApproval:
    key = key_file.opened(key_file.read(kept.key(name)), b"")
    return api.KeyApproval(approver=name, signature=key.sign(api.order_message(order)).hex())


async def test_a_refusal_rejects_the_withdrawal(database: FreshDatabase, kept: Kept) -> None:
    """The hold is free again, the merchant reads why, and the request's signature is kept."""
    async with scene(database, kept) as s:
        before = await s.desk.world.wallet("mer_1")
        id_ = await s.desk.request(1)
        await s.round()
        order_id = await s.newest()
        code, said = await s.say("bob", "--order", order_id, "--refuse", "nobody ordered this")
        assert (code, "refused" in said) == (0, True)
        await s.round()
        shown = await s.document(id_)
        assert shown["status"] == "rejected"
        assert shown["failure_reason"] == "refused by bob: nobody ordered this"
        assert shown["rejected_by"] == "approver:bob"
        assert await s.desk.world.wallet("mer_1") == before
        assert await s.desk.world.events(id_) == ["withdrawal.rejected"]
        [row] = await s.sql("SELECT proof FROM refusal")
        signed = (
            f"gw/approver/v1\nPOST\n/v1/approvals/orders/{order_id}/refuse\n"
            f"{hashlib.sha256(row.proof['body'].encode()).hexdigest()}\n{row.proof['at']}"
        )
        key = key_file.opened(key_file.read(s.kept.key("bob")), b"").public_key()
        key.verify(bytes.fromhex(row.proof["signature"]), signed.encode())
        code, said = await s.say(
            "alice", "--order", order_id, "--yes", await s.digest(order_id)
        )
        assert (code, "refused" in said) == (1, True)
        assert await s.paid() == 0


async def test_what_no_rule_allows_asks_nobody(database: FreshDatabase, kept: Kept) -> None:
    """A token that the policy does not name waits with the reason and takes no nonce."""
    async with scene(database, kept) as s:
        id_ = await s.desk.request(1, "USDC-ETHEREUM", 5 * 10**6)
        await s.round()
        waiting = await s.withdrawal(id_)
        assert waiting.blocked_reason == "the keystore's policy does not allow this payment"
        assert await s.sql("SELECT 1 FROM approval_order") == []
        assert await s.desk.attempts() == []


async def test_what_is_paused_waits_and_deposits_go_on(
    database: FreshDatabase, kept: Kept
) -> None:
    """Nothing of it takes a nonce; the merchant reads why; lifted, it is paid."""
    async with scene(database, kept) as s:
        id_ = await s.desk.request(1, units=LIMIT)
        await s.sql(
            "INSERT INTO pause (id, livemode, currency_id, reason, created_by, created_at)"
            " VALUES ('pse_1', false, 'ETH-ETHEREUM', 'node trouble', 'key_op', now())"
        )
        await s.round()
        shown = await s.document(id_)
        assert (shown["status"], shown["blocked_reason"]) == (
            "approved",
            "paused: node trouble",
        )
        assert await s.desk.attempts() == []
        before, _ = await s.desk.world.wallet("mer_1")
        await s.desk.world.pay(s.desk.world.assigned, AMOUNT)
        assert await s.desk.world.wallet("mer_1") == (before + AMOUNT, LIMIT)
        await s.sql("UPDATE pause SET lifted_at = now(), lifted_by = 'key_op'")
        await s.round()
        assert await s.paid() == LIMIT
