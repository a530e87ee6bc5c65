"""The node's other answers as types: accounts, prices, simulated calls, broadcasts.

Java-tron leaves out every field that holds its type's default and reports its own troubles as
HTTP 200 `{"Error": "..."}`; each answer therefore knows `error`.
"""

import msgspec


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An object answer. `error` is the node's own refusal to answer."""

    error: str | None = msgspec.field(default=None, name="Error")


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
    total_energy_limit: int = msgspec.field(default=0, name="TotalEnergyLimit")
    total_energy_weight: int = msgspec.field(default=0, name="TotalEnergyWeight")
    """What the network yields in all, and the whole TRX that are staked for it."""


class Delegatable(Answer, frozen=True, gc=False):
    """`getcandelegatedmaxsize`: the staked sun that is not lent and not in use."""

    max_size: int = 0


class Loan(msgspec.Struct, frozen=True, gc=False):
    """What one account lends another, in staked sun."""

    frozen_balance_for_energy: int = 0


class Loans(Answer, frozen=True, gc=False):
    """`getdelegatedresourcev2`."""

    loans: tuple[Loan, ...] = msgspec.field(default=(), name="delegatedResource")


class Borrowers(Answer, frozen=True, gc=False):
    """`getdelegatedresourceaccountindexv2`: whom an account lends to."""

    to_accounts: tuple[str, ...] = msgspec.field(default=(), name="toAccounts")


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
