"""Value that the chain itself logs (EIP-7708): the one source of ether once it is switched on.

From the switch on, every move of value to another account is a log of the ERC-20 shape under
the system address, the transaction's own value first. Before it nobody can log from there.
"""

from collections.abc import Iterator

from watchers.network import Incomplete
from watchers.networks.ethereum.address import SYSTEM
from watchers.networks.ethereum.erc20 import transfer_in
from watchers.networks.ethereum.traces import Move
from watchers.networks.ethereum.wire import RawReceipt, RawTransaction, quantity


def logged_moves(sent: RawTransaction, receipt: RawReceipt) -> tuple[bool, list[Move]]:
    """Return whether the transaction's own value is logged, and every other move in its order.

    Raises `Incomplete` where value was sent to another account and the first log does not say
    so: the switch is set to a wrong time, or the receipt is not whole.
    """
    moves = list(_moves(receipt))
    units = quantity(sent.value)
    if not units or (sent.to or "").lower() == sent.from_.lower():
        return False, moves
    first = moves[0] if moves else None
    if first is None or not _is_own(first, sent, units):
        raise Incomplete(f"the receipt of {sent.hash} does not log its value")
    return True, moves[1:]


def _is_own(first: Move, sent: RawTransaction, units: int) -> bool:
    if (first.sender, first.units) != (sent.from_.lower(), units):
        return False
    return sent.to is None or first.recipient == sent.to.lower()


def _moves(receipt: RawReceipt) -> Iterator[Move]:
    for log in receipt.logs:
        if log.address.lower() == SYSTEM:
            found = transfer_in(log.topics, log.data)
            if found is not None:
                yield Move(*found)
