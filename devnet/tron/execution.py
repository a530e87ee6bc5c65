"""Executing one transaction: bandwidth, memo and account fees, then the contract itself.

Either the transaction is `Refused` and nothing has changed, or there is a receipt; a contract
that fails still pays for bandwidth and energy.
"""

from dataclasses import dataclass
from typing import Any

from devnet.tron import address
from devnet.tron.assets import issue, move
from devnet.tron.effects import internals, log, register
from devnet.tron.energy import before_penalty, energy_allowed, penalty
from devnet.tron.evm import Call, Evm, Run
from devnet.tron.parameters import (
    ASSET_ISSUE_FEE,
    BANDWIDTH_PRICE,
    CODE_ENERGY_PER_BYTE,
    CREATE_ACCOUNT_FEE,
    ENERGY_PRICE,
    FREE_BANDWIDTH,
    MEMO_FEE,
    NEW_ACCOUNT_FEE,
)
from devnet.tron.receipt import Receipt
from devnet.tron.staking import CHANGES
from devnet.tron.transaction import Transaction
from devnet.tron.validation import Refused, check_contract, creates_account
from devnet.tron.world import BANDWIDTH_METER, ENERGY_METER, FREE_METER, World

MESSAGES = {
    "REVERT": b"REVERT opcode executed",
    "OUT_OF_ENERGY": b"Not enough energy",
    "UNKNOWN": b"Unknown Exception",
}


@dataclass(frozen=True, slots=True)
class BandwidthCharge:
    """How a transaction's bytes are paid: from a meter, or by burning sun."""

    meter: str = ""
    bytes: int = 0
    sun: int = 0


def bandwidth_charge(transaction: Transaction, world: World, now_ms: int) -> BandwidthCharge:
    """Choose staked bandwidth, then the free one, then sun."""
    owner, size = transaction.owner, transaction.size
    staked = world.bandwidth_limit(owner) - world.used(owner, BANDWIDTH_METER, now_ms)
    if staked >= size:
        return BandwidthCharge(BANDWIDTH_METER, size)
    if creates_account(transaction, world):
        return BandwidthCharge(sun=CREATE_ACCOUNT_FEE)
    if FREE_BANDWIDTH - world.used(owner, FREE_METER, now_ms) >= size:
        return BandwidthCharge(FREE_METER, size)
    return BandwidthCharge(sun=size * BANDWIDTH_PRICE)


async def execute(transaction: Transaction, world: World, evm: Evm, now_ms: int) -> Receipt:
    """Apply a transaction to the present state; raise `Refused` where it may not be in a block."""
    charge = bandwidth_charge(transaction, world, now_ms)
    memo_fee = MEMO_FEE if transaction.memo else 0
    fees = charge.sun + memo_fee
    balance = await evm.balance(transaction.owner)
    if transaction.owner in world.accounts and balance < fees:
        raise Refused("BANDWITH_ERROR", "Account resource insufficient error.")
    check_contract(transaction, world, balance - fees)
    receipt = Receipt(transaction, fee=fees)
    if charge.meter:
        world.use(transaction.owner, charge.meter, charge.bytes, now_ms)
        receipt.resources["net_usage"] = charge.bytes
    elif charge.sun:
        receipt.resources["net_fee"] = charge.sun
    await evm.set_balance(transaction.owner, balance - fees)
    await _perform(receipt, world, evm, now_ms)
    return receipt


async def _perform(receipt: Receipt, world: World, evm: Evm, now_ms: int) -> None:
    transaction = receipt.transaction
    if transaction.kind in CHANGES:
        change = CHANGES[transaction.kind](transaction, world, now_ms)
        balance = await evm.balance(transaction.owner)
        await evm.set_balance(transaction.owner, balance + change)
    elif transaction.kind == "TriggerSmartContract":
        await _trigger(receipt, world, evm, now_ms)
    elif transaction.kind == "CreateSmartContract":
        await _create_contract(receipt, world, evm, now_ms)
    elif transaction.kind == "AssetIssueContract":
        await _burn(receipt, evm, ASSET_ISSUE_FEE)
        receipt.asset_id = issue(transaction, world)
    else:
        await _transfer(receipt, world, evm, now_ms)


async def _transfer(receipt: Receipt, world: World, evm: Evm, now_ms: int) -> None:
    """Do `TransferContract`, `TransferAssetContract` and `AccountCreateContract`."""
    transaction = receipt.transaction
    recipient = transaction.value.get("to_address") or transaction.value["account_address"]
    if creates_account(transaction, world):
        await _burn(receipt, evm, NEW_ACCOUNT_FEE)
        world.activate(recipient, now_ms)
    if transaction.kind == "TransferAssetContract":
        move(transaction, world)
    else:
        await evm.move(transaction.owner, recipient, transaction.number("amount"))


async def _burn(receipt: Receipt, evm: Evm, sun: int) -> None:
    owner = receipt.transaction.owner
    await evm.set_balance(owner, await evm.balance(owner) - sun)
    receipt.fee += sun


async def _trigger(receipt: Receipt, world: World, evm: Evm, now_ms: int) -> None:
    transaction = receipt.transaction
    target, value = transaction.value["contract_address"], transaction.number("call_value")
    allowed = await energy_allowed(transaction, value, world, evm, now_ms)
    call = Call(transaction.owner, target, transaction.value.get("data", b""), value)
    factor = world.factors.get(target, 0)
    run = await evm.run(call, before_penalty(allowed, factor))
    receipt.contract_address = target
    extra = penalty(run, allowed, factor)
    await _settle(receipt, run, world, evm, now_ms, extra=extra)


async def _create_contract(receipt: Receipt, world: World, evm: Evm, now_ms: int) -> None:
    transaction = receipt.transaction
    contract = transaction.value["new_contract"]
    target = address.of_contract(bytes.fromhex(transaction.id), transaction.owner)
    value = contract.get("call_value", 0)
    allowed = await energy_allowed(transaction, value, world, evm, now_ms)
    run = await construct(evm, transaction.owner, target, contract, allowed)
    if not run.error:
        world.contracts[target] = {**contract, "contract_address": target}
        world.activate(target, now_ms, is_contract=True)
    receipt.contract_address = target
    await _settle(receipt, run, world, evm, now_ms)


async def construct(
    evm: Evm, creator: bytes, target: bytes, contract: dict[str, Any], energy: int
) -> Run:
    """Run creation code at the address that Tron gives the contract, and leave its code there.

    An EVM would create it elsewhere, hence the creation code is put there first and called.
    """
    await evm.set_code(target, contract.get("bytecode", b""))
    run = await evm.run(Call(creator, target, value=contract.get("call_value", 0)), energy)
    total = run.energy + CODE_ENERGY_PER_BYTE * len(run.output)
    if not run.error and total > energy:
        await evm.undo_run()
        run = Run(energy, "out of gas", b"")
    await evm.set_code(target, b"" if run.error else run.output)
    return run if run.error else Run(total, "", run.output, run.frames, run.logs)


async def _settle(
    receipt: Receipt, run: Run, world: World, evm: Evm, now_ms: int, *, extra: int = 0
) -> None:
    """Pay for energy, `extra` for a busy contract included; write down what was done."""
    owner, energy = receipt.transaction.owner, run.energy + extra
    staked = min(energy, world.energy_left(owner, now_ms))
    burned = (energy - staked) * ENERGY_PRICE
    if staked:
        world.use(owner, ENERGY_METER, staked, now_ms)
        receipt.resources["energy_usage"] = staked
    if burned:
        receipt.resources["energy_fee"] = burned
        await _burn(receipt, evm, burned)
    if energy:
        receipt.resources["energy_usage_total"] = energy
    if extra:
        receipt.resources["energy_penalty_total"] = extra
    receipt.is_vm = True
    receipt.result = _result(run.error)
    receipt.message = MESSAGES.get(receipt.result, b"")
    receipt.output = run.output
    receipt.internals = internals(run)
    if receipt.succeeded:
        receipt.logs = tuple(map(log, run.logs))
        register(run.frames, world, now_ms)


def _result(error: str) -> str:
    if not error:
        return "SUCCESS"
    if "revert" in error.lower():
        return "REVERT"
    return "OUT_OF_ENERGY" if "gas" in error.lower() else "UNKNOWN"
