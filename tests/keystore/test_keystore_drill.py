"""The drill: words and the exported pool, and nothing else, give every address back."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from gateway.__main__ import main as gateway
from gateway.db import CROSS_TENANT, Database
from gateway.models import AddressPool
from keystore import vault
from keystore.api import PoolRow
from keystore.client import KeystoreClient
from keystore.drill import read_export
from keystore.refusal import Unfit
from keystore.words import words_of
from tests.conftest import FreshDatabase
from tests.gateway.commands.served import write_config
from tests.keystore.house import PASSPHRASE, ROOT, House, run, serving
from watchers import clock

COUNTS = {"ethereum": 120, "solana": 230, "tron": 7}
_NETWORK = text("""
INSERT INTO network (id, family, display_name, identity, test, local, enabled)
VALUES (:name, :name, :name, :name, true, true, true) ON CONFLICT DO NOTHING
""")


@pytest.fixture
def exported(
    house: House,
    database: FreshDatabase,
    short_folder: Path,
    own_logging: None,
    capsys: pytest.CaptureFixture[str],
) -> Path:
    """Put a keystore's signed rows into the database; export them as the operator does."""
    assert own_logging is None
    rows = asyncio.run(_fill(house, database))
    assert len(rows) == sum(COUNTS.values())
    config = write_config(short_folder, database)
    assert gateway(["admin", "export-pool", "--config", str(config)]) == 0
    file = short_folder / "pool.jsonl"
    file.write_text(capsys.readouterr().out)
    return file


async def _fill(house: House, database: FreshDatabase) -> list[PoolRow]:
    """Insert the pool as the watcher does, but for a gap: what a restore had forgotten."""
    owner, rows = Database(database.url("owner"), pool_size=1), []
    with serving(house):
        async with KeystoreClient(house.socket) as keystore:
            for network, count in COUNTS.items():
                rows += await keystore.derive_pool(network, 0, count - 2)
                rows += await keystore.derive_pool(network, count + 50, 2)
    async with owner.unit_of_work(CROSS_TENANT) as session:
        for network in COUNTS:
            await session.execute(_NETWORK, {"name": network})
        values = [
            {
                "network_id": row.network,
                "index": row.index,
                "path": row.path,
                "address": row.address,
                "signature": bytes.fromhex(row.signature),
                "status": "AVAILABLE",
                "created_at": clock.now().at,
            }
            for row in rows
        ]
        await session.execute(insert(AddressPool), values)
    await owner.aclose()
    return rows


def seed_words(house: House, purpose: str = "pool") -> str:
    """Return what the operator has on paper."""
    _, secrets = vault.decode(house.file.read_bytes(), PASSPHRASE.encode())
    return " ".join(words_of(getattr(secrets, purpose)))


def drill(folder: Path, words: str, export: Path) -> subprocess.CompletedProcess[str]:
    """Run the drill in an empty folder: no settings, no keystore file, words on standard input."""
    command = [sys.executable, "-m", "keystore", "drill", "--words", "-", "--pool", str(export)]
    return subprocess.run(
        command, cwd=folder, input=words, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_every_exported_address_is_found_from_the_words_alone(
    house: House, exported: Path, tmp_path: Path
) -> None:
    """Of three families, gaps and all; the export's age is said."""
    empty = tmp_path / "elsewhere"
    empty.mkdir()

    done = drill(empty, seed_words(house), exported)

    assert (done.returncode, done.stderr) == (0, "")
    total = sum(COUNTS.values())
    assert f"{total} addresses derived from the words alone, 0 wrong" in done.stdout
    for network, count in COUNTS.items():
        assert f"{network:<13} {count} addresses" in done.stdout
    assert "0 days old" in done.stdout
    assert list(empty.iterdir()) == []

    other = drill(empty, seed_words(house, "hot"), exported)
    assert other.returncode == 1
    assert f"{total} wrong" in other.stdout


def test_the_export_opens_a_backups_drill_too(
    house: House, exported: Path, tmp_path: Path
) -> None:
    """There every signature must come out again, not the address alone."""
    kept = tmp_path / "keystore.backup"
    assert run(house, "backup", str(kept)).returncode == 0
    done = run(house, "drill", "--backup", str(kept), "--pool", str(exported))
    assert done.returncode == 0, done.stderr
    assert f"{sum(COUNTS.values())} derived again, 0 wrong" in done.stdout
    assert "days old" in done.stdout
    exported.write_text(exported.read_text().replace('"signature":"', '"signature":"00', 1))
    done = run(house, "drill", "--backup", str(kept), "--pool", str(exported))
    assert done.returncode == 1
    assert done.stderr.count("/") == 1


@pytest.mark.parametrize("field", ["address", "path", "index"])
def test_a_row_that_was_edited_by_hand_is_named(
    field: str, house: House, exported: Path, tmp_path: Path
) -> None:
    """An address that is another's, a path of no wallet of ours, a place that was moved."""
    answers = [json.loads(line) for line in exported.read_text().splitlines()]
    row = answers[1]["rows"][5]
    row.update({"address": answers[1]["rows"][6]["address"], "path": "m/0", "index": 9_000})
    pristine = [json.loads(line) for line in exported.read_text().splitlines()]
    pristine[1]["rows"][5][field] = row[field]
    exported.write_text("\n".join(map(json.dumps, pristine)))

    done = drill(tmp_path, seed_words(house), exported)

    assert done.returncode == 1
    place = 9_000 if field == "index" else 5
    assert (
        done.stderr == f"keystore: drill: these rows did not come out again: ethereum/{place}\n"
    )


def test_one_network_can_be_exported_alone(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In portions that a reader need not hold at once."""
    config = exported.parent / "gateway.toml"
    assert gateway(["admin", "export-pool", "--config", str(config), "solana"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert list(json.loads(head)) == ["exported_at"]
    sizes = [len(json.loads(line)["rows"]) for line in lines]
    assert (sum(sizes), max(sizes)) == (COUNTS["solana"], 200)


def test_an_export_is_as_old_as_its_first_line_says_whenever_it_was_copied(
    tmp_path: Path,
) -> None:
    """The file's own time is that of its last copy; of several exports the oldest counts."""
    file = tmp_path / "pool.jsonl"
    row = {"network": "tron", "index": 0, "path": "m", "address": "T", "signature": "00"}
    rows = json.dumps({"rows": [row]})
    file.write_text(f"{rows}\n")
    assert read_export(file).made_at is None
    older, newer = (datetime(2026, 5, day, tzinfo=UTC) for day in (1, 2))
    said = [json.dumps({"exported_at": each.isoformat()}) for each in (newer, older)]
    file.write_text("\n".join([said[0], rows, said[1], rows]))
    assert read_export(file).made_at == older
    for wrong in ("2026-05-01T00:00:00", "yesterday"):
        file.write_text(f"{json.dumps({'exported_at': wrong})}\n{rows}")
        with pytest.raises(Unfit, match="not an export"):
            read_export(file)
