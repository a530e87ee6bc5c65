"""The gateway's verifier and the keystore's signer mean the same message."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.addresses.signature import SignedAddress, is_genuine
from gateway.settings import SettingsError
from tests.gateway.shop import POOL_PUBLIC_KEY

VECTORS: dict[str, Any] = msgspec.json.decode(
    (Path(__file__).parents[2] / "vectors" / "pool.json").read_bytes()
)
PUBLIC_KEY: str = VECTORS["public_key"]
ROWS = [
    SignedAddress(
        row["network"],
        row["index"],
        row["path"],
        row["address"],
        bytes.fromhex(row["signature"]),
    )
    for row in VECTORS["rows"]
]
CHANGES: list[dict[str, Any]] = [
    {"network": "base"},
    {"index": 7},
    {"path": "m/44'/60'/0'/0/7"},
    {"address": "0x" + "66" * 20},
    {"signature": bytes(64)},
    {"signature": b""},
    {"signature": bytes(65)},
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.network}-{row.index}")
def test_what_the_keystore_signed_is_genuine(row: SignedAddress) -> None:
    """The vectors are made by the keystore's own tests."""
    assert is_genuine(row, PUBLIC_KEY)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_any_change_is_noticed(change: dict[str, Any]) -> None:
    """Each field of the row is under the signature."""
    assert not is_genuine(replace(ROWS[0], **change), PUBLIC_KEY)


def test_another_keystores_row_is_not_genuine() -> None:
    """A signature counts under the configured key only; without a key nothing counts."""
    assert not is_genuine(ROWS[0], POOL_PUBLIC_KEY)
    assert not is_genuine(ROWS[0], "")


@pytest.mark.parametrize("key", ["zz" * 32, "00" * 31, "03a1"])
def test_a_key_that_is_none_is_named(key: str) -> None:
    """The line names the key of the configuration."""
    with pytest.raises(SettingsError, match=r"^keystore\.pool_public_key: "):
        is_genuine(ROWS[0], key)
