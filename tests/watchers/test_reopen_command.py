"""`watchers reopen` as an operator types it, on a chain that was really rewritten."""

import argparse
import re
from pathlib import Path

import pytest

from gateway.settings import SettingsError, load
from tests.conftest import FreshDatabase
from tests.watchers.real_world import RealWorld, ethereum_world, scanner_of
from tests.watchers.test_command import config
from tests.watchers.test_scan_commands import watchers
from tests.watchers.test_scan_reorgs import anvil_of, bury
from tests.watchers.world import DUE_UNITS, ETH
from watchers.commands import reopen as command
from watchers.scan.reorg import FinalityBroken

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
WHY = ("--reason", "compared with two others")


def with_owner(folder: Path, database: FreshDatabase, rpc: str, identity: str) -> Path:
    """Write a configuration that knows the owner of the database too."""
    path = config(folder, database, rpc, identity)
    secret = database.settings.database.owner_password_file
    words = f'[database]\nowner_password_file = "{secret}"\n'
    path.write_text(path.read_text().replace("[database]\n", words))
    return path


async def typed(w: RealWorld, path: Path, *words: str) -> int:
    """Run the command in this process; return its exit code."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    args = parser.parse_args(["ethereum", *words])
    return await command.command(load(path), w.database, args)


async def test_case_28_an_operator_looks_and_then_names_the_height_to_go_on_from(
    database: FreshDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing moves while he looks or is wrong; then ledger and chain are one again."""
    async with ethereum_world(database) as w:
        chain = anvil_of(w)
        await chain.mine()
        both = await chain.send(w.pool[0], DUE_UNITS)
        await chain.mine()
        await chain.send(w.pool[1], DUE_UNITS)
        await chain.mine()
        await bury(w)
        await chain.reorg(8, [(both, 1)])
        await chain.mine(6)
        for _ in range(3):
            with pytest.raises(FinalityBroken):
                await w.scan()
        money = await w.wallets()

        path = with_owner(tmp_path, database, w.chain.url, w.chain.identity)
        assert await typed(w, path) == 0
        looked = capsys.readouterr().out
        assert "was final and is no longer" in looked
        found = re.search(r"^from +(\d+):", looked, re.MULTILINE)
        assert found is not None
        first = found.group(1)
        shown = [line.split()[0] for line in looked.splitlines()]
        assert shown == ["halted", "from", "blocks", "stays", "reversed"]
        assert await typed(w, path, "--from", str(int(first) - 1), *WHY) == 1
        assert f"part at {first}," in capsys.readouterr().err
        with pytest.raises(SettingsError, match="both, or neither"):
            await typed(w, path, "--from", first)
        assert await w.wallets() == money

        done = await watchers(path, "reopen", "--from", first, *WHY)
        assert done.returncode == 0, done.stderr
        w.scanner = await scanner_of(w.database, w.reader)
        await w.scan()
        assert await w.credited() == await w.on_chain() == {(w.pool[0], ETH): DUE_UNITS}
        assert {name: units for name, units in (await w.wallets()).items() if units} == {
            ("mer_1", ETH): DUE_UNITS,
            ("custody", ETH): -DUE_UNITS,
        }
        assert await typed(w, path) == 1
        assert "is not halted" in capsys.readouterr().err
