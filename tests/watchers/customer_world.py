"""A world with a customer: `cus_1` of merchant `mer_1` has a permanent address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import insert, text

from gateway.db import CROSS_TENANT
from gateway.models import AddressPool, Customer
from keystore.api import pool_message
from tests.conftest import FreshDatabase
from tests.fakes.chain import GENESIS_TIME
from tests.watchers.world import NETWORK, POOL_KEY, World, world

CUSTOMER = "cus_1"


@dataclass(frozen=True, slots=True)
class CustomerWorld:
    """The world, and the customer's address on its network."""

    w: World
    home: str


@asynccontextmanager
async def customer_world(
    database: FreshDatabase, *, minimum: int = 0
) -> AsyncIterator[CustomerWorld]:
    """Build it: address 2 is the customer's for good."""
    async with world(database, minimum=minimum) as w:
        home = await w.chain.fresh_address()
        path = "m/44'/60'/0'/0/2"
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            await session.execute(
                insert(Customer).values(
                    id=CUSTOMER,
                    merchant_id="mer_1",
                    livemode=False,
                    metadata_={},
                    created_at=GENESIS_TIME,
                    updated_at=GENESIS_TIME,
                )
            )
            await session.execute(
                insert(AddressPool).values(
                    network_id=NETWORK,
                    index=2,
                    path=path,
                    address=home,
                    signature=POOL_KEY.sign(pool_message(NETWORK, 2, path, home)),
                    status="ASSIGNED",
                    merchant_id="mer_1",
                    customer_id=CUSTOMER,
                    created_at=GENESIS_TIME,
                )
            )
        await w.restart()
        yield CustomerWorld(w, home)


async def resign(made: CustomerWorld) -> None:
    """Edit the customer's pool row by hand: it is no longer what the keystore signed."""
    async with made.w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(text("UPDATE address_pool SET path = 'm/9' WHERE index = 2"))
