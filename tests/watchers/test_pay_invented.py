"""A node that invents the value of a durable nonce: what is signed on it can be taken back."""

from base64 import b64decode, b64encode
from datetime import timedelta
from typing import Any

import pytest
from solders.hash import Hash

from gateway.db import CROSS_TENANT
from tests.hostile.liar import lying
from tests.watchers.sweep_world import SweepWorld
from tests.watchers.test_pay_chains import SOL, ask, keystore, solana, status
from watchers.clock import now
from watchers.networks.solana.accounts import NONCE_ACCOUNT_BYTES
from watchers.networks.solana.writer import SolanaWriter
from watchers.pay import cancels
from watchers.pay.slots import free_lanes
from watchers.rpc import Endpoints, JsonRpc

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
__all__ = ["keystore", "solana"]
FALSE_VALUE = str(Hash(bytes(range(1, 33))))


async def test_a_payment_on_a_value_that_a_node_invented_is_taken_back(
    solana: SweepWorld,
) -> None:
    """What moves nothing lands on the value that the lane holds: hold and lane are free again."""
    w = solana
    spared, before = await w.chain.fresh_address(), await w.wallet("mer_1", w.coin)
    writer = w.payouts.chain.writer
    assert isinstance(writer, SolanaWriter)
    honest = writer.rpc
    async with lying(w.chain.url) as liar:
        lied_to = Endpoints([liar.url])
        liar.twist, writer.rpc = false_value, JsonRpc(lied_to)
        id_ = await ask(w, 1, w.coin, SOL // 100, spared)
        await w.payouts.adoption.round()
        assert await w.payouts.claims.claim()
        await w.payouts.hands.sign()
        writer.rpc = honest
        await lied_to.aclose()
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        await cancels.ask(session, w.name, id_, "test", now(), patience=timedelta(0))
    for _ in range(6):
        if await status(w, id_) == "failed":
            break
        await w.payouts.round()
        await w.bury()
    [payment], [cancel] = await w.attempts("payout"), await w.attempts("cancel")
    assert payment.nonce_value == cancel.nonce_value == FALSE_VALUE
    assert cancel.intent["present_value"] != FALSE_VALUE
    assert (payment.state, cancel.state) == ("replaced", "succeeded")
    assert await status(w, id_) == "failed"
    assert await w.wallet("mer_1", w.coin) == before
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        assert payment.nonce_account in await free_lanes(session, w.name)
    await w.agreed()


def false_value(method: str, _params: Any, result: Any) -> Any:
    """Show a value of every nonce account that it never held, and a payment on it that works."""
    if method == "simulateTransaction":
        return {**result, "value": {**result["value"], "err": None, "logs": []}}
    if method != "getMultipleAccounts":
        return result
    for each in filter(None, result["value"]):
        data = bytearray(b64decode(each["data"][0]))
        if len(data) == NONCE_ACCOUNT_BYTES:
            data[40:72] = bytes(Hash.from_string(FALSE_VALUE))
            each["data"][0] = b64encode(data).decode()
    return result
