"""`watchers export`: a keystore put back to an older backup goes on with what our rows know."""

import argparse
import asyncio
import contextlib
import itertools
import json
import shutil
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.db import CROSS_TENANT
from gateway.models import Signature
from gateway.settings import SettingsError, load
from keystore.__main__ import main
from keystore.merging import ROWS_APART_MAX
from tests.conftest import FreshDatabase
from tests.keystore.house import build, init, serving
from tests.keystore.movements import NOON
from tests.watchers.test_command import config, run
from tests.watchers.test_payouts import AMOUNT, DESTINATION, Desk, desk
from tests.watchers.world import NETWORK, world
from watchers.commands import export

pytestmark = pytest.mark.anyio
LAST = 2_600
ROWS = """
INSERT INTO address_pool (network_id, index, path, address, signature, created_at)
SELECT :network, index, 'm', 'address ' || index, 'x', now()
FROM generate_series((SELECT coalesce(max(index) + 1, 0) FROM address_pool
    WHERE network_id = :network), :last) index
"""


async def paid(d: Desk, *numbers: int) -> None:
    """Pay some withdrawals to their end."""
    for number in numbers:
        await d.request(number, units=AMOUNT // 100)
    await d.payouts.round()
    await d.bury()


async def test_a_keystore_from_an_older_backup_pays_on_and_nothing_twice(
    database: FreshDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A backup in the middle of payouts; nothing is signed until what the rows know is merged."""
    path, kept = str(config(tmp_path, database, "http://127.0.0.1:1", "1")), tmp_path / "kept"
    signed = tmp_path / "signed.jsonl"
    async with contextlib.AsyncExitStack() as stack:
        house = build(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-"))))
        init(house)
        own = ("--config", str(house.config))
        with serving(house):
            d = await stack.enter_async_context(desk(database, house))
            await paid(d, 1, 2)
            assert main(["backup", str(kept), *own]) == 0
            await paid(d, 3, 4)
        shutil.rmtree(house.home / "data")
        assert main(["restore", str(kept), *own]) == 0
        with serving(house):
            await paid(d, 5)
            waits = await d.withdrawal(f"wdr_{d.first_nonce + 5}")
            assert "this journal has 2 payments, not 4" in str(waits.blocked_reason)
            assert await d.world.chain.balance(DESTINATION) == 4 * AMOUNT // 100

        made = await asyncio.to_thread(run, "export", NETWORK, "--config", path)
        assert (made.returncode, made.stderr) == (0, "")
        signed.write_text(made.stdout)
        assert main(["merge", str(signed), *own]) == 1
        # These pool rows were made by another vault, so they say nothing to this one.
        assert "pool row of this keystore" in capsys.readouterr().out
        *lines, rows = made.stdout.splitlines(keepends=True)
        assert rows.startswith('{"rows":')
        signed.write_text("".join(lines))
        assert main(["merge", str(signed), *own]) == 0
        assert "2 added, numbers up to 4" in capsys.readouterr().out

        with serving(house):
            await d.payouts.round()
            await d.bury()
            last = await d.withdrawal(f"wdr_{d.first_nonce + 5}")
            assert last.status == "completed"
            assert await d.world.chain.balance(DESTINATION) == 5 * AMOUNT // 100
            hashes = {str(each.tx_hash) for each in await d.attempts()}
            assert len(hashes) == 5

        # Where a journal gave another number, both are known, and its own is the later one.
        again = {"withdrawal_id": "wdr_x", "tx_hash": min(hashes), "noted_at": NOON}
        async with d.world.owner.unit_of_work(CROSS_TENANT) as session:
            session.add(Signature(network_id=NETWORK, number=9, **again))
        asked = argparse.Namespace(network=NETWORK)
        assert await export.command(load(Path(path)), d.world.database, asked) == 0
        found = [
            json.loads(line).get("signed") for line in capsys.readouterr().out.splitlines()
        ]
        numbers = {each["tx_hash"]: each["number"] for each in found if each}
        assert len([each for each in found if each]) == len(hashes)
        assert numbers[min(hashes)] == 9


async def test_a_number_without_its_bytes_is_named(
    database: FreshDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code says that what was printed is not everything."""
    settings = load(config(tmp_path, database, "http://127.0.0.1:1", "1"))
    gone = Signature(
        network_id=NETWORK, number=2, withdrawal_id="wdr_x", tx_hash="0xbeef", noted_at=NOON
    )
    async with world(database) as w:
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            session.add(gone)
            await session.execute(text(ROWS), {"network": NETWORK, "last": LAST})
        asked = argparse.Namespace(network=NETWORK)
        assert await export.command(settings, w.database, asked) == 1
        with pytest.raises(SettingsError, match="moon"):
            await export.command(settings, w.database, argparse.Namespace(network="moon"))
    said = capsys.readouterr()
    assert said.err == (
        "watchers: number 2: wdr_x was signed as 0xbeef, and no row has the bytes\n"
    )
    rows = [line["rows"] for line in map(json.loads, said.out.splitlines()) if "rows" in line]
    indexes = [row["index"] for (row,) in rows]
    assert indexes[-1] == LAST
    # Closer than a merge wants them, and not all.
    steps = [after - before for before, after in itertools.pairwise([-1, *indexes])]
    assert 1 < max(steps) <= ROWS_APART_MAX
