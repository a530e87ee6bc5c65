"""`keystore merge` as an operator types it, after a backup from the middle of the payouts."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from solders.hash import Hash

from keystore import api, settings, vault
from keystore.__main__ import main
from keystore.door import alone
from keystore.journal import Journal
from keystore.keyring import Keyring
from keystore.logs import Log, utc_now
from keystore.refusal import Refused
from keystore.service import Keystore
from tests.keystore.house import (
    PASSPHRASE,
    House,
    build,
    ethereum_intent,
    tron_intent,
)
from tests.keystore.movements import Safe, solana_payment

NETWORKS = ("ethereum", "tron", "solana")
Told = Callable[..., str]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Return how to run a command that ends with a code; it returns what that printed."""

    def run(house: House, code: int, *args: str) -> str:
        ended = main([*args, "--config", str(house.config)])
        said = capsys.readouterr()
        assert ended == code, said.err
        return said.out + said.err

    return run


@contextlib.contextmanager
def opened(house: House) -> Iterator[Safe]:
    """Serve a house's files in this process."""
    chosen = settings.load(house.config, own_uid=os.geteuid())
    vault_id, secrets = vault.decode(house.file.read_bytes(), PASSPHRASE.encode())
    keyring = Keyring(secrets)
    with contextlib.closing(Journal.open(house.journal, vault_id, utc_now)) as journal:
        keystore = Keystore(
            settings=chosen.networks,
            keyring=keyring,
            journal=journal,
            log=Log(utc_now, io.StringIO()),
        )
        yield Safe(keystore, keyring, house.journal)


def sign(safe: Safe, number: int, known: int | None = None) -> list[api.Signed]:
    """Sign one payment of each family."""
    value, time = str(Hash(bytes([number + 1] * 32))), 1_700_000_000_000 + number
    return [
        safe.sign(each, known=known)
        for each in (
            ethereum_intent(withdrawal_id=f"wdr_e{number}", nonce=number),
            tron_intent(withdrawal_id=f"wdr_t{number}", timestamp_ms=time),
            solana_payment(safe, withdrawal_id=f"wdr_s{number}", nonce_value=value),
        )
    ]


def exported(safe: Safe, file: Path) -> Path:
    """Write what a gateway's rows would hold, in the shape of `watchers export`."""
    lines = []
    for network in NETWORKS:
        page = safe.keystore.answer(api.HistoryRequest(network=network, after=0))
        assert isinstance(page, api.History)
        lines += page.payments
    file.write_bytes(b"\n".join(map(msgspec.json.encode, lines)) + b"\n")
    return file


def test_a_keystore_from_an_older_backup_goes_on_after_a_merge(
    house: House, tmp_path: Path, told: Told
) -> None:
    """It signs nothing before, the same bytes for the same intents after, and then new ones."""
    kept, elsewhere = tmp_path / "keystore.backup", build(tmp_path / "elsewhere")
    with opened(house) as safe:
        first = sign(safe, 0)
        told(house, 0, "backup", str(kept))
        later = [sign(safe, number) for number in (1, 2)]
        file = exported(safe, tmp_path / "signed.jsonl")
    assert "keystore merge before paying" in told(elsewhere, 0, "restore", str(kept))
    with (
        opened(elsewhere) as safe,
        pytest.raises(Refused, match="not 3: keystore merge takes in"),
    ):
        sign(safe, 3, known=3)

    before = elsewhere.journal.read_bytes()
    with alone(elsewhere.socket):
        assert "another keystore serves" in told(elsewhere, 1, "merge", str(file))
    edited = tmp_path / "edited.jsonl"
    edited.write_text(file.read_text().replace('"nonce":2', '"nonce":7'))
    said = told(elsewhere, 1, "merge", str(edited))
    assert "edited.jsonl:3: not_signed_here" in said
    assert "1 entries cannot be true; nothing was added" in said
    assert elsewhere.journal.read_bytes() == before

    said = told(elsewhere, 0, "merge", str(file))
    assert "ethereum      2 added, numbers up to 3" in said
    assert "3 known already" in said
    with opened(elsewhere) as safe:
        assert [sign(safe, number, known=0) for number in range(3)] == [first, *later]
        assert [each.number for each in sign(safe, 3, known=3)] == [4, 4, 4]


def test_a_lost_journal_begins_anew_only_where_a_person_says_that_it_is_lost(
    house: House, tmp_path: Path, told: Told
) -> None:
    """And never over one that is there."""
    with opened(house) as safe:
        signed = sign(safe, 0)
        file = exported(safe, tmp_path / "signed.jsonl")
    assert "exists already" in told(house, 1, "merge", "--journal-lost", str(file))
    house.journal.unlink()
    assert "no such file" in told(house, 1, "merge", str(file))
    told(house, 0, "merge", "--journal-lost", str(file))
    assert house.journal.stat().st_mode & 0o777 == 0o600
    with opened(house) as safe:
        assert sign(safe, 0, known=0) == signed
        pool = safe.keystore.answer(api.DerivePoolRequest(network="tron", first=0, count=2))
    (rows := tmp_path / "pool.json").write_bytes(msgspec.json.encode(pool))
    kept, elsewhere = tmp_path / "keystore.backup", build(tmp_path / "elsewhere")
    assert "3 signatures" in told(house, 0, "backup", str(kept))
    told(elsewhere, 0, "restore", str(kept))
    assert "0 wrong" in told(elsewhere, 0, "drill", "--pool", str(rows), "--backup", str(kept))
    with opened(elsewhere) as safe:
        assert sign(safe, 0, known=0) == signed


def test_a_person_says_how_far_apart_numbers_may_lie(
    house: House, tmp_path: Path, told: Told
) -> None:
    """With `--gaps` alone a number that somebody made up stays out."""
    with opened(house) as safe:
        sign(safe, 0)
        file = exported(safe, tmp_path / "signed.jsonl")
    file.write_text(file.read_text().replace('"number":1', '"number":90000'))
    house.journal.unlink()
    lost = ("merge", "--journal-lost", "--gaps")
    assert "--gap-max" in told(house, 1, *lost, str(file))
    assert "--gap-max" in told(house, 1, *lost, "--gap-max", "89998", str(file))
    assert not house.journal.exists()
    said = told(house, 0, *lost, "--gap-max", "89999", str(file))
    assert "numbers up to 90000" in said
