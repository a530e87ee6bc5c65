"""The specification's faults of one EVM block: what a node leaves out, mixes up or has no more."""

from typing import Any

import pytest

from tests.fakes.node import RpcFailure, serving
from tests.networks.ethereum.blocks import (
    BLOCK_HASH,
    HEIGHT,
    TOKEN,
    assembled,
    bloom,
    decoded,
    payment,
    spelled,
    transfer_log,
)
from tests.networks.ethereum.reading import RECEIPTS, node, reading
from watchers.network import Incomplete, NodeUnavailable
from watchers.networks.ethereum.reader import EthereumReader
from watchers.rpc import Endpoints, JsonRpc

pytestmark = pytest.mark.anyio
FAKE = "0x" + "fa" * 20
OTHER_HASH = "0x" + "0f" * 32


@pytest.mark.parametrize("absent", [None, {}])
async def test_case_31_an_absent_block_is_not_an_empty_one(absent: Any) -> None:
    """Null and `{}` mean that this node does not know; the next one is asked."""
    async with reading(node(eth_getBlockByNumber=absent)) as reader:
        for _ in range(2):
            with pytest.raises((Incomplete, NodeUnavailable)):
                await reader.read(HEIGHT)


@pytest.mark.parametrize("receipts", [None, [], RECEIPTS[:1]])
async def test_case_32_missing_receipts_are_not_silence(receipts: Any) -> None:
    """The block stays unread until a node has as many receipts as transactions."""
    async with reading(node(eth_getBlockReceipts=receipts), node()) as reader:
        with pytest.raises(Incomplete):
            await reader.read(HEIGHT)
        assert len((await reader.read(HEIGHT)).transfers) == 2


async def test_case_37_one_failed_answer_spoils_the_whole_block() -> None:
    """Nothing of the block is used; the next attempt asks every question again."""
    failing = True

    def answer(method: str, params: list[Any]) -> Any:
        if method == "eth_getBlockReceipts" and failing:
            raise RpcFailure(-32000, "busy")
        return node()(method, params)

    async with reading(answer) as reader:
        with pytest.raises(Incomplete, match="busy"):
            await reader.read(HEIGHT)
        failing = False
        assert len((await reader.read(HEIGHT)).transfers) == 2


async def test_case_37_an_answer_to_another_question_is_none() -> None:
    """Answers are matched by id, whatever order they come in."""
    async with serving(node()) as shuffled:
        shuffled.id_offset = 1
        reader = EthereumReader(JsonRpc(Endpoints([shuffled.url])), 1, frozenset({TOKEN}))
        with pytest.raises(NodeUnavailable, match="another question"):
            await reader.read(HEIGHT)
        await reader.aclose()


def test_case_32_receipts_must_be_as_many_and_in_place() -> None:
    """None, one less, one more, two exchanged, one repeated."""
    block, receipts = assembled(payment(1, value=5), payment(2, logs=[transfer_log()]))
    one, two = receipts
    for wrong in ([], [one], [one, two, two], [two, one], [one, one]):
        with pytest.raises(Incomplete, match="receipt"):
            decoded(block, wrong)


def test_case_32_an_empty_answer_does_not_make_a_full_block_empty() -> None:
    """No transactions and no receipts agree with each other, but not with the header."""
    header = {"transactionsRoot": "0x" + "11" * 32}
    with pytest.raises(Incomplete, match="transactions root"):
        decoded(*assembled(**header))


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_case_32_a_transaction_that_both_answers_lack_is_missed(lost: int) -> None:
    """It logged nothing, so no bloom and no log's place tells; its place and its gas do."""
    block, receipts = assembled(payment(1, value=5), payment(2), payment(3, value=7))
    assert len(decoded(block, receipts).transfers) == 2
    del block["transactions"][lost], receipts[lost]
    with pytest.raises(Incomplete, match=r"is at|at its end"):
        decoded(block, receipts)


@pytest.mark.parametrize("silent", ["transactionIndex", "cumulativeGasUsed", "gasUsed"])
def test_case_32_a_node_that_does_not_say_where_a_block_ends_proves_none(silent: str) -> None:
    """An empty block has nothing to say."""
    block, receipts = assembled(payment(1, value=5))
    if silent == "gasUsed":
        del block[silent]
    else:
        del receipts[0][silent]
    with pytest.raises(Incomplete, match="last one"):
        decoded(block, receipts)
    empty, none = assembled()
    del empty["gasUsed"]
    assert decoded(empty, none).transfers == ()


def test_case_32_where_the_chain_logs_value_gas_is_counted_otherwise() -> None:
    """EIP-7778 counts what was refunded to the block, not to the receipts."""
    block, receipts = assembled(payment(1), payment(2), gasUsed="0xffffff")
    with pytest.raises(Incomplete, match="at its end"):
        decoded(block, receipts)
    assert decoded(block, receipts, logged_from=0).transfers == ()
    del block["transactions"][0], receipts[0]
    with pytest.raises(Incomplete, match="is at"):
        decoded(block, receipts, logged_from=0)


def test_case_33_logs_that_the_bloom_announces_must_be_there() -> None:
    """All of them lost, the last of them lost, a listed token's lost, or all with their blooms."""
    elsewhere = [*transfer_log()["topics"][:2], "0x" + "00" * 12 + "bb" * 20]
    approval = transfer_log(address=FAKE, topics=["0x" + "8c" * 32])
    block, receipts = assembled(
        payment(1, logs=[transfer_log(), dict(approval)]),
        payment(2, logs=[dict(approval), transfer_log(topics=elsewhere)]),
    )
    assert len(decoded(block, receipts).transfers) == 2
    first, last = receipts
    moved = approval | {"logIndex": "0x1", "blockHash": BLOCK_HASH}
    for wrong in (
        [first | {"logs": []}, last],
        [first, last | {"logs": last["logs"][:1]}],
        [first | {"logs": [approval | {"logIndex": "0x0"}]}, last | {"logs": [moved]}],
        [first, last | {"logs": [], "logsBloom": spelled(0)}],
    ):
        with pytest.raises(Incomplete, match=r"lost|bloom|stands"):
            decoded(block, wrong)


def test_case_33_a_listed_token_lost_in_the_middle_is_noticed() -> None:
    """Even where a node numbers the remaining logs anew."""
    approval = transfer_log(address=FAKE, topics=["0x" + "8c" * 32])
    block, receipts = assembled(
        payment(1, logs=[transfer_log(), approval]), payment(2, logs=[dict(approval)])
    )
    receipts[0]["logs"] = [approval | {"logIndex": "0x0"}]
    receipts[1]["logs"][0]["logIndex"] = "0x1"
    with pytest.raises(Incomplete, match="lost some of its logs"):
        decoded(block, receipts)
    assert decoded(block, receipts, frozenset()).transfers == ()


def test_case_33_without_receipt_blooms_the_logs_themselves_are_summed() -> None:
    """Some providers leave the blooms out: the header's still tells."""
    block, receipts = assembled(payment(1, logs=[transfer_log(7)]))
    del receipts[0]["logsBloom"]
    assert [each.units for each in decoded(block, receipts).transfers] == [7]
    receipts[0]["logs"] = []
    with pytest.raises(Incomplete, match="add up"):
        decoded(block, receipts)


def test_case_33_a_log_that_its_bloom_denies_is_invented() -> None:
    """Money that a node adds to an empty receipt."""
    block, receipts = assembled(payment(1, value=5))
    receipts[0]["logs"] = [transfer_log(10**9) | {"logIndex": "0x0"}]
    assert bloom(receipts[0]["logs"])
    with pytest.raises(Incomplete, match="denies"):
        decoded(block, receipts)


@pytest.mark.parametrize(
    "log", [{"blockHash": OTHER_HASH}, {"blockHash": None}, {"removed": True}]
)
def test_case_34_logs_of_a_stale_fork_are_refused(log: dict[str, Any]) -> None:
    """Another block's hash, no hash, or the node's own word that it is gone."""
    block, receipts = assembled(payment(1, logs=[transfer_log()]))
    receipts[0]["logs"][0] |= log
    with pytest.raises(Incomplete, match="is of block"):
        decoded(block, receipts)
