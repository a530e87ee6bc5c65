"""A block and its transaction infos as types: only the fields we use, with omitted defaults.

Protobuf's JSON leaves out every field that holds its type's default. An answer that is an
object may be the node's own refusal, `{"Error": "..."}` with HTTP 200.
"""

from typing import Generic, TypeVar

import msgspec

from watchers.networks.tron.answers import Answer


class HeaderData(msgspec.Struct, frozen=True, gc=False):
    """The signed part of a block header; `timestamp` is Unix milliseconds.

    `root` commits to the transactions: nothing but zeros where there are none.
    """

    number: int = 0
    timestamp: int = 0
    parent_hash: str = msgspec.field(default="", name="parentHash")
    root: str = msgspec.field(default="", name="txTrieRoot")


class Header(msgspec.Struct, frozen=True, gc=False):
    """A block header."""

    raw_data: HeaderData = HeaderData()


class Ret(msgspec.Struct, frozen=True, gc=False):
    """The result that the block itself carries for a transaction."""

    contract_ret: str = msgspec.field(default="", name="contractRet")


SUCCEEDED = msgspec.Raw(b'[{"contractRet":"SUCCESS"}]')

SENDS_TRX, SENDS_ASSET = "TransferContract", "TransferAssetContract"
"""The types that pay somebody of themselves."""


class ContractValue(msgspec.Struct, frozen=True, gc=False):
    """What a contract of any type holds of this: `owner_address` is whose account acts, and pays.

    `amount` is a `TransferContract`'s sun or a `TransferAssetContract`'s units. `asset_name` is
    the bytes of an asset's numeric id (before 2019: of its name), as text where the addresses
    are base58, as hex where they are hex.
    """

    amount: int = 0
    asset_name: str = ""
    owner_address: str = ""
    to_address: str = ""


class Parameter(msgspec.Struct, frozen=True, gc=False):
    """The wrapped contract."""

    value: ContractValue = ContractValue()


P = TypeVar("P")
"""What a contract is read as: `Parameter`, or whatever it is.

Forty types exist and new ones come; one of a shape that we do not know must not stop us.
"""


class Contract(msgspec.Struct, Generic[P], frozen=True, gc=False):
    """One action of a transaction. Without a parameter it said nothing that can be read."""

    parameter: P | None = None
    type: str = ""


class RawData(msgspec.Struct, Generic[P], frozen=True, gc=False):
    """What the owner signed: exactly one action, by consensus."""

    contract: tuple[Contract[P]]


class Transaction(msgspec.Struct, Generic[P], frozen=True, gc=False, kw_only=True):
    """A transaction as its block lists it. `ret` is a list of `Ret`, nearly always `SUCCEEDED`."""

    ret: msgspec.Raw = msgspec.Raw(b"[]")
    tx_id: str = msgspec.field(name="txID")
    raw_data: RawData[P]


class BlockAnswer(Answer, Generic[P], frozen=True, gc=False):
    """`getblock*`: a block without transactions has no such key; an unknown block is `{}`."""

    block_id: str = msgspec.field(default="", name="blockID")
    block_header: Header = Header()
    transactions: tuple[Transaction[P], ...] = ()


Sent = Transaction[Parameter]
"""A transaction that is read as deep as transfers need it."""


class Log(msgspec.Struct, frozen=True, gc=False):
    """An event of a contract, hex without 0x."""

    address: str = ""
    data: str = ""
    topics: tuple[str, ...] = ()


class CallValue(msgspec.Struct, frozen=True, gc=False):
    """A value moved by an internal transaction: sun, or units of TRC-10 `token_id`."""

    call_value: int = msgspec.field(default=0, name="callValue")
    token_id: str | int | None = msgspec.field(default=None, name="tokenId")


class InternalTransaction(msgspec.Struct, frozen=True, gc=False):
    """What one contract did to another account. `note` names the operation, in hex or plain."""

    caller_address: str = ""
    transfer_to: str = msgspec.field(default="", name="transferTo_address")
    call_values: tuple[CallValue, ...] = msgspec.field(default=(), name="callValueInfo")
    note: str = ""
    rejected: bool = False


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """How the virtual machine ended; without a result where it did not run."""

    result: str = ""


class Info(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a transaction did and cost; `fee` is in sun.

    The fields stand as nodes write them: a key that follows the last one is found at once.
    """

    log: tuple[Log, ...] = ()
    fee: int = 0
    block_number: int = msgspec.field(default=0, name="blockNumber")
    block_time: int = msgspec.field(default=0, name="blockTimeStamp")
    receipt: Receipt = Receipt()
    result: str = ""
    id: str
    internal_transactions: tuple[InternalTransaction, ...] = ()


InfosAnswer = tuple[Info, ...] | Answer
"""`gettransactioninfobyblocknum`: a list, or an object where there is none or an error."""
