"""`watchers reconcile NETWORK --address`: money that came silently when nobody waited for it."""

import argparse
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from devnet import anvil
from devnet.anvil import AnvilChain
from devnet.contracts import cases
from gateway.db import CROSS_TENANT
from gateway.settings import (
    AssetSettings,
    KeystoreSettings,
    NetworkSettings,
    Settings,
    SettingsError,
)
from tests.conftest import FreshDatabase
from tests.keystore.house import build, init, serving
from tests.watchers.recon_world import Counted, counted
from tests.watchers.test_recon_pause import steal
from tests.watchers.world import DUE_UNITS, ETH, PUBLIC_KEY
from watchers.commands import reconcile

pytestmark = [pytest.mark.anyio, pytest.mark.chain]


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[AnvilChain]:
    """Run one anvil for the module."""
    async with anvil.running() as running:
        yield running


@pytest.fixture(scope="module")
def socket() -> Iterator[Path]:
    """Run a keystore that has signed nothing."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        house = build(Path(folder))
        init(house)
        with serving(house):
            yield house.socket


async def look(w: Counted, socket: Path, address: str) -> int:
    """Run the command; return its exit code."""
    network = NetworkSettings(
        family="ethereum", display_name="E", identity=w.chain.identity, rpc_urls=[w.chain.url],
        assets=[AssetSettings(code="ETH", decimals=18)], test=True,
    )  # fmt: skip
    settings = Settings(
        networks={"ethereum": network},
        keystore=KeystoreSettings(socket=socket, pool_public_key=PUBLIC_KEY),
    )
    parser = argparse.ArgumentParser()
    reconcile.add_arguments(parser)
    args = parser.parse_args(["ethereum", "--address", address, "--json"])
    return await reconcile.command(settings, w.database, args)


async def forget(w: Counted) -> None:
    """Let the invoice have expired, and its monitoring be over."""
    past = datetime.now(UTC) - timedelta(days=30)
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            text(
                "UPDATE invoice SET status = 'expired', final = true, expires_at = :at,"
                " monitoring_until = :at"
            ),
            {"at": past},
        )


async def test_money_that_nobody_waited_for_is_found_when_somebody_asks(
    database: FreshDatabase, chain: AnvilChain, socket: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In its own block, for its own invoice, once; what is missing there is said and exits 1."""
    async with counted(database, chain) as w:
        await w.settle()
        await forget(w)
        contract = await chain.create(cases.fixed_forwarder(w.assigned))
        paid = await chain.included(await chain.transact(to=contract, value=hex(DUE_UNITS)))
        await chain.mine(3)
        await w.settle()
        assert await w.deposits() == [], "nobody waits for it"
        assert await look(w, socket, w.assigned.upper().replace("0X", "0x")) == 0
        [found] = json.loads(capsys.readouterr().out.splitlines()[-1])["found"]
        [deposit] = await w.balance_deposits()
        height = await w.height_of(paid)
        assert (found["deposit"], found["units"]) == (deposit.id, str(DUE_UNITS))
        assert (deposit.block_height, deposit.invoice_id, deposit.late) == (
            height,
            "inv_1",
            True,
        )
        assert await look(w, socket, w.assigned) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["found"] == []
        await w.settle()
        assert await w.wallet("mer_1") == (DUE_UNITS, 0)
        await steal(chain, w.assigned, 10**17)
        await w.bury()
        assert await look(w, socket, w.assigned) == 1
        [drift] = json.loads(capsys.readouterr().out.splitlines()[-1])["drifts"]
        assert drift["payment_method"] == ETH
        assert int(drift["units"]) <= -(10**17)


async def test_an_address_of_nobody_and_a_keystore_that_is_not_there_are_refused(
    database: FreshDatabase,
    chain: AnvilChain,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line each; nothing is credited while nobody knows what the keystore signed."""
    async with counted(database, chain) as w:
        with pytest.raises(SettingsError, match="no pool address"):
            await look(w, tmp_path / "none", w.hot)
        await chain.pay(w.hot, 1)
        contract = await chain.create(cases.fixed_forwarder(w.free))
        await chain.included(await chain.transact(to=contract, value="0x7"))
        await w.bury()
        assert await look(w, tmp_path / "none", w.free) == 1
        assert "keystore" in capsys.readouterr().err
        assert await w.balance_deposits() == []
