"""What exists before block 1: a rich payer and the 6-decimal test token, at fixed addresses."""

import json
from pathlib import Path
from typing import Any

from devnet.chain import TOKEN_SUPPLY_UNITS
from devnet.tron import address
from devnet.tron.blocks import GENESIS_MS
from devnet.tron.evm import GAS_MAX, Evm
from devnet.tron.execution import construct
from devnet.tron.messages import TRON
from devnet.tron.parameters import SUN_PER_TRX
from devnet.tron.protobuf import Message
from devnet.tron.world import World

PAYER_KEY = address.constant_key("payer")
"""Everybody knows this key."""
PAYER = address.of_key(PAYER_KEY)
PAYER_SUN = 1_000_000_000 * SUN_PER_TRX
TOKEN = address.of_contract(b"TUSD", PAYER)
# Not through `devnet.contracts`: its ABI encoder alone takes a third of the start.
CONTRACTS = Path(__file__).parents[1] / "contracts" / "tokens.json"


async def found(evm: Evm) -> World:
    """Put payer and token into an empty EVM; return the world that goes with it."""
    world = World()
    world.activate(PAYER, GENESIS_MS)
    world.activate(TOKEN, GENESIS_MS, is_contract=True)
    await evm.set_balance(PAYER, PAYER_SUN)
    abi, code = compiled("TestToken")
    arguments = address.word(PAYER) + TOKEN_SUPPLY_UNITS.to_bytes(32, "big")
    description = described("TestToken", PAYER, code + arguments, abi)
    world.contracts[TOKEN] = {**description, "contract_address": TOKEN}
    run = await construct(evm, PAYER, TOKEN, description, GAS_MAX)
    if run.error:
        raise RuntimeError(f"the token's constructor failed: {run.error}")
    return world


def compiled(name: str) -> tuple[list[dict[str, Any]], bytes]:
    """Return Solidity ABI and creation code of one of the test contracts."""
    found = json.loads(CONTRACTS.read_bytes())[name]
    return found["abi"], bytes.fromhex(found["bytecode"].removeprefix("0x"))


def described(name: str, owner: bytes, code: bytes, abi: list[dict[str, Any]]) -> Message:
    """Return `SmartContract` fields for creation code with a Solidity ABI."""
    return {
        "origin_address": owner,
        "abi": {"entrys": [_entry(entry) for entry in abi]},
        "bytecode": code,
        "consume_user_resource_percent": 100,
        "name": name,
        "origin_energy_limit": 10_000_000,
    }


def _entry(entry: dict[str, Any]) -> Message:
    message: Message = {"type": _number("EntryType", entry["type"])}
    if "name" in entry:
        message["name"] = entry["name"]
    if "stateMutability" in entry:
        message["stateMutability"] = _number("Mutability", entry["stateMutability"])
    for side in ("inputs", "outputs"):
        if entry.get(side):
            message[side] = [_param(param) for param in entry[side]]
    return message


def _param(param: dict[str, Any]) -> Message:
    return {
        "indexed": bool(param.get("indexed", False)),
        "name": param["name"],
        "type": param["type"],
    }


def _number(enum: str, name: str) -> int:
    names = {label.lower(): number for number, label in TRON.enums[enum].items()}
    return names[name.lower()]
