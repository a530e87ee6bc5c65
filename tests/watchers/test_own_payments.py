"""Our own transactions and the extremes of spelling and amount: what is ours is known by its hash."""

import pytest
from sqlalchemy import select

from gateway.db import CROSS_TENANT
from gateway.domain import base58
from gateway.models import Attempt, Stray
from tests.conftest import FreshDatabase
from tests.fakes.chain import GENESIS_TIME, JUNK, Move
from tests.gateway.shop import Shop, pool_address, shop
from tests.keystore.house import House
from tests.watchers.asking import asking
from tests.watchers.test_payouts import AMOUNT, BALANCE, desk, keystore_house
from tests.watchers.world import NETWORK, USDC, world

pytestmark = pytest.mark.anyio
UINT256_MAX = 2**256 - 1

__all__ = ["keystore_house", "shop"]


@pytest.fixture
def house(keystore_house: House) -> House:
    """Return the module's keystore."""
    return keystore_house


async def test_case_72_our_payout_to_an_invoice_is_a_payment_of_it(
    database: FreshDatabase, house: House
) -> None:
    """A merchant may pay another's invoice: known by our transaction's hash, and credited."""
    async with desk(database, house) as d:
        w = d.world
        before = len(await w.deposits())
        id_ = await d.request(destination=w.assigned)
        await d.payouts.round()
        await d.bury()
        assert (await d.withdrawal(id_)).status == "completed"
        [*_, deposit] = await w.deposits()
        assert len(await w.deposits()) == before + 1
        assert (deposit.invoice_id, deposit.units, deposit.sender) == ("inv_1", AMOUNT, w.hot)
        assert await w.wallet("mer_1") == (BALANCE, 0)
        assert await w.sum_is_zero()


async def test_case_72_our_own_transaction_into_our_wallet_is_no_capital(
    database: FreshDatabase,
) -> None:
    """A top-up of ours is known by its hash, not by who sent it; the same from outside is capital."""
    async with world(database) as w:
        ours = w.chain.submit([Move(w.hot, 5)])
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            session.add(
                Attempt(
                    id="att_1",
                    order_id="att_1",
                    network_id=NETWORK,
                    purpose="setup",
                    intent={},
                    sender=w.hot,
                    raw=b"-",
                    tx_hash=ours,
                    state="signed",
                    broadcasts=1,
                    created_at=GENESIS_TIME,
                )
            )
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        assert await w.deposits() == []
        await w.pay(w.hot, 7)
        assert [deposit.purpose for deposit in await w.deposits()] == ["capital"]
        assert await w.wallet("external") == (7, 0)


@pytest.mark.parametrize(
    ("method", "variants"),
    [
        ("ETH-ETHEREUM", ["shown", "lower", "upper"]),
        ("USDT-TRON", ["shown", "hex", "hex_upper"]),
    ],
)
async def test_case_75_every_spelling_of_our_address_is_our_address(
    shop: Shop, method: str, variants: list[str]
) -> None:
    """Checksum, lower and upper case, hex and base58 all name one address: it is not paid out to."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, method, 10**20)
    invoice = await shop.invoice(key, payment_methods=[method])
    shown = invoice["payment_options"][0]["address"]
    spelled = {"shown": shown, "lower": shown.lower(), "upper": "0x" + shown[2:].upper()}
    if method == "USDT-TRON":
        body = tron_hex(shown)
        spelled |= {"hex": body, "hex_upper": body.upper()}
    for variant in variants:
        answer = await shop.call(
            "POST",
            "/v1/withdrawals",
            key,
            json={"payment_method": method, "amount": "1", "destination": spelled[variant]},
            headers={"Idempotency-Key": variant},
        )
        assert answer.json()["code"] == "own_address", (variant, answer.text)


def tron_hex(address: str) -> str:
    """Return the hex spelling of a base58 address."""
    return base58.decode(address)[:-4].hex()


async def test_case_76_the_largest_amount_is_exact_everywhere(database: FreshDatabase) -> None:
    """2^256-1 units: the row, the ledger, the documents, as text and to the unit."""
    async with world(database) as w, asking(database, w) as api:
        w.chain.state.add(w.chain.payer, w.chain.token, UINT256_MAX)
        w.chain.state.add(w.chain.payer, JUNK, UINT256_MAX)
        w.chain.submit([Move(w.assigned, UINT256_MAX, w.chain.token)])
        w.chain.submit([Move(w.assigned, UINT256_MAX, JUNK)])
        await w.chain.mine(1 + w.chain.final_lag)
        await w.scan()
        assert await w.wallet("mer_1", USDC) == (UINT256_MAX, 0)
        assert await w.wallet("custody", USDC) == (-UINT256_MAX, 0)
        merchant, operator = await api.key("mer_1"), await api.key(None)
        [deposit] = (await api.call("GET", "/v1/deposits", merchant)).json()["data"]
        assert deposit["amount_atomic"] == str(UINT256_MAX)
        assert deposit["amount"].replace(".", "") == str(UINT256_MAX)
        [stray] = (await api.call("GET", "/v1/deposits/unattributed", operator)).json()["data"]
        assert stray["amount_atomic"] == str(UINT256_MAX)
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            [row] = await session.scalars(select(Stray))
            assert row.units == UINT256_MAX


@pytest.mark.parametrize("amount", ["-1", "1e30", "0", "1" * 79, "0x10", "NaN", "1,5"])
async def test_case_76_no_amount_overflows_or_turns_negative(shop: Shop, amount: str) -> None:
    """Refused at the door, by field; nothing is held."""
    merchant, key = await shop.merchant_and_key()
    await shop.fund(merchant, "ETH-ETHEREUM", 5)
    answer = await shop.call(
        "POST",
        "/v1/withdrawals",
        key,
        json={
            "payment_method": "ETH-ETHEREUM",
            "amount": amount,
            "destination": pool_address("ethereum", 10_000),
        },
        headers={"Idempotency-Key": "x"},
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == "/amount"
    assert await shop.rows("SELECT 1 FROM journal WHERE kind = 'hold'") == []
