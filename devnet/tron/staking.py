"""Stake 2.0: changes of stakes and loans. Pure; every function returns the owner's change.

The change is in sun: negative where balance becomes stake, positive where it comes back.
"""

from collections.abc import Callable
from dataclasses import replace

from devnet.tron.parameters import RECOVERY_MS, UNFREEZE_DELAY_DAYS
from devnet.tron.transaction import Transaction
from devnet.tron.world import Unfreezing, World

Change = Callable[[Transaction, World, int], int]


def _freeze(transaction: Transaction, world: World, _now_ms: int) -> int:
    owner, resource = transaction.owner, transaction.number("resource")
    amount = transaction.number("frozen_balance")
    stake = world.stake(owner, resource)
    world.stakes[owner, resource] = replace(stake, own=stake.own + amount)
    return -amount


def _unfreeze(transaction: Transaction, world: World, now_ms: int) -> int:
    owner, resource = transaction.owner, transaction.number("resource")
    amount = transaction.number("unfreeze_balance")
    stake = world.stake(owner, resource)
    world.stakes[owner, resource] = replace(stake, own=stake.own - amount)
    due_ms = now_ms + UNFREEZE_DELAY_DAYS * RECOVERY_MS
    waiting = world.unfreezing.get(owner, ())
    world.unfreezing[owner] = (*waiting, Unfreezing(resource, amount, due_ms))
    return 0


def _withdraw(transaction: Transaction, world: World, now_ms: int) -> int:
    waiting = world.unfreezing.get(transaction.owner, ())
    world.unfreezing[transaction.owner] = tuple(
        part for part in waiting if part.due_ms > now_ms
    )
    return sum(part.amount for part in waiting if part.due_ms <= now_ms)


def _delegate(transaction: Transaction, world: World, _now_ms: int) -> int:
    _lend(transaction, world, transaction.number("balance"))
    return 0


def _undelegate(transaction: Transaction, world: World, _now_ms: int) -> int:
    _lend(transaction, world, -transaction.number("balance"))
    return 0


def _lend(transaction: Transaction, world: World, amount: int) -> None:
    owner, resource = transaction.owner, transaction.number("resource")
    receiver = transaction.value["receiver_address"]
    lender, borrower = world.stake(owner, resource), world.stake(receiver, resource)
    world.stakes[owner, resource] = replace(lender, lent=lender.lent + amount)
    world.stakes[receiver, resource] = replace(borrower, borrowed=borrower.borrowed + amount)
    loan = (owner, receiver, resource)
    world.loans[loan] = world.loans.get(loan, 0) + amount


CHANGES: dict[str, Change] = {
    "FreezeBalanceV2Contract": _freeze,
    "UnfreezeBalanceV2Contract": _unfreeze,
    "WithdrawExpireUnfreezeContract": _withdraw,
    "DelegateResourceContract": _delegate,
    "UnDelegateResourceContract": _undelegate,
}
