"""Addresses: one stored spelling, and a reason for everything that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import base58
from gateway.domain.addresses import AddressError, canonical, display, is_nobody

# The examples of EIP-55 itself.
EIP_55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
TETHER = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
TETHER_HEX = "41a614f803b6fd780986a42c78ec9c7f77e6ded13c"
SOLANA = "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk"
SYSTEM_PROGRAM = "1" * 32
FAMILIES = ("ethereum", "tron", "solana")


def refused(family: str, text: str) -> str:
    """Return the code with which an address is refused."""
    with pytest.raises(AddressError) as fault:
        canonical(family, text)
    return fault.value.code


@pytest.mark.parametrize("address", EIP_55)
def test_ethereum_is_stored_small_and_shown_with_its_checksum(address: str) -> None:
    """All three spellings that carry no mistake are the same address."""
    stored = address.lower()
    spellings = (address, stored, "0x" + stored[2:].upper())
    assert {canonical("ethereum", text) for text in spellings} == {stored}
    assert display(stored) == address


@given(st.binary(min_size=20, max_size=20), st.integers(0, 39))
def test_one_letter_in_the_wrong_case_is_a_bad_checksum(raw: bytes, place: int) -> None:
    """That is what EIP-55 is for."""
    right = display("0x" + raw.hex())
    index = 2 + place
    wrong = right[:index] + right[index].swapcase() + right[index + 1 :]
    digits = wrong[2:]
    if wrong == right or digits in {digits.lower(), digits.upper()}:
        return
    assert refused("ethereum", wrong) == "bad_checksum"


def test_tron_takes_both_spellings_of_its_nodes() -> None:
    """Base58 is stored; hex with the 41 is what some nodes write."""
    assert canonical("tron", TETHER) == TETHER
    assert canonical("tron", TETHER_HEX) == TETHER
    assert display(TETHER) == TETHER


@given(st.sampled_from(range(1, 34)), st.sampled_from(base58.ALPHABET))
def test_one_other_letter_in_a_tron_address_is_a_bad_checksum(place: int, letter: str) -> None:
    """Four bytes of SHA-256 stand behind every address."""
    wrong = TETHER[:place] + letter + TETHER[place + 1 :]
    if wrong != TETHER:
        assert refused("tron", wrong) == "bad_checksum"


@given(st.binary(min_size=32, max_size=32))
def test_solana_is_any_32_bytes(key: bytes) -> None:
    """There is no checksum: the length is all that can be checked here."""
    text = base58.encode(key)
    assert canonical("solana", text) == text
    assert display(text) == text


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("ethereum", TETHER),
        ("ethereum", TETHER_HEX),
        ("ethereum", SOLANA),
        ("tron", EIP_55[0]),
        ("tron", SOLANA),
        ("solana", TETHER),
        ("solana", EIP_55[1]),
    ],
)
def test_an_address_of_another_network_is_named_as_such(family: str, text: str) -> None:
    """The payer has picked the wrong network in his wallet: the commonest way to lose money."""
    assert refused(family, text) == "wrong_network"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "text",
    [
        "", "0x", "0x" + "0" * 39, "0x" + "0" * 41, "0X" + "a" * 40, " " + EIP_55[0],
        EIP_55[0] + "\n", "T" + "0" * 33, "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "not an address",
        "vitalik.eth", "0x" + "g" * 40, "0x" + "\u0660" * 40, SOLANA + "1" * 40, "O" * 44,
    ],
)  # fmt: skip
def test_what_is_no_address_is_no_address(family: str, text: str) -> None:
    """Nothing is trimmed, padded or guessed."""
    assert refused(family, text) == "invalid_address"


@given(st.sampled_from(FAMILIES), st.text(max_size=70))
def test_any_text_is_an_address_or_refused(family: str, text: str) -> None:
    """Nothing but `AddressError` comes out, and a stored spelling stays what it is."""
    try:
        stored = canonical(family, text)
    except AddressError:
        return
    assert canonical(family, stored) == stored
    assert canonical(family, display(stored)) == stored


@given(st.binary(max_size=40))
def test_base58_comes_back(raw: bytes) -> None:
    """Leading zeros included."""
    assert base58.decode(base58.encode(raw)) == raw


def test_long_text_is_not_read_as_base58() -> None:
    """Reading is quadratic: a megabyte of letters must cost nothing."""
    with pytest.raises(ValueError, match="too long"):
        base58.decode("1" * 89)


@pytest.mark.parametrize(
    "address", ["0x" + "0" * 40, "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb", SYSTEM_PROGRAM]
)
def test_all_zeros_belong_to_nobody(address: str) -> None:
    """Well-formed in every family, and the end of what is sent there."""
    assert is_nobody(address)


@pytest.mark.parametrize("address", ["0x" + "0" * 39 + "1", TETHER, SOLANA])
def test_every_other_address_may_have_an_owner(address: str) -> None:
    """Zeros at one end only are a vanity address."""
    assert not is_nobody(address)
