"""One address, one spelling."""

import pytest

from watchers.networks.ethereum.address import canonical, checksummed

# The vectors of EIP-55.
EIP_55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


@pytest.mark.parametrize("address", EIP_55)
def test_checksums_are_those_of_the_standard(address: str) -> None:
    """Lower case leads to the standard's spelling, and back."""
    assert checksummed(address.lower()) == address
    assert canonical(address) == address.lower()
    assert canonical(address.lower()) == address.lower()
    assert canonical("0x" + address[2:].upper()) == address.lower()


@pytest.mark.parametrize(
    "text",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed0",
        "5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaeg",
        "0x५aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed\n",
        "TLyqzVGLV1srkB7dToTAEqgDSfPtXRJZYH",
        "",
    ],
)
def test_anything_else_is_no_address(text: str) -> None:
    """A wrong checksum is a typing mistake, and other shapes are other networks' addresses."""
    with pytest.raises(ValueError, match="address"):
        canonical(text)
