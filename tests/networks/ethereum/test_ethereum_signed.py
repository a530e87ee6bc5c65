"""Signed bytes read back: what the keystore or any other signer made, and what forgers make."""

from typing import Any

import pytest
import rlp
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks.ethereum.rig import HOT_ADDRESS, HOT_KEY, sign
from watchers.networks.ethereum.address import checksummed
from watchers.networks.ethereum.signed import decode_signed, verify_signed

PAYEE = "0x" + "aa" * 20
TOKEN = "0x" + "70" * 20
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def intent(**changes: Any) -> dict[str, Any]:
    """Return a token payment as the keystore takes it."""
    return {
        "family": "ethereum",
        "withdrawal_id": "wdr_1",
        "network": "ethereum",
        "asset": TOKEN,
        "to": PAYEE,
        "units": "12345",
        "chain_id": 1,
        "nonce": 7,
        "gas_limit": 60_000,
        "max_fee_per_gas": "2000000000",
        "max_priority_fee_per_gas": "100000000",
    } | changes


def native(**changes: Any) -> dict[str, Any]:
    """Return a payment of the chain's own coin."""
    return intent(asset="native", gas_limit=21_000, **changes)


def foreign(**fields: Any) -> bytes:
    """Return bytes that eth-account signed: a transaction of our fields, but for `fields`."""
    transaction = {
        "type": 2,
        "chainId": 1,
        "nonce": 7,
        "maxPriorityFeePerGas": 100_000_000,
        "maxFeePerGas": 2_000_000_000,
        "gas": 21_000,
        "to": checksummed(PAYEE),
        "value": 12_345,
        "data": b"",
    } | fields
    return bytes(Account.sign_transaction(transaction, HOT_KEY).raw_transaction)


def rebuilt(raw: bytes, **fields: Any) -> bytes:
    """Return the transaction with raw RLP fields exchanged by position (`f9=...`)."""
    parts = rlp.decode(raw[1:])
    for name, value in fields.items():
        parts[int(name[1:])] = value
    return raw[:1] + bytes(rlp.encode(parts))


@settings(max_examples=60, deadline=None)
@given(
    units=st.integers(0, 2**256 - 1),
    nonce=st.integers(0, 2**53),
    chain_id=st.integers(1, 2**53 - 1),
    asset=st.sampled_from(["native", TOKEN]),
    to=st.binary(min_size=20, max_size=20),
)
def test_what_the_keystore_signs_reads_back_whole(
    units: int, nonce: int, chain_id: int, asset: str, to: bytes
) -> None:
    """Every field returns, with the hash and sender that eth-account computes."""
    said = intent(
        units=str(units), nonce=nonce, chain_id=chain_id, asset=asset, to="0x" + to.hex()
    )
    raw = sign(said)
    sent = verify_signed(said, raw)
    assert (sent.sender, sent.nonce, sent.chain_id) == (HOT_ADDRESS, nonce, chain_id)
    assert sent.sender == Account.recover_transaction(raw).lower()


def test_another_signer_makes_the_same_bytes_count() -> None:
    """eth-account's transaction passes: what counts is what the bytes say."""
    raw = foreign()
    expected = Account.sign_transaction(
        {
            "type": 2,
            "chainId": 1,
            "nonce": 7,
            "maxPriorityFeePerGas": 100_000_000,
            "maxFeePerGas": 2_000_000_000,
            "gas": 21_000,
            "to": checksummed(PAYEE),
            "value": 12_345,
        },
        HOT_KEY,
    )
    assert verify_signed(native(), raw).tx_hash == "0x" + expected.hash.hex().removeprefix("0x")


def test_a_checksummed_destination_is_the_same_destination() -> None:
    """Spelling is no difference."""
    assert verify_signed(native(to=checksummed(PAYEE)), foreign())


@pytest.mark.parametrize(
    ("field", "forged"),
    [
        ("to", foreign(to=checksummed("0x" + "ab" * 20))),
        ("units", foreign(value=12_346)),
        ("chain_id", foreign(chainId=5)),
        ("nonce", foreign(nonce=8)),
        ("gas_limit", foreign(gas=21_001)),
        ("max_fee_per_gas", foreign(maxFeePerGas=2_000_000_001)),
        ("max_priority_fee_per_gas", foreign(maxPriorityFeePerGas=1)),
        ("asset", foreign(data=b"\x01")),
        ("asset", foreign(data=bytes.fromhex("095ea7b3") + bytes(64))),
        ("raw", foreign(accessList=[{"address": PAYEE, "storageKeys": []}])),
    ],
)
def test_each_forged_field_is_named(field: str, forged: bytes) -> None:
    """A transaction that says anything else is refused by the name of what differs."""
    with pytest.raises(ValueError, match=field):
        verify_signed(native(), forged)


def test_a_token_payment_that_also_sends_coins_is_refused() -> None:
    """The calldata may be right and the value still robs the wallet."""
    raw = sign(intent())
    data = rlp.decode(raw[1:])[7]
    with pytest.raises(ValueError, match="units"):
        verify_signed(intent(), foreign(to=checksummed(TOKEN), value=1, gas=60_000, data=data))


def test_calldata_with_a_longer_recipient_or_a_tail_is_refused() -> None:
    """Only the 68 bytes of a transfer are a transfer."""
    raw = sign(intent())
    data = rlp.decode(raw[1:])[7]
    for forged in (data + b"\0", data[:4] + b"\1" + data[5:], data[:-1]):
        bytes_ = foreign(to=checksummed(TOKEN), value=0, gas=60_000, data=forged)
        with pytest.raises(ValueError, match="asset"):
            verify_signed(intent(), bytes_)


@pytest.mark.parametrize(
    "forged",
    [
        b"\x01" + foreign()[1:],
        b"\x02",
        b"\x02\xc0",
        b"\x02\x80",
        rebuilt(foreign(), f5=b""),
        rebuilt(foreign(), f5=b"\xaa" * 21),
        rebuilt(foreign(), f5=[]),
        rebuilt(foreign(), f7=[]),
        rebuilt(foreign(), f6=b"\x00\x01"),
        rebuilt(foreign(), f1=[]),
        rebuilt(foreign(), f9=b"\x02"),
        rebuilt(foreign(), f10=b""),
        rebuilt(foreign(), f10=b"\xff" * 32),
        rebuilt(foreign(), f10=b"\x01" * 33),
    ],
)
def test_bytes_in_another_form_are_no_transaction(forged: bytes) -> None:
    """Another type, count or encoding of fields, or a signature of nobody."""
    with pytest.raises(ValueError, match=r"raw|to|signature"):
        decode_signed(forged)


def test_bytes_behind_the_transaction_or_more_fields_are_refused() -> None:
    """The hash covers all bytes: two spellings would be two hashes of one payment."""
    with pytest.raises(ValueError, match="raw"):
        decode_signed(foreign() + b"\0")
    fields = rlp.decode(foreign()[1:])
    for count in (fields[:9], [*fields, b""]):
        with pytest.raises(ValueError, match="twelve"):
            decode_signed(b"\x02" + rlp.encode(count))


def test_the_mirrored_signature_is_refused() -> None:
    """The chain accepts one of the two signatures that a key makes (EIP-2)."""
    parity, s = (int.from_bytes(part, "big") for part in rlp.decode(foreign()[1:])[9::2])
    mirrored = rebuilt(
        foreign(),
        f9=b"" if parity else b"\x01",
        f11=(ORDER - s).to_bytes(32, "big").lstrip(b"\0"),
    )
    with pytest.raises(ValueError, match="signature"):
        decode_signed(mirrored)
