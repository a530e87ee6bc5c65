"""What final deposits leave to be swept: noted by the database, whatever makes them final."""

import pytest

from tests.gateway.shop import Shop

pytestmark = pytest.mark.anyio


async def test_deposits_that_become_final_together_add_up_at_their_address(shop: Shop) -> None:
    """Two at one address are one row, in one statement and beside an earlier one; once each."""
    _, key = await shop.merchant_and_key()
    addresses = []
    for number in range(2):
        invoice = await shop.invoice(key, payment_methods=["USDT-TRON"])
        addresses.append(invoice["payment_options"][0]["address"])
        await shop.pay(addresses[number], "USDT-TRON", 100 + number, tx=f"a{number}")
    await shop.pay(addresses[0], "USDT-TRON", 7, tx="b")
    await shop.pay(addresses[1], "USDT-TRON", 9, tx="gone")
    await shop.run("UPDATE deposit SET status = 'reorged' WHERE tx_hash = 'gone'")

    async def left() -> dict[str, int]:
        rows = await shop.rows("SELECT address, units FROM unswept")
        return {row.address: int(row.units) for row in rows}

    final = "UPDATE deposit SET status = 'confirmed', confirmed_at = now()"
    await shop.run(f"{final} WHERE status = 'pending'")
    assert await left() == {addresses[0]: 107, addresses[1]: 101}
    await shop.run("UPDATE deposit SET late = true")
    assert await left() == {addresses[0]: 107, addresses[1]: 101}
    await shop.pay(addresses[1], "USDT-TRON", 20, tx="c")
    await shop.run(f"{final} WHERE tx_hash = 'c'")
    assert await left() == {addresses[0]: 107, addresses[1]: 121}
