"""A lying Solana node before its machine: nobody unapproved is paid, and nobody twice."""

from typing import Any

import pytest
from solders.hash import Hash

from tests.hostile import aftermath, edits, edits_alone, stories
from tests.hostile.edits import EDITS, Edit
from tests.hostile.liar import Twist
from tests.hostile.lies import Counted, Lie
from tests.hostile.lies_solana import LIES, RENT
from tests.hostile.machine import Machine
from watchers.pay.lanes import Lanes

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.campaign,
    pytest.mark.chain,
    pytest.mark.timeout(300),
]
FAMILY = "solana"
__all__ = ["LIES"]


async def test_a_lie_before_or_at_the_sending_pays_nobody_else_and_nobody_twice(
    machine: Machine, lies: tuple[Lie, ...], long: bool
) -> None:
    """Where it hinders a payout the row says why, and an honest node pays it."""
    await stories.told(machine, lies, long=long)


async def test_what_waited_through_all_lies_is_paid_once(machine: Machine) -> None:
    """Nothing that was said is believed for longer than it is said."""
    await stories.paid_in_the_end(machine)


async def test_a_signature_for_bytes_that_were_dropped_pays_later_and_once(
    machine: Machine,
) -> None:
    """The answer of a broadcast decides nothing."""
    await aftermath.taken_and_dropped(machine, "sendTransaction", "5" * 88)


async def test_a_payment_called_failed_that_moved_money_is_not_given_back(
    machine: Machine,
) -> None:
    """Its hold would be free, and the merchant would have it paid again."""

    def failed(method: str, _params: Any, result: Any) -> Any:
        if method == "getBlock" and result:
            for each in result.get("transactions") or ():
                each["meta"]["err"] = {"InstructionError": [3, {"Custom": 1}]}
        return result

    for kind in ("native", "token"):
        words = "said to have failed, yet it moved money"
        await aftermath.contradicted(machine, f"{kind}: failed", kind, failed, words)


async def test_a_payment_shown_with_another_recipient_waits_for_a_person(
    machine: Machine,
) -> None:
    """Keys of the account that rose are exchanged."""

    def exchanged(method: str, _params: Any, result: Any) -> Any:
        if method == "getBlock" and result:
            for each in result.get("transactions") or ():
                for key in each["transaction"].get("accountKeys", ())[1:]:
                    if key["writable"] and not key["signer"]:
                        key["pubkey"] = machine.attacker
        return result

    await aftermath.another_recipient(machine, exchanged)


async def test_an_older_copy_and_a_node_that_denies_a_payment_pay_nobody_twice(
    machine: Machine,
) -> None:
    """It is taken over, waits, and is found as soon as the node tells the truth."""

    def status(slot: int | None) -> Twist:
        told = None if slot is None else {"slot": slot, "confirmations": None, "err": None}

        def twist(method: str, _params: Any, result: Any) -> Any:
            return {**result, "value": [told]} if method == "getSignatureStatuses" else result

        return twist

    await aftermath.older_copy(machine, status(None), status(1), believed=False)


async def test_a_node_of_another_cluster_is_not_listened_to(machine: Machine) -> None:
    """The genesis hash is pinned."""

    def genesis(method: str, _params: Any, result: Any) -> Any:
        return "1" * 32 if method == "getGenesisHash" else result

    await aftermath.another_chain(machine, genesis)


async def test_a_lane_is_made_at_its_price_though_the_node_lies_about_rent_and_blockhash(
    machine: Machine,
) -> None:
    """An absurd rent is refused by the keystore; a false blockhash is made anew later."""
    w, before = machine.w, await machine.held(machine.hot, "native")
    machine.honest()
    lanes = Lanes(w.name, w.parts, w.database, w.position, wanted=4)
    machine.liar.twist = rent = Counted(lambda m, _, r: 5 * 10**9 if m == RENT else r)
    await lanes.round()
    await machine.w.payouts.hands.sign()
    [*_, made] = await w.attempts("setup")
    assert rent.told
    assert (made.state, made.raw) == ("prepared", None)
    assert "lamports" in (made.last_answer or "")
    await machine.note("a lane's rent is absurd", made.last_answer or "")
    await _given_up(machine, made.id)
    machine.liar.twist = hashed = Counted(_another_blockhash)
    for _ in range(2):
        await lanes.round()
    await machine.turn("")
    await machine.turn("")
    [*_, dead] = await w.attempts("setup")
    assert hashed.told
    assert dead.state == "signed"
    await machine.note("a lane's blockhash is false", dead.last_answer or "")
    machine.honest()
    await _given_up(machine, dead.id)
    for _ in range(3):
        await lanes.round()
        await machine.turn("")
    [*_, stands] = await w.attempts("setup")
    assert stands.state == "succeeded"
    spent = before - await machine.held(machine.hot, "native")
    assert spent < 10_000_000, "one rent and one fee"


def _another_blockhash(method: str, _params: Any, result: Any) -> Any:
    if method != "getLatestBlockhash":
        return result
    newest = {"blockhash": str(Hash(bytes(range(32)))), "lastValidBlockHeight": 2**63}
    return {**result, "value": newest}


async def _given_up(machine: Machine, attempt_id: str) -> None:
    """Let a set-up look older than a blockhash lives."""
    old = "UPDATE attempt SET created_at = created_at - interval '4 minutes' WHERE id = :id"
    await machine.sql(old, id=attempt_id)


@pytest.mark.parametrize("edit", EDITS, ids=str)
async def test_an_edited_row_is_not_paid_and_the_reason_is_read(
    machine: Machine, edit: Edit
) -> None:
    """The ledger knows what it holds, and the keystore what a person signed."""
    await edits.edited(machine, "native", edit)


async def test_rows_of_a_signed_payment_that_are_edited_or_lost_pay_nobody_twice(
    machine: Machine, kind: str
) -> None:
    """The keystore and the chain remember what the rows do not."""
    await edits.older_rows(machine, kind)
    await edits.bytes_exchanged(machine, kind)
    await edits.state_put_back(machine, kind)


async def test_payments_whose_rows_were_exchanged_are_told_by_the_keystores_journal(
    machine: Machine,
) -> None:
    """Each is paid once all the same. Comes late: nobody puts its rows right."""
    await edits.exchanged(machine, "native")


async def test_a_hash_that_is_edited_alone_ends_nothing_and_what_was_signed_is_found_again(
    machine: Machine, kind: str
) -> None:
    """The scan goes by the row's hash; bytes, block and journal tell whose it is."""
    await edits_alone.hash_edited(machine, kind)


async def test_an_edited_pool_address_gets_nobody_credited_and_nothing_swept(
    machine: Machine,
) -> None:
    """It has no signature of the keystore's."""
    await edits_alone.pool_address_edited(machine)
