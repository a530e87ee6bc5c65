"""Every refused intent is written down once, and nobody fills the disk with them."""

import contextlib
import io
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from keystore import api
from keystore.journal import Journal
from keystore.keyring import Keyring
from keystore.logs import Log
from keystore.refusal import Refused
from keystore.refusals import BYTES_MAX, ROWS_MAX, Refusals
from keystore.service import Keystore
from keystore.vault import Secrets
from tests.keystore.house import ethereum_intent
from tests.keystore.movements import NOON, PLAY, Safe, refusals, unlocked


def code_of(safe: Safe, request: api.Request) -> str:
    """Return the code that a request is refused with."""
    with pytest.raises(Refused) as refused:
        safe.keystore.answer(request)
    return refused.value.code


def test_a_refused_lane_and_a_bad_id_are_written_down(tmp_path: Path) -> None:
    """Once each; the id itself stands in the intent beside the refusal."""
    with unlocked(tmp_path) as safe:
        lane = api.SignNonceSetupRequest(
            network="solana", lane=99, blockhash="x", lamports=1_447_680
        )
        elsewhere = api.SignNonceSetupRequest(
            network="nowhere", lane=0, blockhash="x", lamports=1_447_680
        )
        for _ in range(2):
            told = [
                ("lane/99", code_of(safe, lane)),
                ("lane/0", code_of(safe, elsewhere)),
                (
                    "#bad_id",
                    code_of(
                        safe, api.SignRequest(intent=ethereum_intent(withdrawal_id="wdr 1"))
                    ),
                ),
            ]
        assert refusals(safe.journal) == told
        assert told[1:] == [("lane/0", "unknown_network"), ("#bad_id", "bad_field")]


def test_refusals_have_a_ration_of_rows_and_bytes(tmp_path: Path) -> None:
    """Beyond it they are counted; another minute has another ration; signing goes on."""
    since_boot = timedelta(hours=1)
    Journal.create(tmp_path / "journal", "id")
    with contextlib.closing(Journal.open(tmp_path / "journal", "id", lambda: NOON)) as journal:
        keystore = Keystore(
            settings=PLAY,
            keyring=Keyring(Secrets(*(bytearray([n] * 32) for n in range(1, 5)))),
            journal=journal,
            log=Log(lambda: NOON, io.StringIO()),
            boot=lambda: since_boot,
        )
        with keystore.together():
            for number in range(ROWS_MAX + 5):
                intent = ethereum_intent(withdrawal_id=f"wdr_{number}", units="0")
                with pytest.raises(Refused, match="units"):
                    keystore.answer(api.SignRequest(intent=intent))
        status = keystore.answer(api.StatusRequest())
        assert isinstance(status, api.Status)
        assert status.refusals_unwritten == 5
        keystore.answer(api.SignRequest(intent=ethereum_intent()))

        since_boot += timedelta(minutes=1)
        with pytest.raises(Refused, match="units"):
            keystore.answer(api.SignRequest(intent=intent))
        written = Refusals(journal, Log(lambda: NOON, io.StringIO()), lambda: since_boot)
        for letter in (b"a", b"b", b"c"):
            written.remember("wdr_1", "ethereum", letter * (BYTES_MAX // 2), "bad_field")
        assert written.unwritten == 1
    with contextlib.closing(sqlite3.connect(tmp_path / "journal")) as db:
        kinds = db.execute("select kind, count(*) from entry group by kind order by kind")
        assert kinds.fetchall() == [("refused", ROWS_MAX + 3), ("signed", 1)]
