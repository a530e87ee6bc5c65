"""A node that invents the value of a durable nonce: what is signed on it can be taken back."""

import argparse
from base64 import b64decode, b64encode
from datetime import timedelta
from typing import Any

import pytest
from solders.hash import Hash
from sqlalchemy import text

from gateway.db import CROSS_TENANT
from gateway.models import Withdrawal
from gateway.settings import Settings
from tests.hostile.liar import lying
from tests.watchers.sweep_world import SweepWorld
from tests.watchers.test_pay_chains import SOL, ask, forgotten, keystore, solana, status
from watchers.clock import now
from watchers.commands import settle
from watchers.networks.solana.accounts import NONCE_ACCOUNT_BYTES
from watchers.networks.solana.writer import SolanaWriter
from watchers.pay import cancels
from watchers.pay.slots import free_lanes
from watchers.rpc import Endpoints, JsonRpc

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
__all__ = ["keystore", "solana"]
YOUNGER = "UPDATE block SET block_time = block_time + interval '10 minutes'"
AGED = (
    "UPDATE block SET block_time = block_time - interval '30 minutes' "
    "WHERE height < (SELECT max(height) - 90 FROM block)"
)
FALSE_VALUE = str(Hash(bytes(range(1, 33))))


async def test_a_payment_on_a_value_that_a_node_invented_is_taken_back(
    solana: SweepWorld,
) -> None:
    """What moves nothing lands on the value that the lane holds: hold and lane are free again."""
    w = solana
    before = await w.wallet("mer_1", w.coin)
    id_ = await signed_on_a_false_value(w, 1)
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        await cancels.ask(session, w.name, id_, "test", now(), patience=timedelta(0))
    await until_over(w, id_)
    [payment], [cancel] = await w.attempts("payout"), await w.attempts("cancel")
    assert payment.nonce_value == cancel.nonce_value == FALSE_VALUE
    assert cancel.intent["present_value"] != FALSE_VALUE
    assert (payment.state, cancel.state) == ("replaced", "succeeded")
    assert await status(w, id_) == "failed"
    assert await w.wallet("mer_1", w.coin) == before
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        assert payment.nonce_account in await free_lanes(session, w.name)
    await w.agreed()
    await forgotten_and_taken_back(w, 2, told=True)
    await forgotten_and_taken_back(w, 3, told=False)


async def forgotten_and_taken_back(w: SweepWorld, number: int, *, told: bool) -> None:
    """Have an older copy forget it: the blocks that the scan had passed are read again first.

    `told`: they do not go back to when it was made, and a person says that it never landed.
    """
    before = await w.wallet("mer_1", w.coin)
    id_ = await signed_on_a_false_value(w, number)
    await forgotten(w, id_)
    await w.bury()
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        # Our clock may be a minute ahead of the chain's, which is hardly older than that.
        await session.execute(text(YOUNGER if told else AGED))
    await w.payouts.adoption.round()
    [*_, payment] = await w.attempts("payout")
    assert payment.passed_height is not None
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        await cancels.ask(session, w.name, id_, "test", now(), patience=timedelta(0))
    if told:
        assert not await ended(w, id_, "--paid")
        for _ in range(2):
            await w.payouts.round()
        [row] = [each for each in await w.rows(Withdrawal) if each.id == id_]
        assert f"needs a person, watchers settle {w.name} {id_} --failed" in row.blocked_reason
        assert await ended(w, id_, "--failed")
        assert await status(w, id_) == "broadcast", "nothing is given back by that"
    await until_over(w, id_)
    [*_, payment], [*_, cancel] = await w.attempts("payout"), await w.attempts("cancel")
    assert cancel.intent["present_value"] != FALSE_VALUE
    assert (payment.state, cancel.state) == ("replaced", "succeeded")
    assert await status(w, id_) == "failed"
    assert await w.wallet("mer_1", w.coin) == before
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        assert payment.nonce_account in await free_lanes(session, w.name)
    await w.agreed()


async def signed_on_a_false_value(w: SweepWorld, number: int) -> str:
    """Ask for a payment and have it signed on what the node invented."""
    id_, spared = now().id("wdr"), await w.chain.fresh_address()
    writer = w.payouts.chain.writer
    assert isinstance(writer, SolanaWriter)
    honest = writer.rpc
    async with lying(w.chain.url) as liar:
        lied_to = Endpoints([liar.url])
        liar.twist, writer.rpc = false_value, JsonRpc(lied_to)
        await ask(w, number, w.coin, SOL // 100, spared, id_)
        await w.payouts.adoption.round()
        assert await w.payouts.claims.claim()
        await w.payouts.hands.sign()
        writer.rpc = honest
        await lied_to.aclose()
    return id_


async def ended(w: SweepWorld, id_: str, end: str) -> bool:
    """Run `watchers settle`; tell whether it took the word."""
    parser = argparse.ArgumentParser()
    settle.add_arguments(parser)
    args = parser.parse_args([w.name, id_, end, "--reason", "no explorer knows it"])
    return await settle.command(Settings(networks={w.name: w.settings}), w.database, args) == 0


async def until_over(w: SweepWorld, id_: str) -> None:
    """Let some rounds pass."""
    for _ in range(8):
        if await status(w, id_) == "failed":
            return
        await w.payouts.round()
        await w.bury()


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
