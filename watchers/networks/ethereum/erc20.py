"""The three shapes of ERC-20 that money passes through: log, transfer call, balance call."""

from collections.abc import Iterable, Sequence

from eth_utils.crypto import keccak

from watchers.networks.ethereum.wire import amount

TRANSFER_TOPIC = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
TRANSFER_SELECTOR = keccak(text="transfer(address,uint256)")[:4]
BALANCE_SELECTOR = keccak(text="balanceOf(address)")[:4]

TRANSFER_TOPICS = 3
"""ERC-20 has topic, from and to; a fourth topic is an ERC-721 token id."""
WORD_HEX = 66
"""Length of one 32-byte word in hex with its `0x`."""
NO_UNITS = "0x" + "00" * 32
ADDRESS_PADDING = "0x" + "00" * 12
PADDING_HEX = len(ADDRESS_PADDING)
TRANSFER_CALL_BYTES = 4 + 32 + 32


def transfer_call(to: str, units: int) -> bytes:
    """Return the calldata of `transfer(to, units)`."""
    return TRANSFER_SELECTOR + _word(to) + units.to_bytes(32, "big")


def balance_call(owner: str) -> bytes:
    """Return the calldata of `balanceOf(owner)`."""
    return BALANCE_SELECTOR + _word(owner)


def parsed_transfer_call(data: bytes) -> tuple[str, int]:
    """Return recipient and units of exact `transfer` calldata; `ValueError` for anything else."""
    if len(data) != TRANSFER_CALL_BYTES or data[:4] != TRANSFER_SELECTOR:
        raise ValueError("not the calldata of a token transfer")
    if any(data[4:16]):
        raise ValueError("the recipient of the token transfer is longer than an address")
    return "0x" + data[16:36].hex(), int.from_bytes(data[36:], "big")


def transfer_in(topics: Sequence[str], data: str) -> tuple[str, str, int] | None:
    """Return sender, recipient and units of a Transfer log; None for any other log.

    Exactly three topics, a recipient padded to a word and one word of data above zero. An
    unusual sender is empty. `ValueError` where the amount is no hex.
    """
    # Zero first: most transfers of some tokens are nothing but bait (address poisoning).
    if data == NO_UNITS or len(data) != WORD_HEX or len(topics) != TRANSFER_TOPICS:
        return None
    kind, sender, recipient = topics
    if kind != TRANSFER_TOPIC and kind.lower() != TRANSFER_TOPIC:
        return None
    if len(recipient) != WORD_HEX or not recipient.startswith(ADDRESS_PADDING):
        return None
    units = amount(data)
    payer = address_in_topic(sender) or ""
    return (payer, "0x" + recipient[PADDING_HEX:].lower(), units) if units else None


def recipients_in(
    many: Iterable[Sequence[str]], places: Iterable[int]
) -> list[tuple[str, int]]:
    """Return the recipients that the topics of Transfer logs name, each with its log's place.

    As they are spelled. In one expression: a call for each log takes twice as long.
    """
    return [
        ("0x" + recipient[PADDING_HEX:], place)
        for topics, place in zip(many, places, strict=True)
        if len(topics) == TRANSFER_TOPICS
        and ((kind := topics[0]) == TRANSFER_TOPIC or kind.lower() == TRANSFER_TOPIC)
        and len(recipient := topics[2]) == WORD_HEX
        and recipient.startswith(ADDRESS_PADDING)
    ]


def address_in_topic(topic: str) -> str | None:
    """Return the lower-case address in an indexed topic; None where it is no padded address."""
    if len(topic) != WORD_HEX or not topic.startswith(ADDRESS_PADDING):
        return None
    return "0x" + topic[PADDING_HEX:].lower()


def _word(address: str) -> bytes:
    return bytes.fromhex(address[2:]).rjust(32, b"\0")
