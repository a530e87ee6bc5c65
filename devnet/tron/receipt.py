"""What execution leaves behind for one transaction."""

from dataclasses import dataclass, field

from devnet.tron.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Log:
    """One event; the address is the EVM's 20 bytes."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class InternalTransfer:
    """One call inside a contract; `rejected` where it, or a call around it, was undone."""

    caller: bytes
    recipient: bytes
    value: int
    note: bytes
    rejected: bool


@dataclass(slots=True)
class Receipt:
    """The result of one executed transaction. Sun and energy are integers.

    `result` is one of `messages.RESULTS`; `resources` are the fields of the answer's `receipt`.
    """

    transaction: Transaction
    result: str = "SUCCESS"
    fee: int = 0
    resources: dict[str, int] = field(default_factory=dict)
    is_vm: bool = False
    output: bytes = b""
    contract_address: bytes = b""
    message: bytes = b""
    asset_id: str = ""
    logs: tuple[Log, ...] = ()
    internals: tuple[InternalTransfer, ...] = ()

    @property
    def succeeded(self) -> bool:
        """Tell whether the contract did what it was asked."""
        return self.result == "SUCCESS"
