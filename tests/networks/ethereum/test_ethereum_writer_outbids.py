"""Taking a transaction's place: what is offered, and that node and keystore would take it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystore import networks
from keystore.api import EthereumIntent
from tests.networks.ethereum.blocks import PAYEE, SENDER, TOKEN
from tests.networks.ethereum.rig import HOT_ADDRESS, sign
from tests.networks.ethereum.test_ethereum_writer import ETHER, GWEI, node, writing
from watchers.network import NodeUnavailable, Refused
from watchers.networks.ethereum.fees import Fees, outbidding, risen

WEI = st.integers(1, 10**15)
INTENT: dict[str, Any] = {
    "family": "ethereum",
    "withdrawal_id": "wdr_1",
    "network": "ethereum",
    "asset": TOKEN,
    "to": PAYEE,
    "units": "500",
    "chain_id": 31_337,
    "nonce": 7,
    "gas_limit": 60_000,
    "max_fee_per_gas": str(3 * GWEI),
    "max_priority_fee_per_gas": "5",
}
pytestmark = pytest.mark.anyio


def typed(intent: Any) -> EthereumIntent:
    """Return an intent as the keystore reads it."""
    return msgspec.convert(dict(intent), EthereumIntent)


@given(fee=WEI, tip=WEI, base=WEI, gas=st.integers(21_000, 10**6), spare=WEI)
def test_whatever_outbids_is_what_the_keystore_signs_in_its_place(
    fee: int, tip: int, base: int, gas: int, spare: int
) -> None:
    """Each fee rose by an eighth or more, none passes the ceiling, and a wei less is refused."""
    old = Fees(max(fee, tip), tip)
    ceiling = risen(old.max_fee_wei) * gas + spare
    new = outbidding(old, Fees(2 * base + 1, 1), gas, ceiling)
    assert new.max_fee_wei * gas <= ceiling
    assert new.tip_wei <= new.max_fee_wei
    intents = [
        typed(
            INTENT
            | {"max_fee_per_gas": str(each.max_fee_wei), "gas_limit": gas}
            | {"max_priority_fee_per_gas": str(each.tip_wei)}
        )
        for each in (old, new)
    ]
    assert networks.replaces(intents[1], intents[0])
    with pytest.raises(Refused, match="ceiling"):
        outbidding(old, Fees(1, 1), gas, risen(old.max_fee_wei) * gas - 1)


def test_fees_rise_rounded_up() -> None:
    """An eighth of the smallest fee is a whole wei."""
    assert [risen(wei) for wei in (1, 2, 8, 9, 80)] == [2, 3, 9, 11, 90]


async def test_an_offer_that_stands_a_chance_is_left_alone() -> None:
    """The next block asks for less than it allows, and it is not overdue."""
    async with writing(node()) as writer:
        assert await writer.outbid(INTENT, ceiling_units=ETHER, overdue=False) is None


@pytest.mark.parametrize(
    ("base", "overdue", "fee", "tip"),
    [(GWEI, True, 27 * GWEI // 8, 6), (4 * GWEI, False, 8 * GWEI + 5, 6)],
    ids=["overdue", "the next block asks for more"],
)
async def test_both_fees_rise_and_nothing_else(
    base: int, fee: int, tip: int, *, overdue: bool
) -> None:
    """An eighth at least, and the market's own price where that is more."""
    told = {"baseFeePerGas": [hex(base)] * 21, "reward": [["0x5"]] * 20}
    async with writing(node(eth_feeHistory=told)) as writer:
        raised = await writer.outbid(INTENT, ceiling_units=ETHER, overdue=overdue)
    fees = {"max_fee_per_gas": str(fee), "max_priority_fee_per_gas": str(tip)}
    assert raised == {**INTENT, **fees}
    assert writer.verify(raised, sign(raised)) != writer.verify(INTENT, sign(INTENT))


async def test_the_ceiling_stops_it_with_the_reason() -> None:
    """What the operator allows is the most, also for a cancel."""
    async with writing(node(eth_estimateGas="0x5208")) as writer:
        for ceiling, change in (
            (
                60_000 * 3 * GWEI,
                writer.outbid(INTENT, ceiling_units=60_000 * 3 * GWEI, overdue=True),
            ),
            (21_000, writer.vacate(INTENT, SENDER, ceiling_units=21_000)),
        ):
            with pytest.raises(Refused, match=f"{ceiling} wei allowed"):
                await change


async def test_a_cancel_moves_nothing_in_the_same_place() -> None:
    """0 wei to the sender itself; bytes that move anything else do not pass for it."""
    async with writing(node(eth_estimateGas="0x5208")) as writer:
        nothing = await writer.vacate(INTENT, HOT_ADDRESS, ceiling_units=ETHER)
    assert (nothing["to"], nothing["units"], nothing["asset"]) == (HOT_ADDRESS, "0", "native")
    assert (nothing["nonce"], nothing["gas_limit"]) == (7, 21_000)
    assert networks.replaces(typed(nothing), typed(INTENT))
    assert writer.verify(nothing, sign(nothing))
    for lie in ({"units": "1"}, {"to": PAYEE}, {"nonce": 8}):
        with pytest.raises(ValueError, match=next(iter(lie))):
            writer.verify(nothing, sign({**nothing, **lie}))


async def test_a_node_without_fee_history_is_trouble_and_no_offer() -> None:
    """An empty answer is not a base fee of zero."""
    told: dict[str, list[str]] = {"baseFeePerGas": [], "reward": []}
    async with writing(node(eth_feeHistory=told)) as writer:
        with pytest.raises(NodeUnavailable, match="feeHistory"):
            await writer.outbid(INTENT, ceiling_units=ETHER, overdue=True)
