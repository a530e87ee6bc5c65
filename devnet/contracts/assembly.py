"""A small EVM assembler: test contracts are written as instructions, no compiler is needed.

A program is words between blanks; `;` begins a comment that ends with its line:

    ADD                 an opcode
    10, 0xff            a constant, pushed with the fewest bytes (one at least)
    name:               a place to jump to
    @name               its position, pushed
    #transfer(address)  a function's selector, pushed as four bytes
    $Transfer(address)  an event's topic, pushed as 32 bytes
"""

from collections.abc import Mapping

from eth_utils.crypto import keccak

OPCODES = {
    name: first + index
    for first, names in {
        0x00: "STOP ADD MUL SUB DIV",
        0x10: "LT GT SLT SGT EQ ISZERO AND OR XOR NOT",
        0x1B: "SHL SHR",
        0x20: "KECCAK256",
        0x30: "ADDRESS BALANCE ORIGIN CALLER CALLVALUE CALLDATALOAD CALLDATASIZE CALLDATACOPY "
        "CODESIZE CODECOPY",
        0x3D: "RETURNDATASIZE RETURNDATACOPY",
        0x43: "NUMBER",
        0x47: "SELFBALANCE",
        0x50: "POP MLOAD MSTORE MSTORE8 SLOAD SSTORE JUMP JUMPI",
        0x5A: "GAS JUMPDEST",
        0x80: " ".join(f"DUP{number}" for number in range(1, 17)),
        0x90: " ".join(f"SWAP{number}" for number in range(1, 17)),
        0xA0: "LOG0 LOG1 LOG2 LOG3 LOG4",
        0xF0: "CREATE CALL CALLCODE RETURN DELEGATECALL",
        0xFA: "STATICCALL",
        0xFD: "REVERT INVALID SELFDESTRUCT",
    }.items()
    for index, name in enumerate(names.split())
}
JUMPDEST = 0x5B
PUSH1 = 0x60
POSITION_BYTES = 2


def assemble(program: str) -> bytes:
    """Return the bytecode of a program; `KeyError` names a word that is none."""
    lines = (line.partition(";")[0] for line in program.splitlines())
    words = [word for line in lines for word in line.split()]
    places: dict[str, int] = {}
    position = 0
    for word in words:
        if word.endswith(":"):
            places[word[:-1]] = position
        position += len(_encoded(word, None))
    return b"".join(_encoded(word, places) for word in words)


def creation(runtime: bytes, storage: Mapping[int, int] | None = None) -> bytes:
    """Return creation code that fills storage slots and leaves `runtime` as the contract."""
    stores = " ".join(f"{value} {slot} SSTORE" for slot, value in (storage or {}).items())
    size = _push(len(runtime), POSITION_BYTES)
    head = assemble(stores) + size + assemble("DUP1")
    # CODECOPY(0, where the runtime begins, size), RETURN(0, size)
    tail_bytes = 1 + POSITION_BYTES + len(assemble("0 CODECOPY 0 RETURN"))
    start = _push(len(head) + tail_bytes, POSITION_BYTES)
    return head + start + assemble("0 CODECOPY 0 RETURN") + runtime


def _encoded(word: str, places: Mapping[str, int] | None) -> bytes:
    """Return one word's bytes; without `places` positions are zero, of the same length."""
    if word.endswith(":"):
        return bytes([JUMPDEST])
    if word.startswith("@"):
        return _push(0 if places is None else places[word[1:]], POSITION_BYTES)
    if word.startswith("#"):
        return _push(int.from_bytes(keccak(text=word[1:])[:4]), 4)
    if word.startswith("$"):
        return _push(int.from_bytes(keccak(text=word[1:])), 32)
    if word[0].isdigit():
        number = int(word, 0)
        return _push(number, max(1, (number.bit_length() + 7) // 8))
    return bytes([OPCODES[word]])


def _push(number: int, size: int) -> bytes:
    return bytes([PUSH1 + size - 1]) + number.to_bytes(size)
