"""Test contracts: `tokens.json` holds ABI and creation code compiled from `Tokens.sol`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_abi.abi import encode

from devnet.chain import TOKEN_SUPPLY_UNITS

__all__ = ["TOKEN_SUPPLY_UNITS", "Contract", "contract"]


@dataclass(frozen=True, slots=True)
class Contract:
    """One compiled contract: its JSON ABI and its creation code without arguments."""

    abi: list[dict[str, Any]]
    bytecode: bytes

    def creation_code(self, *arguments: Any) -> bytes:
        """Return the bytes to deploy: creation code followed by the encoded arguments."""
        types = [
            entry["type"]
            for member in self.abi
            if member["type"] == "constructor"
            for entry in member["inputs"]
        ]
        return self.bytecode + encode(types, arguments)


def contract(name: str) -> Contract:
    """Return `TestToken(holder, supply)`, `SilentToken(holder, supply)` or `Splitter()`."""
    compiled = json.loads(Path(__file__).with_name("tokens.json").read_bytes())[name]
    return Contract(compiled["abi"], bytes.fromhex(compiled["bytecode"].removeprefix("0x")))
