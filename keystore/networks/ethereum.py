"""Ethereum and other EVM chains: EIP-1559 payments of the native coin or an ERC-20 token.

The transaction is `0x02 || rlp([chain_id, nonce, tip, max_fee, gas, to, value, data, [] ])`
with `y_parity, r, s` appended (EIP-1559, EIP-2718). Tests read it back with eth-account.
"""

import re

import msgspec
from bip_utils import EthAddrDecoder
from sha3 import keccak_256

from keystore.intents import EthereumIntent
from keystore.networks.scheme import Key, SignedBytes, whole, within
from keystore.networks.secp256k1 import recoverable
from keystore.refusal import Refused

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_TRANSFER = bytes.fromhex("a9059cbb")
"""Selector of `transfer(address,uint256)`."""
_TYPE = b"\x02"
_PAYMENT = ("asset", "to", "units", "gas_limit", "pool_index")
"""What a cancel does not take over from the payment in whose place it stands."""
GAS_MAX = 30_000_000
GAS_OF_TRANSFER = 21_000
CHAIN_ID_MAX = 2**53 - 1
NONCE_MAX = 2**64 - 2
"""EIP-2681."""

Item = bytes | list["Item"]
_SHORT = tuple(bytes([0x80 + size]) for size in range(56))
"""The headers of strings of up to 55 bytes."""


def normal(intent: EthereumIntent) -> EthereumIntent:
    """Return the intent with lower-case addresses: one address, one spelling.

    What is no address stays as it is, for `draft` to refuse.
    """
    return msgspec.structs.replace(
        intent, to=_one_spelling(intent.to), asset=_one_spelling(intent.asset)
    )


def address(text: str, field: str) -> bytes:
    """Return the 20 bytes of a lower-case or EIP-55 address.

    Raises `Refused` (`bad_destination`, `bad_asset`), also for a checksum that does not fit.
    """
    if _ADDRESS.fullmatch(text) is None:
        raise _not_an_address(field)
    if text == text.lower():
        return bytes.fromhex(text[2:])
    try:
        return bytes(EthAddrDecoder.DecodeAddr(text))
    except ValueError as fault:
        raise _not_an_address(field) from fault


def _one_spelling(text: str) -> str:
    if text == text.lower():
        return text
    try:
        address(text, "to")
    except Refused:
        return text
    return text.lower()


def _not_an_address(field: str) -> Refused:
    code = "bad_asset" if field == "asset" else "bad_destination"
    return Refused(code, f"{field}: not an Ethereum address")


class EthereumDraft(msgspec.Struct, frozen=True):
    """The nine fields of a type-2 transaction and the slot they take."""

    slot: str
    fields: tuple[Item, ...]

    def sign(self, *keys: Key) -> SignedBytes:
        """Sign keccak of the unsigned envelope (RFC 6979, low s)."""
        (key,) = keys
        body = b"".join(map(rlp, self.fields))
        signature = recoverable(key, keccak_256(_TYPE + _listed(body)).digest())
        r, s, parity = signature[:32], signature[32:64], signature[64]
        proof = (number(parity), r.lstrip(b"\0"), s.lstrip(b"\0"))
        raw = _TYPE + _listed(body + b"".join(map(rlp, proof)))
        return SignedBytes(raw, "0x" + keccak_256(raw).hexdigest())


def draft(intent: EthereumIntent, sender: str) -> EthereumDraft:
    """Build the payment; refuse numbers that a node would refuse or misread."""
    units = whole(intent.units, "units", bits=256)
    fee = whole(intent.max_fee_per_gas, "max_fee_per_gas", bits=128)
    tip = whole(intent.max_priority_fee_per_gas, "max_priority_fee_per_gas", bits=128)
    within(tip, "max_priority_fee_per_gas", most=fee)
    chain = within(intent.chain_id, "chain_id", least=1, most=CHAIN_ID_MAX)
    nonce = within(intent.nonce, "nonce", most=NONCE_MAX)
    gas = within(intent.gas_limit, "gas_limit", least=GAS_OF_TRANSFER, most=GAS_MAX)
    payee = address(intent.to, "to")
    if intent.asset == "native":
        to, value, data = payee, units, b""
    else:
        to, value = address(intent.asset, "asset"), 0
        data = _TRANSFER + payee.rjust(32, b"\0") + units.to_bytes(32, "big")
    numbers = [number(n) for n in (chain, nonce, tip, fee, gas)]
    return EthereumDraft(
        slot=f"ethereum:{chain}:{sender}:{nonce}",
        fields=(*numbers, to, number(value), data, []),
    )


def replaces(new: EthereumIntent, old: EthereumIntent) -> bool:
    """Tell whether both fees rose by an eighth or more and nothing else changed.

    A cancel may also stand in the place of a payment of the same order, sender and nonce; what
    was canceled never comes back. Nodes take a replacement from a tenth on (geth's
    `ErrReplaceUnderpriced`), 12.5 % everywhere.
    """
    fees = ("max_fee_per_gas", "max_priority_fee_per_gas")
    free = (*fees, *_PAYMENT) if _is_nothing(new) and not _is_nothing(old) else fees
    same = {name: getattr(old, name) for name in free}
    if msgspec.structs.replace(new, **same) != old:
        return False
    return all(
        whole(getattr(new, fee), fee, bits=128) * 8
        >= whole(getattr(old, fee), fee, bits=128) * 9
        for fee in fees
    )


def _is_nothing(intent: EthereumIntent) -> bool:
    """Tell a cancel by its amount: no other intent of 0 native units is ever signed."""
    return intent.asset == "native" and intent.units == "0"


def fee_most(intent: EthereumIntent) -> int:
    """Return gas limit times the price cap, in wei."""
    return intent.gas_limit * whole(intent.max_fee_per_gas, "max_fee_per_gas", bits=128)


def number(value: int) -> bytes:
    """Return the shortest big-endian bytes; zero is empty."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def rlp(item: Item) -> bytes:
    """Encode bytes or nested lists of bytes (Ethereum yellow paper, appendix B)."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        if len(item) < len(_SHORT):
            return _SHORT[len(item)] + item
        return _length(len(item), 0x80) + item
    return _listed(b"".join(map(rlp, item)))


def _listed(body: bytes) -> bytes:
    """Put a list's header before its encoded items."""
    return _length(len(body), 0xC0) + body


def _length(size: int, offset: int) -> bytes:
    if size < 56:
        return bytes([offset + size])
    spelled = number(size)
    return bytes([offset + 55 + len(spelled)]) + spelled
