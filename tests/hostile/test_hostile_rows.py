"""Somebody owns the database and edits its rows by hand, triggers and all.

The keystore has a policy: every payout needs a person, whose approval names destination and
amount. In each case nobody unapproved gets a unit, nobody is paid twice, and a reason is left.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from devnet import anvil
from devnet.chain import LocalChain
from devnet.system.waiting import until
from gateway.addresses.service import AddressUnverified, alarm, claim
from gateway.domain.actor import MERCHANT_SCOPES, Actor
from keystore import api
from tests.conftest import TestServer
from tests.crash.databases import cloned
from tests.crash.opening import INVOICE, opened
from tests.crash.site import MERCHANT, SECONDS_MAX, Site
from tests.crash.stories import die
from tests.hostile.policy import ALICE, policy_text
from tests.hostile.report import Report
from watchers.clock import now

pytestmark = [pytest.mark.anyio, pytest.mark.chain, pytest.mark.timeout(900)]
ATTACKER = "0x" + "66" * 20
UNITS = 10**15
FEE_MAX = 10**16
EDIT_INTENT = (
    "UPDATE attempt SET intent = jsonb_set(intent, '{to}', to_jsonb(CAST(:to AS text))) "
    "WHERE withdrawal_id = :id"
)


@dataclass(frozen=True)
class World:
    """A site under a policy, and what was found so far."""

    site: Site
    chain: LocalChain
    report: Report

    async def approved(self) -> tuple[str, str]:
        """Ask, approve for the merchant, let the watcher ask people, and answer as Alice.

        Returns the withdrawal's id and its destination; no watcher runs afterwards.
        """
        site, destination = self.site, await self.chain.fresh_address()
        withdrawal_id = await site.pay_out("native", UNITS, destination)
        await site.start()

        async def asked() -> bool | None:
            site.require_alive()
            return bool(await self._order(withdrawal_id)) or None

        await until(asked, f"the order of {withdrawal_id}", seconds_max=SECONDS_MAX)
        site.stop()
        [(order_id, *fields)] = await self._order(withdrawal_id)
        names = ("withdrawal_id", "network", "asset", "to", "units", "fee_ceiling", "merchant")
        order = api.Order(
            **dict(zip(names, map(str, fields[:7]), strict=True)),
            requested_by=fields[7],
            expires_ms=int(fields[8]),
        )
        signature = ALICE.sign(api.order_message(order)).hex()
        proof = {"kind": "key", "approver": "alice", "signature": signature}
        await site.sql(
            "INSERT INTO approval (order_id, approver, proof, at) "
            "VALUES (:order, 'alice', CAST(:proof AS jsonb), now())",
            order=order_id,
            proof=json.dumps(proof),
        )
        return withdrawal_id, destination

    async def _order(self, withdrawal_id: str) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = await self.site.sql(
            "SELECT id, withdrawal_id, network_id, asset, destination, units::text, "
            "fee_ceiling_units::text, coalesce(merchant_id, ''), requested_by, expires_ms "
            "FROM approval_order WHERE withdrawal_id = :id ORDER BY revision DESC LIMIT 1",
            id=withdrawal_id,
        )
        return found

    async def refused(self, case: str, withdrawal_id: str, reason: str) -> None:
        """Run a watcher until the row says why nothing is paid; demand that nothing was."""
        site = self.site
        await site.start()

        async def told() -> str | None:
            row = await site.withdrawal(withdrawal_id)
            said = f"{row.blocked_reason or ''} {row.failure_reason or ''}"
            site.require_alive()
            return said if reason in said else None

        said = await until(told, f"{case}: {reason}", seconds_max=SECONDS_MAX)
        await site.chain.mine(site.family.depth)
        site.stop()
        self.report.add(case, said, await self.chain.balance(ATTACKER))

    async def paid_once(self, case: str, withdrawal_id: str, destination: str) -> None:
        """Run a watcher until it is paid; demand that it is paid once, and to whom."""
        await self.site.start()
        await self.site.until_status(withdrawal_id, "completed")
        self.site.stop()
        assert await self.chain.balance(destination) == UNITS
        self.report.add(case, "paid once, as approved", await self.chain.balance(ATTACKER))


@pytest.fixture(scope="module")
async def world(database_server: TestServer, anyio_backend: str) -> AsyncIterator[World]:  # noqa: ARG001 - the loop lives as long as the module
    """Open an Ethereum site under the policy."""
    report = Report("rows edited by hand")
    with cloned(database_server) as database:
        async with (
            anvil.running() as chain,
            opened(
                "ethereum", database, chain=chain, policy=policy_text("ethereum", FEE_MAX)
            ) as site,
        ):
            yield World(site, chain, report)
    report.show()


@pytest.fixture(autouse=True)
def _quiet(world: World) -> None:
    """Begin each case without a watcher."""
    world.site.stop()


@pytest.mark.parametrize(
    ("case", "statement", "reason"),
    [
        ("destination", "destination = :attacker", "not_what_was_approved"),
        ("amount", "units = units * 2", "the ledger does not hold its amount"),
        (
            "amount and fee",
            "units = units - 1, fee_units = fee_units + 1",
            "not_what_was_approved",
        ),
    ],
)
async def test_an_edited_withdrawal_is_not_what_was_approved(
    world: World, case: str, statement: str, reason: str
) -> None:
    """The ledger knows what it holds, and the keystore what a person signed."""
    withdrawal_id, destination = await world.approved()
    values = {"id": withdrawal_id} | ({"attacker": ATTACKER} if case == "destination" else {})
    update = f"UPDATE withdrawal SET {statement} WHERE id = :id"
    await world.site.edit("withdrawal", update, **values)
    await world.refused(f"withdrawal.{case}", withdrawal_id, reason)
    assert await world.chain.balance(destination) == 0


async def test_an_order_edited_after_its_approval_proves_nothing(world: World) -> None:
    """The signature was for another order."""
    withdrawal_id, destination = await world.approved()
    for table, column in (("withdrawal", "id"), ("approval_order", "withdrawal_id")):
        await world.site.edit(
            table, f"UPDATE {table} SET destination = :to WHERE {column} = :id",
            to=ATTACKER, id=withdrawal_id,
        )  # fmt: skip
    await world.refused("withdrawal and its order", withdrawal_id, "bad_approval")
    assert await world.chain.balance(destination) == 0


@pytest.mark.parametrize("both", [False, True], ids=["intent", "intent and withdrawal"])
async def test_an_edited_intent_is_not_signed(world: World, *, both: bool) -> None:
    """Not against its withdrawal, and not against what was approved where both were edited."""
    withdrawal_id, destination = await world.approved()
    # What was refused a minute ago is asked for again, and would be prepared first.
    await world.site.sql(
        "UPDATE withdrawal SET updated_at = now() + interval '1 hour' "
        "WHERE status = 'approved' AND id <> :id",
        id=withdrawal_id,
    )
    await die(world.site, "payout.prepared.after", withdrawal_id)
    await world.site.edit("attempt", EDIT_INTENT, to=ATTACKER, id=withdrawal_id)
    case, reason = "attempt.intent", "the intent's to is not the withdrawal's"
    if both:
        case, reason = "attempt.intent and withdrawal", "not_what_was_approved"
        await world.site.edit(
            "withdrawal", "UPDATE withdrawal SET destination = :to WHERE id = :id",
            to=ATTACKER, id=withdrawal_id,
        )  # fmt: skip
    await world.refused(case, withdrawal_id, reason)
    assert await world.chain.balance(destination) == 0
    await world.site.edit("attempt", EDIT_INTENT, to=destination, id=withdrawal_id)
    await world.site.edit(
        "withdrawal",
        "UPDATE withdrawal SET destination = :to, blocked_reason = NULL WHERE id = :id",
        to=destination,
        id=withdrawal_id,
    )
    await world.paid_once(f"{case}, edited back", withdrawal_id, destination)


async def test_a_completed_payment_put_back_to_approved_is_not_paid_again(world: World) -> None:
    """Neither with its journals, nor with its transaction and its signature's number erased."""
    withdrawal_id, destination = await world.approved()
    await world.paid_once("a payment as it should be", withdrawal_id, destination)
    await world.site.edit(
        "withdrawal", "UPDATE withdrawal SET status = 'approved' WHERE id = :id",
        id=withdrawal_id,
    )  # fmt: skip
    await world.refused("state back to approved", withdrawal_id, "the ledger does not hold")
    assert await world.chain.balance(destination) == UNITS


async def test_a_nonce_book_set_back_and_forgotten_signatures_pay_nobody_twice(
    world: World,
) -> None:
    """The chain and the keystore remember what the rows do not."""
    first, paid = await world.approved()
    await world.paid_once("before the book is set back", first, paid)
    for table, statement in (
        ("application_wallet", "UPDATE application_wallet SET next_nonce = 0"),
        ("signature", "DELETE FROM signature"),
    ):
        await world.site.edit(table, statement)
    second, destination = await world.approved()
    await world.paid_once("next_nonce set back, signatures deleted", second, destination)
    assert await world.chain.balance(paid) == UNITS


async def test_bytes_of_another_transaction_move_nothing_else(world: World) -> None:
    """What is sent is a payment that stands already; the place is taken by the right one or none."""
    first, paid = await world.approved()
    await world.paid_once("whose bytes are taken", first, paid)
    second, destination = await world.approved()
    await die(world.site, "payout.signed.after", second)
    await world.site.edit(
        "attempt",
        "UPDATE attempt SET raw = (SELECT raw FROM attempt WHERE withdrawal_id = :first) "
        "WHERE withdrawal_id = :second",
        first=first,
        second=second,
    )
    await world.site.start()

    async def answered() -> str | None:
        [attempt, *_] = await world.site.attempts(second)
        return attempt.last_answer

    said = await until(answered, "an answer to the wrong bytes", seconds_max=SECONDS_MAX)
    await world.chain.mine(world.site.family.depth)
    world.site.stop()
    assert await world.chain.balance(paid) == UNITS
    assert await world.chain.balance(destination) in {0, UNITS}
    world.report.add("attempt.raw", said, await world.chain.balance(ATTACKER))


async def test_an_edited_pool_address_is_never_shown(world: World) -> None:
    """Its signature is not the keystore's: the API refuses to give it out and puts it on record."""
    site, actor = world.site, Actor("key_maker", MERCHANT, MERCHANT_SCOPES, livemode=False)
    await site.edit(
        "address_pool",
        "UPDATE address_pool SET address = :to "
        "WHERE id = (SELECT min(address_id) FROM free_address)",
        to=ATTACKER,
    )
    public_key = site.settings.keystore.pool_public_key
    with pytest.raises(AddressUnverified) as refusal:
        async with (
            alarm(site.api, actor, now()),
            site.api.unit_of_work(MERCHANT) as session,
        ):
            await claim(session, site.name, INVOICE, now().at, public_key)
    told = await site.sql(
        "SELECT after ->> 'address' FROM audit_log WHERE action LIKE '%unverif%'"
    )
    assert told == [(ATTACKER,)]
    moved = await world.chain.balance(ATTACKER)
    world.report.add("address_pool.address", f"{refusal.value}: address_unverified", moved)
