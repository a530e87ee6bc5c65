"""EIP-1559 bytes are those of eth-account, and say what the intent says."""

import pytest
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes
from hypothesis import given, settings
from hypothesis import strategies as st

from keystore.networks import ethereum
from keystore.refusal import Refused
from tests.keystore.house import ethereum_intent

KEY = bytes.fromhex("46" * 32)
SENDER = Account.from_key(KEY).address.lower()
TOKEN = "0x" + "cd" * 20


def oracle(transaction: dict[str, object]) -> tuple[bytes, str]:
    """Sign the same transaction with eth-account."""
    signed = Account.sign_transaction({"type": 2, **transaction}, KEY)
    return bytes(signed.raw_transaction), "0x" + bytes(signed.hash).hex()


def test_a_native_payment_can_be_read_back() -> None:
    """Every field of the intent stands in the bytes, and the sender is recovered."""
    intent = ethereum_intent(nonce=7)

    signed = ethereum.draft(intent, SENDER).sign(KEY)

    fields = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
    assert bytes(fields["to"]).hex() == "ab" * 20
    assert (fields["value"], fields["nonce"], fields["chainId"]) == (10**18, 7, 31337)
    assert (fields["gas"], bytes(fields["data"])) == (21_000, b"")
    assert (fields["maxFeePerGas"], fields["maxPriorityFeePerGas"]) == (2 * 10**9, 10**9)
    assert Account.recover_transaction(signed.raw).lower() == SENDER


def test_a_token_payment_calls_transfer_and_sends_no_coin() -> None:
    """`transfer(to, units)` on the contract; the destination is in the call data alone."""
    intent = ethereum_intent(asset=TOKEN, units="1500000", gas_limit=90_000)

    signed = ethereum.draft(intent, SENDER).sign(KEY)

    fields = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
    assert bytes(fields["to"]).hex() == "cd" * 20
    assert fields["value"] == 0
    expected = "a9059cbb" + "ab" * 20
    assert bytes(fields["data"]).hex() == expected[:8] + f"{'ab' * 20:0>64}{1_500_000:064x}"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    units=st.integers(0, 2**256 - 1) | st.integers(0, 300),
    nonce=st.integers(0, 2**64 - 2) | st.integers(0, 300),
    fee=st.integers(0, 2**128 - 1) | st.integers(0, 300),
    gas=st.integers(21_000, 30_000_000),
    chain=st.integers(1, 2**53 - 1) | st.integers(1, 300),
    to=st.binary(min_size=20, max_size=20),
)
def test_bytes_equal_those_of_eth_account(
    *, units: int, nonce: int, fee: int, gas: int, chain: int, to: bytes
) -> None:
    """For any numbers: our own RLP and envelope are the reference's, bit for bit."""
    intent = ethereum_intent(
        units=str(units),
        nonce=nonce,
        max_fee_per_gas=str(fee),
        gas_limit=gas,
        max_priority_fee_per_gas=str(fee // 2),
        chain_id=chain,
        to="0x" + to.hex(),
    )

    signed = ethereum.draft(intent, SENDER).sign(KEY)

    assert (signed.raw, signed.tx_hash) == oracle(
        {
            "to": to,
            "value": units,
            "nonce": nonce,
            "maxFeePerGas": fee,
            "gas": gas,
            "maxPriorityFeePerGas": fee // 2,
            "chainId": chain,
        }
    )


def test_a_cancel_pays_nothing_to_its_sender_as_eth_account_would() -> None:
    """No value, no data, the same nonce: it only takes the place."""
    intent = ethereum_intent(to=SENDER, units="0", nonce=7)

    signed = ethereum.draft(intent, SENDER).sign(KEY)

    assert (signed.raw, signed.tx_hash) == oracle(
        {
            "to": bytes.fromhex(SENDER[2:]),
            "value": 0,
            "nonce": 7,
            "maxFeePerGas": 2 * 10**9,
            "gas": 21_000,
            "maxPriorityFeePerGas": 10**9,
            "chainId": 31337,
        }
    )


def test_an_address_has_one_spelling() -> None:
    """A checksummed address is the same payment as its lower-case form."""
    mixed = "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"

    normal = ethereum.normal(ethereum_intent(to=mixed))

    assert normal == ethereum_intent(to=mixed.lower())


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"to": "0x9858EfFD232B4033E47d90003D41EC34EcaEda95"}, "bad_destination", "to"),
        ({"to": "0x9858efFD232B4033E47d90003D41EC34EcaEda94"}, "bad_destination", "to"),
        ({"to": "0x" + "ab" * 19}, "bad_destination", "to"),
        ({"to": "ab" * 20}, "bad_destination", "to"),
        ({"to": "TUEZSdKsoDHQMeZwihtdoBiN46zxhGWYdH"}, "bad_destination", "to"),
        ({"to": "\uff10x" + "ab" * 20}, "bad_destination", "to"),
        ({"asset": "usdc"}, "bad_asset", "asset"),
        ({"units": "-1"}, "bad_field", "units"),
        ({"units": "1e18"}, "bad_field", "units"),
        ({"units": "01"}, "bad_field", "units"),
        ({"units": "1.0"}, "bad_field", "units"),
        ({"units": "\u0663"}, "bad_field", "units"),
        ({"units": ""}, "bad_field", "units"),
        ({"units": str(2**256)}, "bad_field", "units"),
        ({"nonce": -1}, "bad_field", "nonce"),
        ({"nonce": 2**64 - 1}, "bad_field", "nonce"),
        ({"gas_limit": 20_999}, "bad_field", "gas_limit"),
        ({"gas_limit": 30_000_001}, "bad_field", "gas_limit"),
        ({"chain_id": 0}, "bad_field", "chain_id"),
        ({"max_priority_fee_per_gas": "2000000001"}, "bad_field", "max_priority_fee_per_gas"),
        ({"max_fee_per_gas": "x"}, "bad_field", "max_fee_per_gas"),
    ],
)
def test_what_no_transaction_could_carry_is_refused(
    changes: dict[str, object], code: str, field: str
) -> None:
    """The code is stable and the sentence begins with the field."""
    with pytest.raises(Refused) as refused:
        ethereum.draft(ethereum.normal(ethereum_intent(**changes)), SENDER)

    assert refused.value.code == code
    assert refused.value.message.startswith(field + ":")


def test_the_slot_is_chain_sender_and_nonce() -> None:
    """Two payments with one nonce take the same slot whatever else they say."""
    first = ethereum.draft(ethereum_intent(), SENDER).slot
    second = ethereum.draft(ethereum_intent(withdrawal_id="wdr_2", units="5"), SENDER).slot

    assert first == second == f"ethereum:31337:{SENDER}:0"
    assert ethereum.draft(ethereum_intent(nonce=1), SENDER).slot != first
