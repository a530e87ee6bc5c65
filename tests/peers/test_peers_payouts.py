"""How others pay twice, played again on ours."""

import asyncio

import pytest
from sqlalchemy import select

from gateway.db import CROSS_TENANT
from gateway.models import Attempt
from tests.conftest import FreshDatabase
from tests.fakes.network import Broadcast
from tests.gateway.shop import Shop
from tests.keystore.house import House
from tests.watchers.test_payouts import AMOUNT, DESTINATION, desk

pytestmark = pytest.mark.anyio

OUTSIDE = "0x52908400098527886E0F7030069857D2E4169EE7"
ASK = {
    "payment_method": "USDC-ETHEREUM",
    "amount": "12.5",
    "destination": OUTSIDE,
    "reference": "salary 1",
}


async def test_peer_m5_a_used_reference_is_refused_before_anything_happens(shop: Shop) -> None:
    """SHKeeper tells the wallet to pay again and then answers that the id exists."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 100_000_000)

    async def ask(once: str) -> int:
        headers = {"Idempotency-Key": once}
        answer = await shop.call("POST", "/v1/withdrawals", key, json=ASK, headers=headers)
        return answer.status_code

    at_once = await asyncio.gather(*(ask(f"once {number}") for number in range(4)))
    assert sorted(at_once) == [201, 409, 409, 409]
    assert await ask("later") == 409
    assert len(await shop.rows("SELECT 1 FROM withdrawal")) == 1
    [held] = await shop.rows(
        "SELECT locked FROM wallet WHERE account = :account", account=merchant
    )
    assert int(held.locked) == 13_500_000


async def test_peer_m8_a_client_that_lost_the_answer_asks_again_and_pays_once(
    shop: Shop,
) -> None:
    """SHKeeper has no row for what timed out: the same id makes the wallet pay twice."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "USDC-ETHEREUM", 100_000_000)
    headers = {"Idempotency-Key": "salary of may"}
    first, again = [
        await shop.call("POST", "/v1/withdrawals", key, json=ASK, headers=headers)
        for _ in range(2)
    ]
    assert (first.status_code, first.json()) == (201, again.json())
    assert len(await shop.rows("SELECT 1 FROM withdrawal")) == 1


async def test_peer_m8_a_broadcast_whose_answer_is_lost_is_one_payment(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Asked again or not: one intent, one transaction, one payment."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request()
        d.writer.manner = Broadcast.LOSE_ANSWER
        await d.payouts.round()
        for _ in range(3):
            await d.rest()
            d.again()
            await d.payouts.round()
        await d.bury()
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            attempts = (
                await session.scalars(select(Attempt).where(Attempt.withdrawal_id == id_))
            ).all()
        assert len(attempts) == len(d.world.chain.broadcasts) == 1
        assert (await d.withdrawal(id_)).status == "completed"
        assert await d.world.chain.balance(DESTINATION) == AMOUNT


async def test_peer_oxygen_a_failed_broadcast_is_not_signed_anew(
    database: FreshDatabase, keystore_house: House
) -> None:
    """Oxygen rolls back and tries again: where nothing orders them, both are valid and land."""
    async with desk(database, keystore_house) as d:
        id_ = await d.request()
        d.writer.manner = Broadcast.LIE
        await d.payouts.round()
        assert (await d.withdrawal(id_)).status == "broadcast"
        d.writer.manner = Broadcast.TAKE
        await d.rest()
        await d.payouts.round()
        await d.bury()
        [attempt] = await d.attempts()
        assert list(d.world.chain.broadcasts) == [attempt.tx_hash]
        assert await d.world.chain.balance(DESTINATION) == AMOUNT
