"""The operator's desk: whatever is nobody's is listed, and two operators decide whose it becomes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError, ProgrammingError

from gateway.db import CROSS_TENANT
from gateway.desk.beside import STAYS
from gateway.models import AddressPool, Withdrawal
from tests.conftest import FreshDatabase
from tests.fakes.chain import JUNK, Move
from tests.gateway.conftest import TestApi
from tests.watchers.asking import asking
from tests.watchers.world import (
    DUE_UNITS,
    ETH,
    NETWORK,
    PUBLIC_KEY,
    PUBLIC_URL,
    USDC,
    World,
    world,
)
from watchers.desk.decisions import Decisions

pytestmark = pytest.mark.anyio
SOMEWHERE = "0x" + "c0" * 20
LIST = "/v1/deposits/unattributed"


@dataclass
class Bureau:
    """Two operators at one desk, and the watcher that carries out what they decide."""

    api: TestApi
    world: World
    alice: str
    bob: str

    async def unattributed(self, **wanted: str) -> list[dict[str, Any]]:
        """Return the list."""
        answer = await self.api.call("GET", LIST, self.alice, params=wanted)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"])

    async def ask(self, deposit_id: str, what: str, **body: str) -> httpx.Response:
        """Let Alice ask for something about a deposit."""
        path = f"/v1/deposits/{deposit_id}/{what}"
        return await self.api.call(
            "POST", path, self.alice, json={"reason": "ticket 7", **body}
        )

    async def decide(self, key: str, resolution_id: str, what: str) -> httpx.Response:
        """Let somebody decide."""
        path = f"/v1/resolutions/{resolution_id}/{what}"
        return await self.api.call("POST", path, key, json={"reason": "checked"})

    async def carry_out(self) -> bool:
        """Let the watcher do what was approved."""
        w = self.world
        return await Decisions(
            NETWORK, w.database, w.scanner.position, PUBLIC_URL, PUBLIC_KEY
        ).round()

    async def resolved(self, deposit_id: str, what: str, **body: str) -> dict[str, Any]:
        """Ask, approve and carry out; return the resolution."""
        asked = await self.ask(deposit_id, what, **body)
        assert asked.status_code == 201, asked.text
        resolution_id = asked.json()["id"]
        assert (await self.decide(self.bob, resolution_id, "approve")).status_code == 200
        assert await self.carry_out()
        return await self.resolution(resolution_id)

    async def resolution(self, resolution_id: str) -> dict[str, Any]:
        """Return a resolution as it stands."""
        answer = await self.api.call("GET", f"/v1/resolutions/{resolution_id}", self.bob)
        return dict(answer.json())


@asynccontextmanager
async def bureau(database: FreshDatabase, **arguments: Any) -> AsyncIterator[Bureau]:
    """Open the desk over a world."""
    later = datetime.now(UTC) + timedelta(hours=1)
    async with (
        world(database, **{"expires_at": later, **arguments}) as w,
        asking(database, w) as api,
    ):
        yield Bureau(api, w, await api.key(None), await api.key(None))


async def test_everything_that_is_nobodys_is_listed_with_its_reason(
    database: FreshDatabase,
) -> None:
    """Unassigned address, dust, unlisted token: one list, newest first, filtered, paged."""
    async with bureau(database, minimum=100) as b:
        w = b.world
        await w.pay(w.free, DUE_UNITS)
        await w.pay(w.assigned, 99)
        await w.pay(w.assigned, 5, JUNK)
        await w.pay(w.assigned, DUE_UNITS)
        found = await b.unattributed()
        assert [row["reason"] for row in found] == ["asset_not_listed", "address_not_assigned"]
        stray, deposit = found
        assert (stray["payment_method"], stray["amount"], stray["asset"].lower()) == (
            None,
            None,
            JUNK,
        )
        assert (deposit["payment_method"], deposit["amount_atomic"]) == (ETH, str(DUE_UNITS))
        assert [r["id"] for r in await b.unattributed(limit="1")] == [stray["id"]]
        assert await b.unattributed(starting_after=stray["id"]) == [deposit]
        assert await b.unattributed(ending_before=deposit["id"]) == [stray]
        assert await b.unattributed(reason="address_not_assigned") == [deposit]
        assert await b.unattributed(payment_method=ETH) == [deposit]
        assert await b.unattributed(address=w.assigned) == [stray]
        assert await b.unattributed(tx_hash=deposit["tx_hash"]) == [deposit]
        bare = deposit["tx_hash"].removeprefix("0x").upper()
        assert await b.unattributed(tx_hash=bare) == [deposit]
        assert await b.unattributed(network="nowhere") == []


async def test_only_operators_of_the_mode_see_the_desk(database: FreshDatabase) -> None:
    """A merchant lacks the scope; a live key sees no test network; SQL as the API sees nothing."""
    async with bureau(database) as b:
        await b.world.pay(b.world.free, 5)
        merchant = await b.api.key("mer_1")
        assert (await b.api.call("GET", LIST, merchant)).status_code == 403
        live = await b.api.key(None, livemode=True)
        assert (await b.api.call("GET", LIST, live)).json()["data"] == []
        for tenant in (None, "mer_1", "key_nobody"):
            async with b.api.database.unit_of_work(tenant) as session:
                for table in ("deposit", "stray", "resolution"):
                    assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 0


async def test_a_deposit_is_assigned_to_a_merchant_by_two_operators(
    database: FreshDatabase,
) -> None:
    """Suspense to merchant by one journal; the row, the event and both names are on record."""
    async with bureau(database) as b:
        w = b.world
        await w.pay(w.free, DUE_UNITS)
        [row] = await b.unattributed()
        asked = await b.ask(row["id"], "assign", merchant_id="mer_1")
        resolution = asked.json()
        assert (asked.status_code, resolution["status"]) == (201, "pending")
        assert not await b.carry_out(), "nothing moves before the approval"
        own = await b.decide(b.alice, resolution["id"], "approve")
        assert (own.status_code, own.json()["code"]) == (403, "own_request")
        assert (await b.decide(b.bob, resolution["id"], "approve")).json()[
            "status"
        ] == "approved"
        assert await w.wallet("mer_1") == (0, 0)
        assert await b.carry_out()
        assert not await b.carry_out()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert await w.wallet("suspense") == (0, 0)
        assert await w.sum_is_zero()
        assert await b.unattributed() == []
        merchant = await b.api.key("mer_1")
        mine = (await b.api.call("GET", f"/v1/deposits/{row['id']}", merchant)).json()
        assert (mine["status"], mine["invoice_id"], mine["reason"]) == ("confirmed", None, None)
        assert await w.events(row["id"]) == ["deposit.confirmed"]
        audit = await b.api.rows(
            "SELECT action, actor, before, after FROM audit_log"
            " WHERE subject IN (:deposit, :resolution) ORDER BY id",
            deposit=row["id"],
            resolution=resolution["id"],
        )
        assert [entry.action for entry in audit] == [
            "resolution.requested",
            "resolution.approved",
            "deposit.assigned",
        ]
        assert audit[0].actor != audit[1].actor == audit[2].actor
        assert (audit[2].before["purpose"], audit[2].after["merchant_id"]) == (
            "unattributed",
            "mer_1",
        )
        assert audit[2].after["requested_by"] == audit[0].actor


async def test_a_deposit_is_assigned_to_an_invoice_and_settles_it(
    database: FreshDatabase,
) -> None:
    """It counts as if it had been paid there."""
    async with bureau(database) as b:
        w = b.world
        await w.pay(w.free, DUE_UNITS)
        [row] = await b.unattributed()
        done = await b.resolved(row["id"], "assign", merchant_id="mer_1", invoice_id="inv_1")
        assert done["status"] == "done"
        assert (await w.invoice()).status == "settled"
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        assert "invoice.settled" in await w.events()


async def test_what_cannot_take_the_deposit_is_refused_by_field(
    database: FreshDatabase,
) -> None:
    """Unknown merchant, another's invoice, an invoice in another asset, an empty reason."""
    async with bureau(database) as b:
        w = b.world
        other = await b.api.merchant("Other")
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                text("DELETE FROM payment_option WHERE currency_id = :id"), {"id": USDC}
            )
        await w.pay(w.assigned, 7, w.chain.token)
        [row] = await b.unattributed()
        assert row["reason"] == "wrong_asset"
        for pointer, body in (
            ("/merchant_id", {"merchant_id": "mer_nobody"}),
            ("/invoice_id", {"merchant_id": other, "invoice_id": "inv_1"}),
            ("/invoice_id", {"merchant_id": "mer_1", "invoice_id": "inv_1"}),
            ("/reason", {"merchant_id": "mer_1", "reason": " "}),
        ):
            answer = await b.ask(row["id"], "assign", **body)
            assert answer.status_code == 422, answer.text
            assert answer.json()["errors"][0]["pointer"] == pointer
        own = await b.ask(row["id"], "refund", destination=w.free)
        assert own.json()["code"] == "own_address"
        assert (await b.resolved(row["id"], "assign", merchant_id="mer_1"))["status"] == "done"
        assert await w.wallet("mer_1", USDC) == (7, 0)


async def test_what_a_sweep_does_not_reach_names_its_own_way_out(
    database: FreshDatabase,
) -> None:
    """Its asset is listed: no listing and no rescan makes it assignable."""
    async with bureau(database) as b:
        w = b.world
        w.chain.submit([Move(w.assigned, 5, w.chain.token, "account")])
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        [row] = await b.unattributed(reason="account_not_canonical")
        for what, body in (
            ("assign", {"merchant_id": "mer_1"}),
            ("refund", {"destination": SOMEWHERE}),
        ):
            answer = await b.ask(row["id"], what, **body)
            said = answer.json()
            assert (answer.status_code, said["code"]) == (409, "not_in_ledger")
            assert "no sweep reaches" in said["detail"]
            assert "--gather" in said["detail"]
            assert "list its asset" not in said["detail"]


async def test_what_lies_beside_an_account_of_the_operators_wallet_names_what_can_be_done(
    database: FreshDatabase,
) -> None:
    """The keystore gathers for pool addresses alone: no command is named that would refuse."""
    async with bureau(database) as b:
        w = b.world
        w.chain.submit([Move(w.hot, 5, w.chain.token, "account")])
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        [row] = await b.unattributed(reason="account_not_canonical")
        answer = await b.ask(row["id"], "assign", merchant_id="mer_1")
        said = answer.json()
        assert (answer.status_code, said["code"]) == (409, "not_in_ledger")
        assert STAYS in said["detail"]
        assert "--gather" not in said["detail"]


async def test_what_an_address_that_nobody_signed_holds_is_paid_to_nobody(
    database: FreshDatabase,
) -> None:
    """Whoever edits a row puts an address of his there: two approvals do not make it ours."""
    async with bureau(database) as b:
        w = b.world
        stranger = await w.chain.fresh_address()
        change = update(AddressPool).where(AddressPool.index == 0)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            genuine = await session.scalar(
                select(AddressPool.signature).where(AddressPool.index == 0)
            )
            await session.execute(change.values(signature=b"-" * 64))
        await w.restart()
        await w.pay(w.assigned, 7)
        [row] = await b.unattributed(reason="address_unverified")
        for what, body in (
            ("assign", {"merchant_id": "mer_1"}),
            ("refund", {"destination": stranger}),
        ):
            found = await b.resolved(row["id"], what, **body)
            assert (found["status"], "did not sign" in found["failure_reason"]) == (
                "failed",
                True,
            )
        assert await w.wallet("suspense") == (7, 0)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            assert (await session.scalars(select(Withdrawal))).all() == []
            await session.execute(change.values(signature=genuine))
        assert (await b.resolved(row["id"], "assign", merchant_id="mer_1"))["status"] == "done"
        assert await w.wallet("mer_1") == (7, 0)


async def test_strays_and_what_is_not_final_cannot_be_resolved(
    database: FreshDatabase,
) -> None:
    """409 with the way out; an unknown id is not found."""
    async with bureau(database) as b:
        w = b.world
        w.chain.final_lag = 5
        await w.pay(w.free, 5, final=False)
        await w.pay(w.free, 5, JUNK, final=False)
        stray, deposit = await b.unattributed()
        for row, code in ((stray, "not_in_ledger"), (deposit, "deposit_not_final")):
            answer = await b.ask(row["id"], "assign", merchant_id="mer_1")
            assert (answer.status_code, answer.json()["code"]) == (409, code)
        answer = await b.ask("dep_nobody", "refund", destination=SOMEWHERE)
        assert answer.status_code == 404


async def test_two_keys_of_one_operator_are_no_two_operators(database: FreshDatabase) -> None:
    """Who asked with one key does not approve with another."""
    async with bureau(database) as b:
        w = b.world
        await w.pay(w.free, 5)
        [row] = await b.unattributed()
        asked = (await b.ask(row["id"], "assign", merchant_id="mer_1")).json()
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text("UPDATE api_key SET created_by = 'usr_alice'"))
        own = await b.decide(b.bob, asked["id"], "approve")
        assert (own.status_code, own.json()["code"]) == (403, "own_request")


async def test_a_rejected_request_leaves_the_deposit_open(database: FreshDatabase) -> None:
    """Nothing moves, the reason is kept, and it may be asked anew; not twice at once."""
    async with bureau(database) as b:
        w = b.world
        await w.pay(w.free, 5)
        [row] = await b.unattributed()
        first = (await b.ask(row["id"], "assign", merchant_id="mer_1")).json()
        again = await b.ask(row["id"], "refund", destination=SOMEWHERE)
        assert (again.status_code, again.json()["code"]) == (409, "already_requested")
        assert (await b.decide(b.alice, first["id"], "reject")).status_code == 403
        rejected = (await b.decide(b.bob, first["id"], "reject")).json()
        assert (rejected["status"], rejected["failure_reason"]) == ("rejected", "checked")
        late = await b.decide(b.bob, first["id"], "approve")
        assert (late.status_code, late.json()["code"]) == (409, "resolution_not_open")
        assert not await b.carry_out()
        assert (await b.unattributed())[0]["resolution"]["status"] == "rejected"
        assert (await b.ask(row["id"], "assign", merchant_id="mer_1")).status_code == 201


async def test_one_deposit_is_assigned_once_whoever_carries_out(
    database: FreshDatabase,
) -> None:
    """Two carriers at the same time, then again: one journal."""
    async with bureau(database) as b:
        w = b.world
        await w.pay(w.free, 5)
        [row] = await b.unattributed()
        asked = (await b.ask(row["id"], "assign", merchant_id="mer_1")).json()
        await b.decide(b.bob, asked["id"], "approve")
        await asyncio.gather(b.carry_out(), b.carry_out())
        assert not await b.carry_out()
        assert await w.wallet("mer_1") == (5, 0)
        assert [kind for kind, _ in await w.journals()] == ["deposit", "assign"]
        answer = await b.ask(row["id"], "assign", merchant_id="mer_1")
        assert answer.status_code in {404, 409}


async def test_the_database_itself_wants_two_operators(database: FreshDatabase) -> None:
    """As the API: no request in another's name, no decision about one's own, none born approved."""
    async with bureau(database) as b:
        await b.world.pay(b.world.free, 5)
        [row] = await b.unattributed()
        asked = (await b.ask(row["id"], "assign", merchant_id="mer_1")).json()
        alice = asked["requested_by"]
        [(bob,)] = await b.api.rows(
            "SELECT id FROM api_key WHERE merchant_id IS NULL AND id <> :id ORDER BY id LIMIT 1",
            id=alice,
        )
        decide = text(
            "UPDATE resolution SET status = 'approved', decided_by = :by, decided_at = now()"
        )
        with pytest.raises(IntegrityError, match="check constraint"):
            async with b.api.database.unit_of_work(alice) as session:
                await session.execute(decide, {"by": alice})
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with b.api.database.unit_of_work(alice) as session:
                await session.execute(decide, {"by": bob})
        insert = text(
            "INSERT INTO resolution (id, deposit_id, network_id, kind, merchant_id, reason, status,"
            " requested_by, decided_by, created_at) VALUES ('r', :deposit, 'ethereum', 'assign',"
            " 'mer_1', 'x', :status, :by, :decided, now())"
        )
        for by, status, decided in ((bob, "pending", None), (alice, "approved", bob)):
            with pytest.raises(ProgrammingError, match="row-level security"):
                async with b.api.database.unit_of_work(alice) as session:
                    values = {"by": by, "status": status, "decided": decided}
                    await session.execute(insert, {"deposit": row["id"], **values})
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with b.api.database.unit_of_work("mer_1") as session:
                await session.execute(
                    text(
                        "INSERT INTO journal (kind, ref, merchant_id, at)"
                        " VALUES ('assign', 'x', 'mer_1', now())"
                    )
                )


async def test_a_withdrawal_of_nobody_needs_an_approved_refund(
    database: FreshDatabase,
) -> None:
    """Also as the watcher: the database asks for the resolution that it carries out."""
    async with bureau(database) as b:
        await b.world.pay(b.world.free, 5)
        insert = text(
            "INSERT INTO withdrawal (id, merchant_id, livemode, currency_id, network_id, units,"
            " fee_units, destination, status, created_by, approved_by, created_at, updated_at)"
            " VALUES ('wdr_x', :merchant, false, 'ETH-ETHEREUM', 'ethereum', 5, 0, '0xc0',"
            " 'approved', 'a', 'b', now(), now())"
        )
        with pytest.raises(IntegrityError, match="refunds nothing"):
            async with b.world.database.unit_of_work(CROSS_TENANT) as session:
                await session.execute(insert, {"merchant": None})
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with b.world.database.unit_of_work(CROSS_TENANT) as session:
                await session.execute(insert, {"merchant": "mer_1"})


async def test_a_revoked_operator_sees_and_decides_nothing(database: FreshDatabase) -> None:
    """The key is asked for in the database too, not only at the door."""
    async with bureau(database) as b:
        await b.world.pay(b.world.free, 5)
        [row] = await b.unattributed()
        asked = (await b.ask(row["id"], "assign", merchant_id="mer_1")).json()
        async with b.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(text("UPDATE api_key SET revoked_at = now()"))
        async with b.api.database.unit_of_work(asked["requested_by"]) as session:
            assert await session.scalar(text("SELECT count(*) FROM resolution")) == 0
            assert await session.scalar(text("SELECT count(*) FROM deposit")) == 0
        assert (await b.decide(b.bob, asked["id"], "approve")).status_code == 401


async def test_dust_that_an_operator_gave_away_stays_where_it_is(
    database: FreshDatabase,
) -> None:
    """Later payments at its address neither take it back nor credit it twice."""
    async with bureau(database, minimum=DUE_UNITS) as b:
        w = b.world
        await w.pay(w.assigned, 7)
        [row] = await b.unattributed()
        assert row["reason"] == "below_minimum"
        other = await b.api.merchant("Other")
        assert (await b.resolved(row["id"], "assign", merchant_id=other))["status"] == "done"
        await w.pay(w.assigned, 9)
        await w.pay(w.assigned, DUE_UNITS)
        assert await w.wallet(other) == (7, 0)
        assert await w.wallet("mer_1") == (DUE_UNITS + 9, 0)
        assert await w.wallet("suspense") == (0, 0)


async def test_dust_given_to_its_own_invoice_stays_there(database: FreshDatabase) -> None:
    """It is below the minimum for ever, and the merchant's all the same."""
    async with bureau(database, minimum=DUE_UNITS) as b:
        w = b.world
        await w.pay(w.assigned, 7)
        [row] = await b.unattributed()
        done = await b.resolved(row["id"], "assign", merchant_id="mer_1", invoice_id="inv_1")
        assert done["status"] == "done"
        await w.pay(w.assigned, 9)
        first, second = await w.deposits()
        assert (first.invoice_id, second.invoice_id) == ("inv_1", None)
        assert await w.wallet("mer_1") == (7, 0)
        assert await w.wallet("suspense") == (9, 0)


async def test_what_became_a_payment_meanwhile_is_not_assigned(
    database: FreshDatabase,
) -> None:
    """Between approval and carrying out the dust counted: the request fails, nothing is paid twice."""
    async with bureau(database, minimum=DUE_UNITS) as b:
        w = b.world
        await w.pay(w.assigned, 7)
        [row] = await b.unattributed()
        other = await b.api.merchant("Other")
        asked = (await b.ask(row["id"], "assign", merchant_id=other)).json()
        await b.decide(b.bob, asked["id"], "approve")
        await w.pay(w.assigned, DUE_UNITS)
        assert await b.carry_out()
        ended = await b.resolution(asked["id"])
        assert (ended["status"], ended["failure_reason"]) == (
            "failed",
            "the deposit is no longer unattributed",
        )
        assert await w.wallet("mer_1") == (DUE_UNITS + 7, 0)
        assert await w.wallet(other) == (0, 0)


async def test_what_the_ledger_refuses_fails_alone(database: FreshDatabase) -> None:
    """Suspense does not hold it: the request says so, and the next one is carried out."""
    async with bureau(database) as b:
        w = b.world
        await w.pay(w.free, 5)
        [row] = await b.unattributed()
        url = database.url("admin")
        with psycopg.connect(
            host=str(url.query["host"]), port=5432, dbname=url.database, user=url.username,
            password=url.password, autocommit=True,
        ) as admin:  # fmt: skip
            admin.execute("ALTER TABLE wallet DISABLE TRIGGER wallet_guard")
            admin.execute("UPDATE wallet SET confirmed = 0 WHERE account = 'suspense'")
            admin.execute("ALTER TABLE wallet ENABLE ALWAYS TRIGGER wallet_guard")
        failed = await b.resolved(row["id"], "assign", merchant_id="mer_1")
        assert failed["status"] == "failed"
        assert failed["failure_reason"].startswith("the ledger refuses it")
        assert (await b.unattributed())[0]["id"] == row["id"]


async def test_suppressed_spam_is_a_number_at_the_desk(database: FreshDatabase) -> None:
    """Days on which an address got more than its ration."""
    async with bureau(database) as b:
        path = "/v1/deposits/suppressed"
        assert (await b.api.call("GET", path, b.alice)).json()["data"] == []
        async with b.world.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                text("INSERT INTO stray_day VALUES ('ethereum', :a, '2026-11-20', 20, 7)"),
                {"a": b.world.free},
            )
        [day] = (await b.api.call("GET", path, b.alice)).json()["data"]
        assert (day["day"], day["kept"], day["dropped"]) == ("2026-11-20", 20, 7)
