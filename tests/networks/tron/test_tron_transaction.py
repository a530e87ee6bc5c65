"""Signed Tron bytes read back, judged by tronpy's codec and by recorded mainnet transactions."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tronpy.keys import PrivateKey
from tronpy.proto import tron_pb2
from tronpy.proto.transaction import _raw_data_to_protobuf

from tests.networks.tron.documents import POOL, TOKEN, address
from watchers.network import NATIVE
from watchers.networks.tron.address import canonical, from_base58
from watchers.networks.tron.protobuf import read_message
from watchers.networks.tron.transaction import decode_signed, transfer_words
from watchers.networks.tron.writer import TronWriter
from watchers.rpc import Endpoints

RECORDED = (
    Path(__file__).resolve().parents[4]
    / "shared/fixtures/tron/untron/78115149.gettransactionbyid_list.json"
)
KEY = PrivateKey(bytes.fromhex("42" * 32))
OWNER = KEY.public_key.to_base58check_address()
BLOCK_ID = "0000000004034f5cd8946001c721db6457608ad887b3734c825d55826c3c3c87"
NOW_MS = 1_732_627_338_000
SELECTOR = "a9059cbb"
PLAIN_FIELDS = {
    *("contract", "ref_block_bytes", "ref_block_hash", "expiration", "timestamp", "fee_limit")
}


def intent(asset: str = NATIVE, to: str = POOL, units: int = 5, **other: Any) -> dict[str, Any]:
    """Return a wire intent."""
    return {
        "family": "tron",
        "withdrawal_id": "wdr_1",
        "network": "tron",
        "asset": asset,
        "to": to,
        "units": str(units),
        "ref_block_id": BLOCK_ID,
        "expiration_ms": NOW_MS + 3_600_000,
        "timestamp_ms": NOW_MS,
        "fee_limit": 0 if asset == NATIVE else 7_700_000,
        **other,
    }


def raw_data(wanted: dict[str, Any]) -> Any:
    """Return tronpy's own protobuf message for the intent."""
    native = wanted["asset"] == NATIVE
    value: dict[str, Any] = {"owner_address": OWNER}
    if native:
        value |= {"to_address": wanted["to"], "amount": int(wanted["units"])}
    else:
        data = SELECTOR + transfer_words(wanted["to"], int(wanted["units"]))
        value |= {"contract_address": wanted["asset"], "data": data}
    kind = "TransferContract" if native else "TriggerSmartContract"
    url = f"type.googleapis.com/protocol.{kind}"
    return _raw_data_to_protobuf(
        {
            "ref_block_bytes": wanted["ref_block_id"][12:16],
            "ref_block_hash": wanted["ref_block_id"][16:32],
            "expiration": wanted["expiration_ms"],
            "timestamp": wanted["timestamp_ms"],
            "fee_limit": wanted["fee_limit"],
            "contract": [{"type": kind, "parameter": {"type_url": url, "value": value}}],
        }
    )


def signed(message: Any, key: PrivateKey = KEY) -> bytes:
    """Sign with tronpy and serialize the whole transaction."""
    body = message.SerializeToString()
    signature = bytes.fromhex(key.sign_msg_hash(sha256(body).digest()).hex())
    whole: bytes = tron_pb2.Transaction(
        raw_data=message, signature=[signature]
    ).SerializeToString()
    return whole


def hands() -> TronWriter:
    """Return a writer that is never asked to speak to a node."""
    return TronWriter(Endpoints(["http://127.0.0.1:1"]), "tron", lambda: NOW_MS)


@pytest.mark.parametrize("asset", [NATIVE, TOKEN], ids=["native", "token"])
def test_bytes_that_tronpy_signed_verify(asset: str) -> None:
    """The transaction id is that of tronpy's bytes, payer and signer are the key's address."""
    wanted = intent(asset)
    message = raw_data(wanted)
    raw = signed(message)
    expected = sha256(message.SerializeToString()).hexdigest()
    assert hands().verify(wanted, raw) == expected
    seen = decode_signed(raw)
    assert (seen.owner, seen.signer, seen.asset, seen.to, seen.units) == (
        OWNER,
        OWNER,
        asset,
        POOL,
        5,
    )


@settings(max_examples=40, deadline=None)
@given(
    units=st.integers(1, 2**256 - 1),
    seed=st.text(max_size=8),
    block=st.binary(min_size=32, max_size=32),
    fee_limit=st.integers(1, 15_000_000_000),
    native=st.booleans(),
)
def test_any_payment_verifies(
    units: int, seed: str, block: bytes, fee_limit: int, *, native: bool
) -> None:
    """Amounts of any size, any recipient, any reference block."""
    wanted = intent(
        NATIVE if native else TOKEN,
        address(seed),
        units % (2**63 - 1) + 1 if native else units,
        ref_block_id=block.hex(),
        fee_limit=0 if native else fee_limit,
    )
    assert hands().verify(wanted, signed(raw_data(wanted)))


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("asset", NATIVE),
        ("asset", address("other token")),
        ("to", address("thief")),
        ("units", "6"),
        ("ref_block_id", BLOCK_ID[:14] + "00" + BLOCK_ID[16:]),
        ("ref_block_id", BLOCK_ID[:20] + "00" + BLOCK_ID[22:]),
        ("ref_block_id", "zz" * 32),
        ("ref_block_id", BLOCK_ID[:-2]),
        ("expiration_ms", NOW_MS + 3_600_001),
        ("timestamp_ms", NOW_MS + 1),
        ("fee_limit", 7_700_001),
        ("fee_limit", 0),
    ],
)
def test_a_field_that_differs_is_named(field: str, other: object) -> None:
    """Every fact of the intent is compared with the bytes."""
    wanted = intent(TOKEN)
    raw = signed(raw_data(wanted))
    with pytest.raises(ValueError, match=field):
        hands().verify({**wanted, field: other}, raw)


@pytest.mark.parametrize("wrong", [{}, intent() | {"units": 5}, intent() | {"memo": "x"}])
def test_an_intent_of_another_shape_is_named(wrong: dict[str, Any]) -> None:
    """The wire schema is closed here too."""
    with pytest.raises(ValueError, match="intent"):
        hands().verify(wrong, signed(raw_data(intent())))


def test_a_signature_of_another_key_is_refused() -> None:
    """The account that pays must be the one that signed."""
    stranger = PrivateKey(bytes.fromhex("43" * 32))
    with pytest.raises(ValueError, match="owner"):
        hands().verify(intent(), signed(raw_data(intent()), stranger))


def _memo(message: Any) -> None:
    message.data = b"hello"


def _scripts(message: Any) -> None:
    message.scripts = b"x"


def _ref_block_num(message: Any) -> None:
    message.ref_block_num = 1


def _auths(message: Any) -> None:
    message.auths.add().permission_name = b"x"


def _permission(message: Any) -> None:
    message.contract[0].Permission_id = 2


def _provider(message: Any) -> None:
    message.contract[0].provider = b"x"


def _contract_name(message: Any) -> None:
    message.contract[0].ContractName = b"x"


def _second_contract(message: Any) -> None:
    message.contract.add().CopyFrom(message.contract[0])


def _no_contract(message: Any) -> None:
    del message.contract[:]


def _other_type(message: Any) -> None:
    message.contract[0].type = 57


def _crossed_type(message: Any) -> None:
    message.contract[0].type = 1


def _other_url(message: Any) -> None:
    message.contract[0].parameter.type_url += "X"


def _parameter(change: Callable[[Any], None]) -> Callable[[Any], None]:
    def apply(message: Any) -> None:
        inner = tron_pb2.TriggerSmartContract()
        inner.ParseFromString(message.contract[0].parameter.value)
        change(inner)
        message.contract[0].parameter.value = inner.SerializeToString()

    return apply


def _call_value(inner: Any) -> None:
    inner.call_value = 1


def _token_value(inner: Any) -> None:
    inner.call_token_value, inner.token_id = 1, 1_004_777


def _approve(inner: Any) -> None:
    inner.data = bytes.fromhex("095ea7b3") + inner.data[4:]


def _longer_data(inner: Any) -> None:
    inner.data += b"\0" * 32


def _dirty_recipient(inner: Any) -> None:
    inner.data = inner.data[:4] + b"\x41" + inner.data[5:]


def _no_owner(inner: Any) -> None:
    inner.owner_address = b""


def _short_contract(inner: Any) -> None:
    inner.contract_address = inner.contract_address[:-1]


@pytest.mark.parametrize(
    "change",
    [
        _memo,
        _scripts,
        _ref_block_num,
        _auths,
        _permission,
        _provider,
        _contract_name,
        _second_contract,
        _no_contract,
        _other_type,
        _crossed_type,
        _other_url,
        _parameter(_call_value),
        _parameter(_token_value),
        _parameter(_approve),
        _parameter(_longer_data),
        _parameter(_dirty_recipient),
        _parameter(_no_owner),
        _parameter(_short_contract),
    ],
)
def test_anything_beyond_one_plain_payment_is_refused(change: Callable[[Any], None]) -> None:
    """Well signed by the right key, but more, less or other than one transfer."""
    message = raw_data(intent(TOKEN))
    change(message)
    with pytest.raises(ValueError, match=r".+"):
        decode_signed(signed(message))


def test_a_second_signature_a_result_and_no_signature_are_refused() -> None:
    """The envelope holds raw data and one signature of 65 bytes."""
    raw = signed(raw_data(intent()))
    whole = tron_pb2.Transaction()
    whole.ParseFromString(raw)
    proof = whole.signature[0]
    with pytest.raises(ValueError, match="field 5"):
        decode_signed(raw + bytes.fromhex("2a021801"))
    for signatures in (
        [proof, proof],
        [],
        [proof[:-1]],
        [proof[:64] + b"\x05"],
        [b"\xff" * 65],
    ):
        altered = tron_pb2.Transaction(raw_data=whole.raw_data, signature=signatures)
        with pytest.raises(ValueError, match="signature"):
            decode_signed(altered.SerializeToString())


@pytest.mark.parametrize(
    "body",
    ["0805", "080508", "08", "0880", "088000", "08808000", "0800", "1200", "1205aa", "100112",
     "0801080", "12010108010", "08ffffffffffffffffff7f", "0aff"],
)  # fmt: skip
def test_only_one_spelling_of_a_message_is_read(body: str) -> None:
    """Field 1 a number, field 2 bytes: everything but the first case is refused."""
    octets = bytes.fromhex(body if len(body) % 2 == 0 else body + "1")
    if body == "0805":
        assert read_message("m", octets, {1: "n"}, {2: "b"}) == ({"n": 5}, {})
        return
    with pytest.raises(ValueError, match="m: "):
        read_message("m", octets, {1: "n"}, {2: "b"})


@given(st.binary(max_size=200))
def test_noise_is_refused_not_crashed_on(noise: bytes) -> None:
    """Random bytes never become a payment and never another error than `ValueError`."""
    with pytest.raises(ValueError, match=r".+"):
        decode_signed(noise)


def test_recorded_mainnet_transfers_read_back() -> None:
    """Token transfers of mainnet block 78115149: id, signer and amount are the chain's."""
    if not RECORDED.exists():
        pytest.skip(f"recorded transactions are not there: {RECORDED}")
    read = own = 0
    for each in json.loads(RECORDED.read_bytes()):
        contract = each["raw_data"]["contract"][0]
        value = contract["parameter"]["value"]
        plain = (
            "Permission_id" not in contract
            and set(each["raw_data"]) <= PLAIN_FIELDS
            and len(value["data"]) == 136
        )
        if not plain or not value["data"].startswith(SELECTOR + "0" * 24):
            continue
        raw = _envelope(
            bytes.fromhex(each["raw_data_hex"]), bytes.fromhex(each["signature"][0])
        )
        seen = decode_signed(raw)
        assert seen.tx_hash == each["txID"]
        assert seen.owner == canonical(value["owner_address"])
        own += seen.signer == seen.owner
        assert seen.asset == canonical(value["contract_address"])
        assert from_base58(seen.to)[1:].hex() == value["data"][32:72]
        assert seen.units == int(value["data"][72:], 16)
        assert seen.fee_limit == each["raw_data"].get("fee_limit", 0)
        read += 1
    assert own > read * 9 // 10 > 10, "an account may have given its permission away"


def _envelope(body: bytes, signature: bytes) -> bytes:
    """Serialize a transaction of at most 16383 bytes of raw data by hand."""
    size = len(body)
    length = bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])
    return b"\x0a" + length + body + b"\x12" + bytes([len(signature)]) + signature
