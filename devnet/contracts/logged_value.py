"""A chain that logs the value it moves (EIP-7708), played by contracts on one that does not yet."""

from devnet.contracts.assembly import assemble, creation

SYSTEM = "0xfffffffffffffffffffffffffffffffffffffffe"
"""The address under which such a chain logs."""


def system_logger() -> bytes:
    """Return code for `SYSTEM` that logs what it is told: from, to and units, a word each."""
    return assemble(
        "64 CALLDATALOAD 0 MSTORE 32 CALLDATALOAD 0 CALLDATALOAD"
        " $Transfer(address,address,uint256) 32 0 LOG3 STOP"
    )


def logged_forwarder(recipient: str) -> bytes:
    """Return a contract that passes value on and has both moves logged, its own one first."""
    log = f"0 0 96 0 0 {int(SYSTEM, 16)} GAS CALL POP"
    to = int(recipient, 16)
    return creation(
        assemble(
            f"CALLER 0 MSTORE ADDRESS 32 MSTORE CALLVALUE 64 MSTORE {log}"
            f" ADDRESS 0 MSTORE {to} 32 MSTORE {log}"
            f" 0 0 0 0 CALLVALUE {to} GAS CALL POP STOP"
        )
    )
