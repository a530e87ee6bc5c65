"""The shapes of a `getBlock` answer, read only as deep as a block needs it.

Details `accounts` and `full` and every encoding fit: json, jsonParsed, base64, base58. Most
transactions are votes, so everything that is heavy stays raw JSON until something moved: then
the decoders below read it, transaction by transaction.
"""

from typing import Any

import msgspec

_NONE = msgspec.Raw(b"[]")


class Meta(msgspec.Struct, gc=False):
    """How one transaction ended. `err` is null, and there, where it succeeded.

    `moved` is our own: whether it succeeded and did more than take a fee from its payer. It is
    judged at once, while the text is at hand: of thousands of votes nothing else is read.
    """

    err: Any
    preBalances: msgspec.Raw  # noqa: N815 - the chain's own field names throughout
    postBalances: msgspec.Raw  # noqa: N815
    preTokenBalances: msgspec.Raw = _NONE  # noqa: N815
    postTokenBalances: msgspec.Raw = _NONE  # noqa: N815
    loadedAddresses: msgspec.Raw = msgspec.Raw(b"null")  # noqa: N815
    fee: int | None = None
    moved: bool = False

    def __post_init__(self) -> None:
        if self.err is not None:
            self.moved = False
            return
        # The payer comes first. Numbers of the same length compare as their digits do; where
        # his balance lost a digit this says yes, and the numbers are read.
        before, after = bytes(self.preBalances), bytes(self.postBalances)
        end = before.find(b",")
        self.moved = (
            before[end:] != after[end:]
            or end < 1
            or after.find(b",") != end
            or after > before
            or self.moved_tokens()
        )

    def moved_tokens(self) -> bool:
        """Tell whether any token balance may differ: equal text means equal balances."""
        return self.preTokenBalances != self.postTokenBalances


class Parts(msgspec.Struct, gc=False):
    """Named parts: keys beside the signatures in `accounts`, inside the message in `full`."""

    signatures: list[str]
    accountKeys: msgspec.Raw = msgspec.Raw()  # noqa: N815
    message: msgspec.Raw = msgspec.Raw()


Body = Parts | list[str] | str
"""Named parts, `[bytes, encoding]`, or the bare base58 of old nodes."""


class TransactionDocument(msgspec.Struct, gc=False):
    """One transaction, to be read with `BODY`, and how it ended."""

    transaction: msgspec.Raw
    meta: Meta | None = None


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


class TokenBalance(msgspec.Struct, gc=False):
    """What one token account held. `owner` and `programId` are absent from old blocks."""

    accountIndex: int  # noqa: N815
    mint: str
    uiTokenAmount: _Units  # noqa: N815
    owner: str | None = None
    programId: str | None = None  # noqa: N815


class Key(msgspec.Struct, gc=False):
    """One account of a transaction where keys are objects."""

    pubkey: str


class Message(msgspec.Struct, gc=False):
    """A `full` message; only jsonParsed lists the loaded keys among the others."""

    accountKeys: list[str | Key]  # noqa: N815


class LoadedAddresses(msgspec.Struct, gc=False):
    """The keys that came from lookup tables."""

    writable: list[str] = []
    readonly: list[str] = []


BODY: msgspec.json.Decoder[Body] = msgspec.json.Decoder(Body)
LAMPORTS = msgspec.json.Decoder(list[int])
KEYS = msgspec.json.Decoder(list[Key])
MESSAGE = msgspec.json.Decoder(Message)
LOADED = msgspec.json.Decoder(LoadedAddresses | None)
TOKEN_BALANCES = msgspec.json.Decoder(list[TokenBalance] | None)
