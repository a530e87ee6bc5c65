"""Transactions in bytes: every version of the format, and bytes that are none."""

import struct
from base64 import b64encode

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction, VersionedTransaction

from tests.networks.solana.documents import OTHER, PAYER, POOL, SLOT, Tx, block, decoded
from watchers.network import Incomplete
from watchers.networks.solana.packed import Packed, unpacked

KEY = Keypair.from_seed(bytes(32))
KEYS = [str(KEY.pubkey()), POOL, OTHER]
PAY = transfer(
    TransferParams(from_pubkey=KEY.pubkey(), to_pubkey=Pubkey.from_string(POOL), lamports=9)
)
LEGACY = bytes(
    Transaction(
        [KEY], Message.new_with_blockhash([PAY], KEY.pubkey(), Hash.default()), Hash.default()
    )
)
V0 = bytes(
    VersionedTransaction(MessageV0.try_compile(KEY.pubkey(), [PAY], [], Hash.default()), [KEY])
)


def version_1(signatures: int = 1, *, mask: int = 0b111, keys: list[str] = KEYS) -> bytes:
    """Return a v1 transaction (SIMD-0385) with one instruction and signatures of 1s, 2s ..."""
    values = struct.pack("<QI", 7, 200_000) if mask else b""
    return b"".join(
        [
            bytes([0x81, signatures, 0, 1]),
            struct.pack("<I", mask),
            bytes(32),
            bytes([1, len(keys)]),
            *(bytes(Pubkey.from_string(key)) for key in keys),
            values,
            struct.pack("<BBH", 2, 2, 12),
            bytes([0, 1]) + bytes(12),
            *(bytes([n + 1]) * 64 for n in range(signatures)),
        ]
    )


def in_base64(raw: bytes) -> list[str]:
    """Return bytes as a node encodes them."""
    return [b64encode(raw).decode(), "base64"]


@pytest.mark.parametrize("raw", [LEGACY, V0], ids=["legacy", "v0"])
def test_signature_and_keys_are_those_that_solders_reads(raw: bytes) -> None:
    """A second parser agrees on both formats that it knows, in each encoding."""
    expected = VersionedTransaction.from_bytes(raw)
    for body in (in_base64(raw), [base58.b58encode(raw).decode(), "base58"]):
        found = unpacked(body)
        assert found.tx_hash == str(expected.signatures[0])
        assert found.keys() == [str(key) for key in expected.message.account_keys]
    assert unpacked(base58.b58encode(raw).decode()) == found


@pytest.mark.parametrize("signatures", [1, 2, 12])
@pytest.mark.parametrize("mask", [0, 0b111])
def test_version_1_ends_with_its_signatures(signatures: int, mask: int) -> None:
    """The first of them is the hash, whatever lies between keys and signatures."""
    found = unpacked(in_base64(version_1(signatures, mask=mask)))
    assert base58.b58decode(found.tx_hash) == bytes([1]) * 64
    assert found.keys() == KEYS


def test_case_67_a_block_with_a_version_1_transaction_in_bytes_is_read() -> None:
    """Its payment is found by balances, as in every other version."""
    document = block(Tx({PAYER: (100, 91), POOL: (0, 9), OTHER: (1, 1)}, version=1))
    document["transactions"][0]["transaction"] = in_base64(version_1())
    [seen] = decoded(document).transfers
    assert (seen.ordinal, seen.recipient, seen.units) == (1, POOL, 9)


TORN = {
    "nothing": b"",
    "no signature": b"\x00" + LEGACY[65:],
    "no signature in v1": version_1(0),
    "only a v1 header": version_1()[:41],
    "v1 without its signatures": version_1(60)[:400],
    "v1 with more keys than bytes": version_1()[:41] + b"\xff" + version_1()[42:],
    "cut in the signature": LEGACY[:30],
    "cut behind the signature": LEGACY[:65],
    "cut in the keys": LEGACY[:100],
    "a count without an end": b"\xff\xff\xff\xff" + LEGACY,
    "a version behind the signatures that is not 0": V0[:65] + b"\x85" + V0[66:],
}


@pytest.mark.parametrize("case", TORN)
def test_bytes_that_are_no_transaction_are_refused(case: str) -> None:
    """In words, and a block that holds them is incomplete."""
    with pytest.raises(ValueError, match=r"transaction|count|message version"):
        unpacked(in_base64(TORN[case]))
    document = block(Tx({PAYER: (100, 91), POOL: (0, 9)}))
    document["transactions"][0]["transaction"] = in_base64(TORN[case])
    with pytest.raises(Incomplete, match=str(SLOT)):
        decoded(document)


@pytest.mark.parametrize(
    "body", [["0OIl", "base58"], ["AAAA"], ["AAAA", "base64+zstd"], ["%%%", "base64"], "0"]
)
def test_other_encodings_are_refused(body: list[str] | str) -> None:
    """Text outside of its alphabet, and encodings that no node uses for transactions."""
    with pytest.raises(ValueError, match=r"."):
        unpacked(body)


@given(raw=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """A node cannot make the parser fail in another way."""
    try:
        found = unpacked(in_base64(raw))
    except ValueError:
        return
    assert len(found.keys()) == found.count


def outcome(body: list[str]) -> Packed | str:
    """Return what was read, or why not."""
    try:
        return unpacked(body)
    except ValueError as trouble:
        return str(trouble)


@given(zeros=st.integers(0, 40), raw=st.binary(max_size=200))
def test_base58_is_what_the_reference_library_writes(zeros: int, raw: bytes) -> None:
    """Leading zeros included."""
    whole = bytes(zeros) + raw
    assert outcome([base58.b58encode(whole).decode(), "base58"]) == outcome(in_base64(whole))
