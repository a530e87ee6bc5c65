"""The node's answers as types: only the fields we use, with protobuf's omitted defaults.

Java-tron leaves out every field that holds its type's default and reports its own troubles as
HTTP 200 `{"Error": "..."}`; each answer that is an object therefore knows `error`.
"""

import msgspec


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An object answer. `error` is the node's own refusal to answer."""

    error: str | None = msgspec.field(default=None, name="Error")


class HeaderData(msgspec.Struct, frozen=True, gc=False):
    """The signed part of a block header; `timestamp` is Unix milliseconds."""

    number: int = 0
    timestamp: int = 0
    parent_hash: str = msgspec.field(default="", name="parentHash")


class Header(msgspec.Struct, frozen=True, gc=False):
    """A block header."""

    raw_data: HeaderData = HeaderData()


class Ret(msgspec.Struct, frozen=True, gc=False):
    """The result that the block itself carries for a transaction."""

    contract_ret: str = msgspec.field(default="", name="contractRet")


class Contract(msgspec.Struct, frozen=True, gc=False):
    """One action of a transaction. `parameter` stays undecoded unless we count that type.

    Forty types exist and new ones come; one of a shape that we do not know must not stop us.
    """

    type: str = ""
    parameter: msgspec.Raw = msgspec.Raw(b"{}")


class RawData(msgspec.Struct, frozen=True, gc=False):
    """What the owner signed."""

    contract: tuple[Contract, ...] = ()


class Transaction(msgspec.Struct, frozen=True, gc=False):
    """A transaction as its block lists it."""

    tx_id: str = msgspec.field(name="txID")
    raw_data: RawData = RawData()
    ret: tuple[Ret, ...] = ()


class BlockAnswer(Answer, frozen=True, gc=False):
    """`getblock*`: a block without transactions has no such key; an unknown block is `{}`."""

    block_id: str = msgspec.field(default="", name="blockID")
    block_header: Header = Header()
    transactions: tuple[Transaction, ...] = ()


class TransferValue(msgspec.Struct, frozen=True, gc=False):
    """The fields of a `TransferContract`; `amount` is in sun."""

    owner_address: str
    to_address: str
    amount: int = 0


class TransferParameter(msgspec.Struct, frozen=True, gc=False):
    """The wrapped `TransferContract`."""

    value: TransferValue


class Log(msgspec.Struct, frozen=True, gc=False):
    """An event of a contract, hex without 0x."""

    address: str = ""
    topics: tuple[str, ...] = ()
    data: str = ""


class CallValue(msgspec.Struct, frozen=True, gc=False):
    """A value moved by an internal transaction: sun, or units of TRC-10 `token_id`."""

    call_value: int = msgspec.field(default=0, name="callValue")
    token_id: str | int | None = msgspec.field(default=None, name="tokenId")


class InternalTransaction(msgspec.Struct, frozen=True, gc=False):
    """What one contract did to another account. `note` names the operation, in hex."""

    caller_address: str = ""
    transfer_to: str = msgspec.field(default="", name="transferTo_address")
    call_values: tuple[CallValue, ...] = msgspec.field(default=(), name="callValueInfo")
    note: str = ""
    rejected: bool = False


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """How the virtual machine ended; without a result where it did not run."""

    result: str = ""


class Info(msgspec.Struct, frozen=True, gc=False):
    """What a transaction did and cost; `fee` is in sun."""

    id: str
    block_number: int = msgspec.field(default=0, name="blockNumber")
    block_time: int = msgspec.field(default=0, name="blockTimeStamp")
    fee: int = 0
    result: str = ""
    receipt: Receipt = Receipt()
    log: tuple[Log, ...] = ()
    internal_transactions: tuple[InternalTransaction, ...] = ()


InfosAnswer = tuple[Info, ...] | Answer
"""`gettransactioninfobyblocknum`: a list, or an object where there is none or an error."""


class Account(Answer, frozen=True, gc=False):
    """`getaccount`: `{}` for an address that was never activated. `balance` is in sun."""

    address: str = ""
    balance: int = 0
    type: str = ""


class Resources(Answer, frozen=True, gc=False):
    """`getaccountresource`: what the account may use without burning TRX, and has used."""

    free_net_used: int = msgspec.field(default=0, name="freeNetUsed")
    free_net_limit: int = msgspec.field(default=0, name="freeNetLimit")
    net_used: int = msgspec.field(default=0, name="NetUsed")
    net_limit: int = msgspec.field(default=0, name="NetLimit")
    energy_used: int = msgspec.field(default=0, name="EnergyUsed")
    energy_limit: int = msgspec.field(default=0, name="EnergyLimit")


class ChainParameter(msgspec.Struct, frozen=True, gc=False):
    """One price or switch of the network."""

    key: str
    value: int = 0


class ChainParameters(Answer, frozen=True, gc=False):
    """`getchainparameters`."""

    parameters: tuple[ChainParameter, ...] = msgspec.field(default=(), name="chainParameter")


class CallResult(msgspec.Struct, frozen=True, gc=False):
    """How a simulated call ended; `message` is hex."""

    result: bool = False
    code: str = ""
    message: str = ""


class SimulatedRet(msgspec.Struct, frozen=True, gc=False):
    """The result of the transaction that a simulation stands for."""

    ret: str = ""


class SimulatedTransaction(msgspec.Struct, frozen=True, gc=False):
    """The transaction that a simulation stands for; read for its result alone, never signed."""

    ret: tuple[SimulatedRet, ...] = ()


class CallAnswer(Answer, frozen=True, gc=False):
    """`triggerconstantcontract`: `energy_used` includes the penalty of busy contracts."""

    result: CallResult = CallResult()
    energy_used: int = 0
    constant_result: tuple[str, ...] = ()
    transaction: SimulatedTransaction = SimulatedTransaction()


class BroadcastAnswer(Answer, frozen=True, gc=False):
    """`broadcasthex`."""

    result: bool = False
    code: str = ""
    message: str = ""
