"""Tron addresses: three spellings, one form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tronpy import keys

from watchers.networks.tron.address import canonical, from_base58, spellings, to_base58, to_hex

USDT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
USDT_HEX = "41a614f803b6fd780986a42c78ec9c7f77e6ded13c"


def test_a_known_contract_reads_and_writes() -> None:
    """The best known address of the network in all its spellings."""
    assert to_hex(USDT) == USDT_HEX
    assert spellings(USDT) == (USDT, USDT_HEX, USDT_HEX[2:])
    assert {canonical(spelling) for spelling in spellings(USDT)} == {USDT}


@given(st.binary(min_size=20, max_size=20))
def test_any_address_survives_the_round_trip_and_agrees_with_tronpy(body: bytes) -> None:
    """Another implementation writes the same text."""
    text = to_base58(b"\x41" + body)
    assert len(text) == 34
    assert from_base58(text) == b"\x41" + body
    assert text == keys.to_base58check_address(b"\x41" + body)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        USDT[:-1],
        USDT[:-1] + "u",
        USDT + "1",
        USDT.lower(),
        "0" + USDT[1:],
        "z" * 34,
        "1" * 34,
        "\u0b66" * 34,
        USDT_HEX[:-1],
        "42" + USDT_HEX[2:],
        "0x" + USDT_HEX[2:],
        "x" * 40,
    ],
)
def test_anything_else_is_refused(wrong: str) -> None:
    """Wrong length, digit, prefix or checksum is no address."""
    with pytest.raises(ValueError):  # noqa: PT011 - the text differs by what is wrong
        canonical(wrong)
