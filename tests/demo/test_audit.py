"""The independent check agrees with an honest ledger and notices a single unit."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import insert

from devnet import anvil, audit
from devnet.chain import LocalChain
from gateway.catalog.sync import sync_catalog
from gateway.db import CROSS_TENANT, Database
from gateway.domain import posting
from gateway.ledger.service import post
from gateway.models import ApplicationWallet
from gateway.postgres.url import socket_directory
from gateway.settings import AssetSettings, NetworkSettings, Settings
from tests.conftest import FreshDatabase, TestServer
from watchers.clock import now

pytestmark = [pytest.mark.anyio, pytest.mark.chain]

CAPITAL_WEI = 5 * 10**18


async def test_audit_notices_one_unit(
    database_server: TestServer, database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """Equal books pass; a wei on the chain that no journal knows does not."""
    async with anvil.running() as chain:
        hot = await chain.fresh_address()
        await _book_capital(database, chain, hot)
        await chain.pay(hot, CAPITAL_WEI)
        arguments = _arguments(database_server, database, chain)
        assert await asyncio.to_thread(audit.main, arguments) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["journals"] == 1
        assert report["sum_is_zero"]
        assert report["onchain_equals_ledger"]
        assert report["assets"][0] == {
            "asset": "ETH-ETHEREUM",
            "onchain_units": str(CAPITAL_WEI),
            "ledger_units": str(CAPITAL_WEI),
        }
        await chain.pay(hot, 1)
        assert await asyncio.to_thread(audit.main, arguments) == 1
        assert not json.loads(capsys.readouterr().out)["onchain_equals_ledger"]
        await chain.pay(hot, 1, chain.token)
        assert await asyncio.to_thread(audit.main, arguments) == 1
        assert json.loads(capsys.readouterr().out)["assets"][1]["onchain_units"] == "1"


async def _book_capital(database: FreshDatabase, chain: LocalChain, hot: str) -> None:
    network = NetworkSettings(
        family="ethereum",
        display_name="Ethereum",
        identity=chain.identity,
        rpc_urls=[chain.url],
        test=True,
        assets=[
            AssetSettings(code="ETH", decimals=18),
            AssetSettings(code="USDC", decimals=6, contract=chain.token),
        ],
    )
    owner = Database(database.url("owner"), pool_size=1)
    async with owner.unit_of_work(CROSS_TENANT) as session:
        await sync_catalog(session, Settings(networks={"ethereum": network}))
        moment = now()
        await session.execute(
            insert(ApplicationWallet).values(
                id=moment.id("awl"),
                network_id="ethereum",
                purpose="hot",
                address=hot,
                path="m/0",
                created_at=moment.at,
            )
        )
        await post(session, posting.capital("first", "ETH-ETHEREUM", CAPITAL_WEI), moment)
    await owner.aclose()


def _arguments(server: TestServer, database: FreshDatabase, chain: LocalChain) -> list[str]:
    password_file = database.settings.database.owner_password_file
    return [
        *("--socket", str(socket_directory(server.settings))),
        *("--database", database.url("owner").database or ""),
        *("--password-file", str(Path(password_file or ""))),
        f"--node=ethereum={chain.url}",
    ]
