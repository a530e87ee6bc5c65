"""The shapes of a `getBlock` answer, read only as deep as a block needs it.

Details `accounts` and `full` and every encoding fit: json, jsonParsed, base64, base58. Most
transactions are votes, so everything that is heavy stays raw JSON until something moved: then
the decoders below read it, transaction by transaction.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

_NONE = msgspec.Raw(b"[]")


class Meta(msgspec.Struct, gc=False, kw_only=True):
    """How one transaction ended. `err` is null, and there, where it succeeded.

    The fields stand as nodes write them: a key that follows the last one is found at once.
    """

    err: Any
    fee: int | None = None
    loadedAddresses: msgspec.Raw = msgspec.Raw(b"null")  # noqa: N815 - the chain's own names
    postBalances: msgspec.Raw  # noqa: N815
    postTokenBalances: msgspec.Raw = _NONE  # noqa: N815
    preBalances: msgspec.Raw  # noqa: N815
    preTokenBalances: msgspec.Raw = _NONE  # noqa: N815

    def moved_tokens(self) -> bool:
        """Tell whether any token balance may differ: equal text means equal balances."""
        return self.preTokenBalances != self.postTokenBalances


class Key(msgspec.Struct, gc=False):
    """One account of a transaction where keys are objects."""

    pubkey: str


class Message(msgspec.Struct, gc=False):
    """A `full` message; only jsonParsed lists the loaded keys among the others."""

    accountKeys: list[str | Key]  # noqa: N815


class Signed(msgspec.Struct, gc=False):
    """Of named parts, what names the transaction."""

    signatures: list[str]


class Parts(Signed, gc=False):
    """Named parts: keys beside the signatures in `accounts`, inside the message in `full`."""

    accountKeys: list[Key] = []  # noqa: N815
    message: Message | None = None


Packing = list[str] | str
"""`[bytes, encoding]`, or the bare base58 of old nodes."""


class TransactionDocument(msgspec.Struct, gc=False, kw_only=True):
    """One transaction, to be read with `BODY` or `NAME`, and how it ended."""

    meta: Meta | None = None
    transaction: msgspec.Raw


def moved(
    entries: Iterable[TransactionDocument],
) -> Iterator[tuple[int, TransactionDocument]]:
    """Yield each entry, with its position, that may have done more than take a fee, or is torn.

    Of thousands of votes nothing else is read: lamports are compared as they are written. The
    payer comes first. Numbers of one length compare as their digits do; where his lost a digit
    the entry is yielded, and the numbers are read.
    """
    for position, entry in enumerate(entries):
        meta = entry.meta
        if meta is not None:
            if meta.err is not None:
                continue
            # An empty text in front makes bytes of raw JSON, in half the time of `bytes`.
            held, _, others = (b"" + meta.preBalances).partition(b",")
            left, _, others_left = (b"" + meta.postBalances).partition(b",")
            if (
                others == others_left != b""
                and len(left) == len(held)
                and left <= held
                and not meta.moved_tokens()
            ):
                continue
        yield position, entry


class BlockDocument(msgspec.Struct, gc=False):
    """A `getBlock` result as it came; it proves nothing yet."""

    blockhash: str
    previousBlockhash: str  # noqa: N815
    blockTime: int | None = None  # noqa: N815
    parentSlot: int | None = None  # noqa: N815
    blockHeight: int | None = None  # noqa: N815
    transactions: list[TransactionDocument] | None = None


class _Units(msgspec.Struct, gc=False):
    amount: str


class TokenBalance(msgspec.Struct, gc=False, kw_only=True):
    """What one token account held. `owner` and `programId` are absent from old blocks."""

    accountIndex: int  # noqa: N815
    mint: str
    owner: str | None = None
    programId: str | None = None  # noqa: N815
    uiTokenAmount: _Units  # noqa: N815


class LoadedAddresses(msgspec.Struct, gc=False):
    """The keys that came from lookup tables."""

    writable: list[str] = []
    readonly: list[str] = []


BODY: msgspec.json.Decoder[Parts | Packing] = msgspec.json.Decoder(Parts | Packing)
NAME: msgspec.json.Decoder[Signed | Packing] = msgspec.json.Decoder(Signed | Packing)
LAMPORTS = msgspec.json.Decoder(list[int])
LOADED = msgspec.json.Decoder(LoadedAddresses | None)
TOKEN_BALANCES = msgspec.json.Decoder(list[TokenBalance] | None)
