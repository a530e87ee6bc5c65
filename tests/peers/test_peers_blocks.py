"""How others read a block by halves, played again on our decoders."""

import pytest

from tests.networks.ethereum import blocks as ethereum
from tests.networks.tron import documents as tron
from watchers.network import NATIVE, Incomplete, Transfer


@pytest.mark.parametrize("with_bloom", [True, False])
def test_peer_btcpay_no_logs_are_no_answer_where_the_header_announces_some(
    *, with_bloom: bool
) -> None:
    """The USDt plugin asks four times in a second, then believes a lagging node's empty list."""
    block, receipts = ethereum.assembled(
        ethereum.payment(1, logs=[ethereum.transfer_log(500)]), ethereum.payment(2, value=1)
    )
    assert len(ethereum.decoded(block, receipts).transfers) == 2
    receipts[0]["logs"] = []
    if not with_bloom:
        receipts[0]["logsBloom"] = ethereum.spelled(0)
    with pytest.raises(Incomplete, match=r"lost|bloom"):
        ethereum.decoded(block, receipts)


def test_peer_bitcart_receipts_that_did_not_come_are_not_a_block_without_logs() -> None:
    """Bitcart returns the transactions alone: every token payment of the block vanishes."""
    block, _ = ethereum.assembled(ethereum.payment(1, logs=[ethereum.transfer_log(500)]))
    with pytest.raises(Incomplete, match="0 receipts, 1 transactions"):
        ethereum.decoded(block, [])


def test_peer_bitcart_coins_with_calldata_count() -> None:
    """Bitcart ignores a payment of ETH that carries data; ours is where the value went."""
    sent, receipt = ethereum.payment(1, value=7)
    block, receipts = ethereum.assembled((sent | {"input": "0xc0ffee"}, receipt))
    [seen] = ethereum.decoded(block, receipts).transfers
    assert (seen.recipient, seen.units) == (ethereum.PAYEE, 7)


def test_peer_shkeeper_trx_from_inside_a_contract_counts() -> None:
    """SHKeeper reads top-level transfers and token logs only."""
    inner = tron.internal({"callValue": 6})
    info = tron.call_info("a", internal_transactions=[inner])
    seen = tron.decode(tron.block(tron.contract_call("a")), [info])
    assert seen.transfers == (
        Transfer(tron.tx_id("a"), "internal", 0, NATIVE, tron.TOKEN, tron.POOL, 6),
    )


def test_peer_shkeeper_an_address_in_anothers_calldata_hides_nothing() -> None:
    """SHKeeper drops a payment where another transaction of the block names the address."""
    paid = ethereum.payment(1, value=9)
    sent, receipt = ethereum.payment(2, to=ethereum.CONTRACT)
    named = sent | {"input": "0x" + "00" * 12 + ethereum.PAYEE[2:]}
    inner = {
        "type": "CALL",
        "from": ethereum.CONTRACT,
        "to": ethereum.PAYEE,
        "value": hex(5),
    }
    block, receipts = ethereum.assembled(paid, (named, receipt))
    traces = [_frame(paid[0]), _frame(named) | {"calls": [inner]}]
    seen = ethereum.decoded(block, receipts, traces=traces).transfers
    assert sorted(each.units for each in seen if each.recipient == ethereum.PAYEE) == [5, 9]


def _frame(sent: dict[str, str]) -> dict[str, object]:
    return {"type": "CALL", **{key: sent[key] for key in ("from", "to", "value")}}
