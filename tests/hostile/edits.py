"""Somebody owns the database of a network without nonces and edits its rows by hand.

The keystore asks for a person's approval, which names destination and amount, and remembers what
it signed. In each case nobody unapproved gets a unit, nobody is paid twice, and a reason is left.
"""

from dataclasses import dataclass
from typing import Any

from tests.hostile.machine import Machine, forgotten
from watchers.reconcile.signatures import Signatures


@dataclass(frozen=True)
class Edit:
    """What is done to a row of a payout before it is signed, and the reason that follows.

    `new` is an attacker's address, unless it is given. `code` is of the keystore's journal.
    """

    name: str
    statement: str
    said: str
    code: str = ""
    prepared: bool = False
    """The payout's intent is written already."""

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


DESTINATION = "UPDATE withdrawal SET destination = :attacker WHERE id = :id"
TO = (
    "UPDATE attempt SET intent = jsonb_set(intent, '{to}', to_jsonb(CAST(:attacker AS text))) "
    "WHERE order_id = :id"
)
UNITS = (
    "UPDATE attempt SET intent = jsonb_set(intent, '{units}', "
    "to_jsonb(CAST(CAST(intent ->> 'units' AS numeric) * 2 AS text))) WHERE order_id = :id"
)
EDITS = (
    Edit("destination", DESTINATION, "not_what_was_approved", "not_what_was_approved"),
    Edit(
        "amount",
        "UPDATE withdrawal SET units = units * 2 WHERE id = :id",
        "does not hold its amount",
    ),
    Edit(
        "amount and fee",
        "UPDATE withdrawal SET units = units - 1, fee_units = fee_units + 1 WHERE id = :id",
        "not_what_was_approved",
        "not_what_was_approved",
    ),
    Edit(
        "order",
        "WITH edited AS (UPDATE approval_order SET destination = :attacker "
        f"WHERE withdrawal_id = :id) {DESTINATION}",
        "bad_approval",
        "bad_approval",
    ),
    Edit("intent's destination", TO, "the intent's to is not", prepared=True),
    Edit("intent's amount", UNITS, "the intent's units is not", prepared=True),
    Edit(
        "intent and withdrawal",
        f"WITH edited AS ({TO}) {DESTINATION}",
        "not_what_was_approved",
        "not_what_was_approved",
        prepared=True,
    ),
)
SIGNING_MAX = 5
TABLES = ("withdrawal", "approval_order", "attempt")


async def edited(m: Machine, kind: str, edit: Edit) -> None:
    """Edit one row before the payout is signed: the reason is read, and nothing is paid."""
    m.honest()
    destination = await m.w.chain.fresh_address()
    id_ = await m.approved(kind, destination)
    if edit.prepared:
        await m.w.payouts.adoption.round()
        assert await m.w.payouts.claims.claim()
        [intent] = await m.attempts(id_)
        assert intent.state == "prepared"
    await _done(m, edit.statement, id=id_, attacker=m.attacker)
    said = await m.until_said(id_, edit.said)
    for _ in range(2):
        await m.turn(id_)
    assert {each.state for each in await m.attempts(id_)} <= {"prepared", "refused"}
    assert edit.code in {*m.refusals(id_), ""}
    assert await m.held(destination, kind) == 0
    await _out_of_the_way(m, id_)
    await m.note(f"edited: {edit.name} ({kind})", said)


async def state_put_back(m: Machine, kind: str) -> None:
    """Put a completed payment back to approved, with its journals, and then without its rows."""
    m.honest()
    destination = await m.w.chain.fresh_address()
    id_ = await m.approved(kind, destination)
    await m.paid_once(id_, kind, destination)
    await m.edit(
        "withdrawal", "UPDATE withdrawal SET status = 'approved' WHERE id = :id", id=id_
    )
    said = await m.until_said(id_, "the ledger does not hold its amount")
    await m.note(f"edited: state back to approved ({kind})", said)
    await m.edit("attempt", "DELETE FROM attempt WHERE order_id = :id", id=id_)
    await _unsettled(m, id_)
    said = await m.until_said(id_, "intent_conflict")
    assert await m.held(destination, kind) == m.units(kind)
    await _out_of_the_way(m, id_)
    await m.note(f"edited: state, journals and attempt ({kind})", said)


async def _unsettled(m: Machine, id_: str) -> None:
    """Make the ledger believe that the amount is still held: the settlement never was."""
    await m.edit(
        "journal",
        "UPDATE journal SET ref = :old WHERE ref = :id AND kind = 'settle'",
        id=id_,
        old=f"{id_}_gone",
    )
    await m.edit(
        "withdrawal",
        "UPDATE withdrawal SET blocked_reason = NULL WHERE id = :id",
        id=id_,
    )


async def bytes_exchanged(m: Machine, kind: str) -> None:
    """Put another payment's bytes under a signed one: what stands already lands no second time."""
    m.honest()
    first, second = [await m.w.chain.fresh_address() for _ in range(2)]
    paid = await m.approved(kind, first)
    await m.paid_once(paid, kind, first)
    id_ = await m.approved(kind, second)
    await only_signed(m, id_)
    [signed] = await m.attempts(id_)
    [other] = [each for each in await m.attempts(paid) if each.state == "succeeded"]
    edit = "UPDATE attempt SET raw = :raw WHERE order_id = :id"
    await m.edit("attempt", edit, id=id_, raw=other.raw)
    for _ in range(3):
        await m.turn(id_)
    [attempt] = await m.attempts(id_)
    assert (await m.row(id_)).status == "broadcast"
    assert await m.held(first, kind) == m.units(kind)
    assert await m.held(second, kind) == 0
    await m.edit("attempt", edit, id=id_, raw=signed.raw)
    await m.paid_once(id_, kind, second)
    assert await m.held(first, kind) == m.units(kind)
    await m.note(f"edited: bytes of another payment ({kind})", attempt.last_answer or "")


async def exchanged(m: Machine, kind: str) -> None:
    """Exchange what two signed payments stand for: both are paid once, and the journal tells."""
    m.honest()
    ids, destinations = [], []
    for _ in range(2):
        destinations.append(await m.w.chain.fresh_address())
        ids.append(await m.approved(kind, destinations[-1]))
        await only_signed(m, ids[-1])
    for statement in EXCHANGE:
        await m.edit("attempt", statement, one=ids[0], other=ids[1])
    await Signatures(m.w.name, m.w.database, m.w.keystore, m.w.currencies).round()
    drifts = await m.sql("SELECT reason FROM signature_drift")
    assert drifts, "the keystore's journal knows which payment each was signed for"
    for _ in range(3):
        await m.turn(ids[0])
    for destination in destinations:
        assert await m.held(destination, kind) == m.units(kind)
    await m.note(f"edited: whose attempt it is ({kind})", drifts[0][0])
    await m.sql("DELETE FROM signature_drift")
    await m.sql("DELETE FROM asset_hold")


EXCHANGE = (
    "UPDATE attempt SET order_id = :other, withdrawal_id = :other, place = 2 WHERE order_id = :one",
    "UPDATE attempt SET order_id = :one, withdrawal_id = :one WHERE order_id = :other AND place = 1",
    "UPDATE attempt SET place = 1 WHERE order_id = :other AND :one <> :other",
)


async def older_rows(m: Machine, kind: str) -> None:
    """Forget a payment that was signed and never sent, and have it asked for with other facts."""
    m.honest()
    destination = await m.w.chain.fresh_address()
    id_ = await m.approved(kind, destination)
    await only_signed(m, id_)
    [before] = await m.attempts(id_)
    await forgotten(m, id_)
    await m.paid_once(id_, kind, destination)
    [again] = [each for each in await m.attempts(id_) if each.state == "succeeded"]
    assert again.tx_hash == before.tx_hash
    await m.note(f"older rows ({kind})", "taken over, paid once")


async def only_signed(m: Machine, id_: str) -> None:
    """Sign a payout; nothing is sent."""
    for _ in range(SIGNING_MAX):
        await m.wake(id_)
        await m.w.payouts.adoption.round()
        await m.w.payouts.claims.claim()
        await m.w.payouts.hands.sign()
        if [each.state for each in await m.attempts(id_)] == ["signed"]:
            return
    raise AssertionError((await m.row(id_)).blocked_reason)


async def _done(m: Machine, statement: str, **values: Any) -> None:
    for table in TABLES:
        await m.sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    used = {name: value for name, value in values.items() if f":{name}" in statement}
    await m.sql(statement, **used)
    for table in TABLES:
        await m.sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")


async def _out_of_the_way(m: Machine, id_: str) -> None:
    """End the rows of a case by hand: others follow it."""
    await m.edit(
        "attempt",
        "UPDATE attempt SET state = 'refused', nonce_value = NULL "
        "WHERE order_id = :id AND state = 'prepared'",
        id=id_,
    )
    await m.edit("withdrawal", "UPDATE withdrawal SET status = 'failed' WHERE id = :id", id=id_)
