"""A lying Tron node before its machine: nobody unapproved is paid, and nobody twice."""

from typing import Any

import pytest

from devnet.tron.local import TronChain
from tests.hostile import aftermath, edits, edits_alone, stories
from tests.hostile.edits import EDITS, Edit
from tests.hostile.liar import Twist
from tests.hostile.lies import Counted, Lie
from tests.hostile.lies_tron import LIES
from tests.hostile.machine import Machine
from watchers.networks.tron.address import to_hex

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.campaign,
    pytest.mark.chain,
    pytest.mark.timeout(300),
]
FAMILY = "tron"
__all__ = ["LIES"]


async def test_a_lie_before_or_at_the_sending_pays_nobody_else_and_nobody_twice(
    machine: Machine, lies: tuple[Lie, ...], long: bool
) -> None:
    """Where it hinders a payout the row says why, and an honest node pays it."""
    await stories.told(machine, lies, long=long)


async def test_what_waited_through_all_lies_is_paid_once(machine: Machine) -> None:
    """Nothing that was said is believed for longer than it is said."""
    await stories.paid_in_the_end(machine)


async def test_a_yes_to_bytes_that_were_dropped_pays_later_and_once(machine: Machine) -> None:
    """The answer of a broadcast decides nothing."""
    answer = {"result": True, "txid": "ee" * 32}
    await aftermath.taken_and_dropped(machine, "broadcasthex", answer)


@pytest.mark.parametrize("place", ["block", "info"])
async def test_a_payment_that_one_answer_calls_failed_is_not_given_back(
    machine: Machine, kind: str, place: str
) -> None:
    """Its hold would be free, and the merchant would have it paid again."""

    def failed(method: str, _params: Any, result: Any) -> Any:
        if place == "block" and method == "getblockbynum":
            for each in result.get("transactions", ()):
                each["ret"] = [{"contractRet": "OUT_OF_ENERGY"}]
        if place == "info" and method == "gettransactioninfobyblocknum":
            for each in result:
                each["result"] = "FAILED"
                each.get("receipt", {})["result"] = "OUT_OF_ENERGY"
        return result

    case = f"{kind}: the {place} says that it failed"
    await aftermath.contradicted(machine, case, kind, failed, "block says ")


async def test_a_payment_shown_with_another_recipient_waits_for_a_person(
    machine: Machine,
) -> None:
    """The block's JSON names the attacker."""

    def exchanged(method: str, _params: Any, result: Any) -> Any:
        if method == "getblockbynum":
            for each in result.get("transactions", ()):
                [contract] = each["raw_data"]["contract"]
                if contract["type"] == "TransferContract":
                    contract["parameter"]["value"]["to_address"] = to_hex(machine.attacker)
        return result

    await aftermath.another_recipient(machine, exchanged)


async def test_an_older_copy_and_a_node_that_denies_a_payment_pay_nobody_twice(
    machine: Machine,
) -> None:
    """Every block that the scan had passed is read again."""

    def info(height: int | None) -> Twist:
        def twist(method: str, params: Any, result: Any) -> Any:
            if method != "gettransactioninfobyid":
                return result
            return {} if height is None else {"id": params["value"], "blockNumber": height}

        return twist

    await aftermath.older_copy(machine, info(None), info(1), believed=True)


async def test_a_node_of_another_chain_is_not_listened_to(machine: Machine) -> None:
    """The id of block 0 is pinned."""

    def genesis(method: str, params: Any, result: Any) -> Any:
        if method == "getblock" and params.get("id_or_num") == "0":
            result["blockID"] = "0" * 16 + "e" * 48
        return result

    await aftermath.another_chain(machine, genesis)


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


async def test_bytes_on_a_reference_block_that_never_was_wait_until_our_own_clock_lets_them_expire(
    machine: Machine,
) -> None:
    """Nothing is signed in their place, and a chain that hurries gives no hold back. Comes last."""
    machine.honest()
    destination = await machine.w.chain.fresh_address()
    id_ = await machine.approved("native", destination)

    def invented(method: str, params: Any, result: Any) -> Any:
        if method == "getblock" and "id_or_num" not in params:
            result["blockID"] = result["blockID"][:16] + "e" * 48
        return result

    machine.liar.twist = lie = Counted(invented)
    await machine.turn(id_, scan=False)
    machine.honest()
    said = await machine.until_said(id_, "TAPOS")
    assert lie.told
    assert isinstance(machine.w.chain, TronChain)
    await machine.w.chain.ask("devnode/travel", seconds=7 * 3600)
    for _ in range(2):
        await machine.turn(id_)
    assert (await machine.row(id_)).status == "broadcast"
    assert len(await machine.attempts(id_)) == 1
    assert await machine.held(destination, "native") == 0
    await machine.note("an invented reference block, and seven hours at once", said)
