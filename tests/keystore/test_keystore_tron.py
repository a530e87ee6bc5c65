"""Tron bytes are read back by java-tron's protobuf schema, as tronpy ships it."""

import hashlib

import pytest
from bip_utils import TrxAddrEncoder
from coincurve import PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from tronpy.keys import PrivateKey, to_base58check_address
from tronpy.proto import tron_pb2

from devnet.tron import transaction as emulated
from devnet.tron.messages import TRON
from keystore import api
from keystore.networks import tron, tron_resource
from keystore.refusal import Refused
from tests.keystore.house import tron_intent

KEY = bytes.fromhex("47" * 32)
SENDER = PrivateKey(KEY).public_key.to_base58check_address()
TOKEN = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
PAYEE = "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8"


def read(raw: bytes) -> tuple[tron_pb2.Transaction, tron_pb2.Contract]:
    """Parse a transaction and return it with its only contract."""
    transaction = tron_pb2.Transaction.FromString(raw)
    (contract,) = transaction.raw_data.contract
    return transaction, contract


def test_a_native_payment_can_be_read_back() -> None:
    """Owner, payee, amount, reference block and times stand where the chain looks for them."""
    intent = tron_intent()

    signed = tron.draft(intent, SENDER).sign(KEY)

    transaction, contract = read(signed.raw)
    body = tron_pb2.TransferContract.FromString(contract.parameter.value)
    assert contract.type == 1
    assert contract.parameter.type_url == "type.googleapis.com/protocol.TransferContract"
    assert to_base58check_address(body.owner_address) == SENDER
    assert to_base58check_address(body.to_address) == PAYEE
    assert body.amount == 1_000_000
    block = bytes.fromhex(intent.ref_block_id)
    assert transaction.raw_data.ref_block_bytes == block[6:8] == b"\x04\xd2"
    assert transaction.raw_data.ref_block_hash == block[8:16]
    assert transaction.raw_data.expiration == intent.expiration_ms
    assert transaction.raw_data.timestamp == intent.timestamp_ms
    assert transaction.raw_data.fee_limit == 0


def test_the_signature_belongs_to_the_sender_and_the_hash_is_ours() -> None:
    """The id is SHA-256 of raw_data; the key recovered from the signature is the sender's."""
    signed = tron.draft(tron_intent(), SENDER).sign(KEY)

    transaction, _ = read(signed.raw)
    digest = hashlib.sha256(transaction.raw_data.SerializeToString()).digest()
    (signature,) = transaction.signature
    compact = signature[:64] + bytes([signature[64] - 27])
    key = PublicKey.from_signature_and_message(compact, digest, hasher=None)
    assert signed.tx_hash == digest.hex()
    assert len(signature) == 65
    assert TrxAddrEncoder.EncodeKey(key.format()) == SENDER


def test_a_token_payment_calls_transfer_with_its_fee_limit() -> None:
    """TriggerSmartContract on the token, no TRX along with it."""
    intent = tron_intent(asset=TOKEN, units="2500000", fee_limit=30_000_000)

    signed = tron.draft(intent, SENDER).sign(KEY)

    transaction, contract = read(signed.raw)
    body = tron_pb2.TriggerSmartContract.FromString(contract.parameter.value)
    payee = tron.address(PAYEE, "to")[1:].hex()
    assert contract.type == 31
    assert to_base58check_address(body.contract_address) == TOKEN
    assert body.data.hex() == f"a9059cbb{payee:0>64}{2_500_000:064x}"
    assert (body.call_value, body.call_token_value) == (0, 0)
    assert transaction.raw_data.fee_limit == 30_000_000


@pytest.mark.parametrize("resource", ["BANDWIDTH", "ENERGY"])
@pytest.mark.parametrize(
    ("action", "number", "name"),
    [
        ("stake", 54, "FreezeBalanceV2Contract"),
        ("delegate", 57, "DelegateResourceContract"),
        ("undelegate", 58, "UnDelegateResourceContract"),
    ],
)
def test_stake_and_loans_can_be_read_back(
    action: str, number: int, name: str, resource: str
) -> None:
    """Envelope and type by tronpy's schema, the contract by the emulator's field table."""
    sound = tron_intent()
    intent = api.TronResourceIntent(
        withdrawal_id="wdr_1",
        network="tron",
        action=action,  # type: ignore[arg-type]
        resource=resource,  # type: ignore[arg-type]
        to="" if action == "stake" else PAYEE,
        pool_index=None if action == "stake" else 3,
        units="5000000",
        ref_block_id=sound.ref_block_id,
        expiration_ms=sound.expiration_ms,
        timestamp_ms=sound.timestamp_ms,
    )

    signed = tron_resource.draft(intent, SENDER).sign(KEY)

    transaction, contract = read(signed.raw)
    kinds = tron_pb2.Transaction.Contract.ContractType
    assert (contract.type, kinds.Name(contract.type)) == (number, name)
    assert contract.parameter.type_url == f"type.googleapis.com/protocol.{name}"
    body = TRON.decode(name, contract.parameter.value)
    amount = "frozen_balance" if action == "stake" else "balance"
    assert TRON.encode(name, body) == contract.parameter.value
    assert to_base58check_address(body.pop("owner_address")) == SENDER
    assert body.pop(amount) == 5_000_000
    assert body.pop("resource", 0) == ("BANDWIDTH", "ENERGY").index(resource)
    if action != "stake":
        assert to_base58check_address(body.pop("receiver_address")) == PAYEE
    assert body == {}
    raw = transaction.raw_data.SerializeToString()
    whole = emulated.read(raw, tuple(transaction.signature))
    assert to_base58check_address(emulated.signer(whole, whole.signatures[0])) == SENDER
    assert (transaction.raw_data.fee_limit, whole.id) == (0, signed.tx_hash)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    units=st.integers(1, 2**63 - 1) | st.integers(1, 300),
    made=st.integers(1, 2**53) | st.integers(1, 300),
    life=st.integers(1, 86_400_000),
    block=st.binary(min_size=32, max_size=32),
)
def test_the_encoder_writes_what_protobuf_writes(
    units: int, made: int, life: int, block: bytes
) -> None:
    """Parsing and serialising again gives the same bytes for any numbers."""
    intent = tron_intent(
        units=str(units),
        timestamp_ms=made,
        expiration_ms=made + life,
        ref_block_id=block.hex(),
    )

    raw = tron.draft(intent, SENDER).sign(KEY).raw

    transaction, contract = read(raw)
    body = tron_pb2.TransferContract.FromString(contract.parameter.value)
    assert transaction.SerializeToString() == raw
    assert body.SerializeToString() == contract.parameter.value
    assert (body.amount, transaction.raw_data.timestamp) == (units, made)
    assert transaction.raw_data.expiration == made + life


def test_two_withdrawals_cannot_share_one_transaction() -> None:
    """Equal bytes are one payment, so they are one slot."""
    first = tron.draft(tron_intent(), SENDER)
    twin = tron.draft(tron_intent(withdrawal_id="wdr_2"), SENDER)
    later = tron.draft(tron_intent(timestamp_ms=1_700_000_000_001), SENDER)

    assert first.slot == twin.slot == "tron:" + first.sign(KEY).tx_hash
    assert later.slot != first.slot


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"to": "TJRabPrwbZy45sbavfcjinPJC18kjpRTv9"}, "bad_destination", "to"),
        ({"to": "41" + "ab" * 20}, "bad_destination", "to"),
        ({"to": "0x" + "ab" * 20}, "bad_destination", "to"),
        ({"to": "T" * 60_000}, "bad_destination", "to"),
        # A right checksum over prefixes 0x40 and 0x42, which also print as T.
        ({"to": "T9yD14Nj9j7xAB4dbGeiX9h8unkKB9nv2z"}, "bad_destination", "to"),
        ({"to": "TZJozAg1ruapycCicgz31GxvYJ1G1qELV7"}, "bad_destination", "to"),
        ({"to": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"}, "bad_destination", "to"),
        ({"asset": "USDT", "fee_limit": 1}, "bad_asset", "asset"),
        ({"units": str(2**63)}, "bad_field", "units"),
        ({"asset": TOKEN}, "bad_field", "fee_limit"),
        ({"asset": TOKEN, "fee_limit": 15_000_000_001}, "bad_field", "fee_limit"),
        ({"fee_limit": 1}, "bad_field", "fee_limit"),
        ({"ref_block_id": "00" * 31}, "bad_field", "ref_block_id"),
        ({"ref_block_id": "AB" * 32}, "bad_field", "ref_block_id"),
        ({"timestamp_ms": 0}, "bad_field", "timestamp_ms"),
        ({"expiration_ms": 1_700_000_000_000}, "bad_field", "expiration_ms"),
        ({"expiration_ms": 1_800_086_400_001}, "bad_field", "expiration_ms"),
    ],
)
def test_what_no_transaction_could_carry_is_refused(
    changes: dict[str, object], code: str, field: str
) -> None:
    """The code is stable and the sentence begins with the field."""
    with pytest.raises(Refused) as refused:
        tron.draft(tron_intent(**changes), SENDER)

    assert refused.value.code == code
    assert refused.value.message.startswith(field + ":")
