"""What the database refuses of customers' money, whoever took over the API."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from tests.gateway.customers.conftest import customer, has, rich
from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio
ETH = "ETH-ETHEREUM"


async def journal(session: AsyncSession, kind: str, ref: str, merchant: str) -> int:
    """Write a journal by plain SQL."""
    statement = text(
        "INSERT INTO journal (kind, ref, merchant_id, at) VALUES (:kind, :ref, :merchant, now())"
        " RETURNING id"
    )
    values = {"kind": kind, "ref": ref, "merchant": merchant}
    return int((await session.execute(statement, values)).scalar_one())


async def entry(session: AsyncSession, journal_id: int, account: str, **values: Any) -> None:
    """Write a posting by plain SQL; `c` and `l` change confirmed and locked."""
    statement = text(
        "INSERT INTO balance_history (journal_id, account, currency_id, change_type,"
        " delta_confirmed, delta_locked, at) VALUES (:journal, :account, :currency, :type, :c, :l, now())"
    )
    given = {"currency": ETH, "type": "ADJUSTMENT", "c": 0, "l": 0, **values}
    await session.execute(statement, {"journal": journal_id, "account": account, **given})


async def slip(
    session: AsyncSession,
    merchant: str,
    customer_id: str,
    direction: str,
    units: int,
    currency: str = ETH,
) -> str:
    """Write a transfer's row by plain SQL and return its id."""
    statement = text(
        "INSERT INTO customer_transfer (id, merchant_id, livemode, customer_id, currency_id,"
        " direction, units, created_by, created_at) VALUES (:id, :merchant, false, :customer,"
        " :currency, :direction, :units, 'key_1', now())"
    )
    values: dict[str, Any] = {"id": "ctr_x", "merchant": merchant, "customer": customer_id}
    values |= {"currency": currency, "direction": direction, "units": units}
    await session.execute(statement, values)
    return "ctr_x"


async def test_a_transfer_is_what_its_slip_says_or_nothing(shop: Shop) -> None:
    """Customer to customer, another amount or direction, nobody's slip: refused at commit."""
    merchant, key = await shop.merchant_and_key()
    mine, other = await rich(shop, key), await rich(shop, key)
    await shop.fund(merchant, ETH, 10**18)
    charge, grant = [(mine, -5, 0), (merchant, 5, 0)], [(mine, 5, 0), (merchant, -5, 0)]
    thefts = [
        ("transfer", "ctr_x", [(mine, -5, 0), (other, 5, 0)]),
        ("transfer", "ctr_x", [(mine, -6, 0), (merchant, 6, 0)]),
        ("transfer", "ctr_x", grant),
        ("transfer", "ctr_x", [*charge, (other, -5, 0), (merchant, 5, 0)]),
        ("transfer", "ctr_x", []),
        ("transfer", "ctr_none", charge),
        ("transfer", "ctr_x", [(mine, -5, 5)]),
        ("hold", "ctr_x", charge),
        ("deposit", "ctr_x", charge),
    ]
    for kind, ref, legs in thefts:
        with pytest.raises(DBAPIError, match=r"does not fit|row-level security"):
            async with shop.database.unit_of_work(merchant) as session:
                await slip(session, merchant, mine, "charge", 5)
                written = await journal(session, kind, ref, merchant)
                for account, confirmed, locked in legs:
                    await entry(session, written, account, c=confirmed, l=locked)
    for account in (mine, other, merchant):
        assert await has(shop, account) == (10**18, 0)


async def test_plain_sql_may_do_what_the_api_would(shop: Shop) -> None:
    """A slip and its journal, inside the tenant; nothing is added to it afterwards."""
    merchant, key = await shop.merchant_and_key()
    mine = await rich(shop, key)
    async with shop.database.unit_of_work(merchant) as session:
        written = await journal(
            session, "transfer", await slip(session, merchant, mine, "charge", 5), merchant
        )
        await entry(session, written, mine, c=-5)
        await entry(session, written, merchant, c=5)
    assert await has(shop, merchant) == (5, 0)
    with pytest.raises(DBAPIError, match="does not fit"):
        async with shop.database.unit_of_work(merchant) as session:
            await entry(session, written, mine, c=-5)
            await entry(session, written, merchant, c=5)
    with pytest.raises(DBAPIError, match="permission denied"):
        async with shop.database.unit_of_work(merchant) as session:
            await session.execute(text("UPDATE customer_transfer SET units = 6"))
    with pytest.raises(DBAPIError):
        await shop.run("UPDATE customer_transfer SET units = 6")


async def test_a_slip_is_for_a_customer_and_a_mode_of_ones_own(shop: Shop) -> None:
    """Another tenant's customer is nobody; money of real networks is not in test mode."""
    merchant, key = await shop.merchant_and_key()
    mine = await rich(shop, key)
    thief, thiefs_key = await shop.merchant_and_key()
    own = await customer(shop, thiefs_key)
    with pytest.raises(DBAPIError, match="foreign key"):
        async with shop.database.unit_of_work(thief) as session:
            await slip(session, thief, mine, "charge", 5)
    with pytest.raises(DBAPIError, match="row-level security"):
        async with shop.database.unit_of_work(thief) as session:
            written = await journal(
                session, "transfer", await slip(session, thief, own, "charge", 5), thief
            )
            await entry(session, written, mine, c=-5)
    real = "ETH-MAINNET"
    await shop.fund(merchant, real, 10**18)
    with pytest.raises(DBAPIError, match="does not fit"):
        async with shop.database.unit_of_work(merchant) as session:
            await slip(session, merchant, mine, "grant", 5, real)
            written = await journal(session, "transfer", "ctr_x", merchant)
            await entry(session, written, merchant, c=-5, currency=real)
            await entry(session, written, mine, c=5, currency=real)


async def test_a_hold_takes_from_the_balance_that_pays_and_no_other(shop: Shop) -> None:
    """Whose balance pays is the withdrawal's to say: not the merchant's, not another customer's."""
    merchant, key = await shop.merchant_and_key()
    mine, other = await rich(shop, key), await rich(shop, key)
    await shop.fund(merchant, ETH, 10**18)
    born = text(
        "INSERT INTO withdrawal (id, merchant_id, customer_id, livemode, currency_id, network_id,"
        " units, fee_units, destination, status, created_by, created_at, updated_at) VALUES"
        " ('wdr_x', :merchant, :customer, false, 'ETH-ETHEREUM', 'ethereum', 5, 0, '0xaa',"
        " 'pending', 'key_1', now(), now())"
    )
    for payer, holders in (
        (mine, [other]),
        (mine, [merchant]),
        (None, [mine]),
        (mine, [mine, other]),
    ):
        with pytest.raises(DBAPIError, match="does not fit"):
            async with shop.database.unit_of_work(merchant) as session:
                await session.execute(born, {"merchant": merchant, "customer": payer})
                written = await journal(session, "hold", "wdr_x", merchant)
                for holder in holders:
                    await entry(session, written, holder, type="HOLD", c=-5, l=5)
    stranger, _ = await shop.merchant_and_key()
    with pytest.raises(DBAPIError, match="foreign key"):
        async with shop.database.unit_of_work(stranger) as session:
            await session.execute(born, {"merchant": stranger, "customer": mine})
    with pytest.raises(DBAPIError, match="withdrawal_customer_check"):
        await shop.run(
            "INSERT INTO withdrawal SELECT (w).* FROM (SELECT jsonb_populate_record(NULL::withdrawal,"
            " jsonb_build_object('id', 'wdr_y', 'livemode', false, 'currency_id', 'ETH-ETHEREUM',"
            " 'network_id', 'ethereum', 'units', 5, 'fee_units', 0, 'destination', '0xaa', 'metadata',"
            " '{}'::jsonb, 'status', 'approved', 'created_by', 'k', 'created_at', now(), 'updated_at',"
            " now(), 'customer_id', CAST(:customer AS text))) AS w) AS x",
            customer=mine,
        )


async def test_locked_money_is_not_unlocked_through_an_old_journal(shop: Shop) -> None:
    """Otherwise it could be asked for again, and paid twice: refused for merchants and customers."""
    merchant, key = await shop.merchant_and_key()
    mine = await rich(shop, key)
    await shop.fund(merchant, ETH, 10**18)
    for number, fields in enumerate(({}, {"customer_id": mine})):
        ask = {"payment_method": ETH, "amount": "1", "destination": "0x" + "ab" * 20, **fields}
        answer = await shop.call(
            "POST", "/v1/withdrawals", key, json=ask, headers={"Idempotency-Key": str(number)}
        )
        assert answer.status_code == 201, answer.text
    holds = await shop.rows("SELECT id, ref FROM journal WHERE kind = 'hold' ORDER BY id")
    deposits = await shop.rows(
        "SELECT min(id) AS id FROM journal WHERE merchant_id IS NOT NULL"
    )
    for account, old in (
        (merchant, holds[0]),
        (mine, holds[1]),
        (mine, holds[0]),
        (mine, deposits[0]),
    ):
        for kind in ("HOLD", "RELEASE"):
            with pytest.raises(DBAPIError, match="does not fit"):
                async with shop.database.unit_of_work(merchant) as session:
                    await entry(session, old.id, account, type=kind, c=10**18, l=-(10**18))
    with pytest.raises(DBAPIError, match="does not fit"):
        async with shop.database.unit_of_work(merchant) as session:
            written = await journal(session, "release", holds[1].ref, merchant)
            await entry(session, written, mine, type="RELEASE", c=10**18, l=-(10**18))
    for account in (merchant, mine):
        assert await has(shop, account) == (0, 10**18)


async def test_whose_balance_pays_never_changes(shop: Shop) -> None:
    """For the owner of the tables too."""
    _, key = await shop.merchant_and_key()
    mine, other = await rich(shop, key), await rich(shop, key)
    ask = {"payment_method": ETH, "amount": "1", "destination": "0x" + "ab" * 20}
    made = await shop.call(
        "POST",
        "/v1/withdrawals",
        key,
        json={**ask, "customer_id": mine},
        headers={"Idempotency-Key": "1"},
    )
    assert made.status_code == 201
    with pytest.raises(DBAPIError, match="never changes"):
        await shop.run("UPDATE withdrawal SET customer_id = :other", other=other)


async def test_an_account_of_no_customer_is_nobodys(shop: Shop) -> None:
    """A posting to it is refused, whoever posts: money cannot get lost in a misspelling."""
    merchant, _ = await shop.merchant_and_key()
    with pytest.raises(DBAPIError, match="wallet_check"):
        async with shop.watcher.unit_of_work(None) as session:
            written = await journal(session, "capital", "x", merchant)
            await entry(session, written, "cus_nobody", c=5)
