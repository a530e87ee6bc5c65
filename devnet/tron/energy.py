"""How much energy a call may use, and what a busy contract adds to it.

A contract that is called very often costs more (`dynamic energy`): `factor` is the addition in
ten-thousandths, up to 34,000. All figures are energy; a fee limit is sun.
"""

from devnet.tron.evm import Evm, Run
from devnet.tron.parameters import ENERGY_PRICE
from devnet.tron.transaction import Transaction
from devnet.tron.world import World

WHOLE_FACTOR = 10_000


async def energy_allowed(
    transaction: Transaction, value: int, world: World, evm: Evm, now_ms: int
) -> int:
    """Return what the owner can pay for and the fee limit lets pass."""
    balance = await evm.balance(transaction.owner) - value
    affordable = world.energy_left(transaction.owner, now_ms) + balance // ENERGY_PRICE
    allowed: int = transaction.body.get("fee_limit", 0) // ENERGY_PRICE
    return min(affordable, allowed)


def before_penalty(allowed: int, factor: int) -> int:
    """Return what the code itself may use so that the penalty is covered as well."""
    return allowed * WHOLE_FACTOR // (WHOLE_FACTOR + factor)


def penalty(run: Run, allowed: int, factor: int) -> int:
    """Return what a run costs on top; whoever runs out of energy loses all that was allowed."""
    if factor and "gas" in run.error.lower():
        return allowed - run.energy
    return -(-run.energy * factor // WHOLE_FACTOR)
