"""Contracts that behave badly or move money silently, each as creation code.

Every token keeps the balance of an account in the storage slot of the same number, so that one
implementation can stand behind a proxy of another. `AnvilChain.create` deploys what these
functions return.
"""

from devnet.contracts.assembly import assemble, creation

IMPLEMENTATION_SLOT = 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC
BEACON_SLOT = 0xA3F0AD74E5423AEBFD80D3EF4346578335A9A72AEAEE59FF6CB3582B35133D50
"""EIP-1967: where proxies keep the address of their logic, or of the beacon that knows it."""
WHOLE = 10**18
"""A rebasing token's index of one."""
BLACKLIST = 1 << 160
"""Added to an account, this is the slot that tells whether it is frozen."""
PAUSED, INDEX = (1 << 161), (1 << 161) + 1

ANSWER = "0 MSTORE 32 0 RETURN"
REFUSE = "refuse: 0 0 REVERT"
TRANSFERRED = "4 CALLDATALOAD CALLER $Transfer(address,address,uint256) 32 0 LOG3"
"""Log what lies in memory at 0 as moved from the caller to the first argument."""


def token(holder: str, supply: int, *, decimals: int = 6) -> bytes:
    """Return a plain token; also the logic behind `proxy`."""
    return creation(_token(decimals), {int(holder, 16): supply})


def fee_token(holder: str, supply: int, *, basis_points: int) -> bytes:
    """Return a token that keeps a part of every transfer and logs the whole of it."""
    net = f"DUP1 {basis_points} MUL 10000 SWAP1 DIV DUP2 SUB"
    return creation(_token(6, credited=net), {int(holder, 16): supply})


def rebasing_token(holder: str, supply: int, *, quiet: bool = False) -> bytes:
    """Return a token whose balances are shares of an index; `rebase(uint256)` sets the index.

    It has the share functions by which such tokens are known, unless it is `quiet`.
    """
    shares = f"DUP1 {WHOLE} MUL {INDEX} SLOAD SWAP1 DIV"
    known = {
        "sharesOf(address)": f"4 CALLDATALOAD SLOAD {ANSWER}",
        "getPooledEthByShares(uint256)": f"4 CALLDATALOAD {INDEX} SLOAD MUL {WHOLE} SWAP1 DIV {ANSWER}",
    }
    functions = {
        "rebase(uint256)": f"4 CALLDATALOAD {INDEX} SSTORE STOP",
        **({} if quiet else known),
    }
    shown = f"{INDEX} SLOAD MUL {WHOLE} SWAP1 DIV"
    runtime = _token(6, debited=shares, credited=shares, shown=shown, functions=functions)
    return creation(runtime, {int(holder, 16): supply, INDEX: WHOLE})


def freezable_token(holder: str, supply: int) -> bytes:
    """Return a token whose issuer pauses it or blacklists accounts, as USDT's does.

    `pause()`, `unpause()`, `addBlackList(address)`, `removeBlackList(address)` are open to all.
    """
    frozen = f"{BLACKLIST} ADD SLOAD @refuse JUMPI"
    guard = f"{PAUSED} SLOAD @refuse JUMPI CALLER {frozen} 4 CALLDATALOAD {frozen}"
    functions = {
        "pause()": f"1 {PAUSED} SSTORE STOP",
        "unpause()": f"0 {PAUSED} SSTORE STOP",
        "paused()": f"{PAUSED} SLOAD {ANSWER}",
        "addBlackList(address)": f"1 4 CALLDATALOAD {BLACKLIST} ADD SSTORE STOP",
        "removeBlackList(address)": f"0 4 CALLDATALOAD {BLACKLIST} ADD SSTORE STOP",
        "isBlackListed(address)": f"4 CALLDATALOAD {BLACKLIST} ADD SLOAD {ANSWER}",
    }
    runtime = _token(6, guard=guard, functions=functions)
    return creation(runtime, {int(holder, 16): supply})


def lying_token() -> bytes:
    """Return a token whose `transfer` succeeds, answers false, and moves and logs nothing."""
    functions = {
        "transfer(address,uint256)": f"0 {ANSWER}",
        "balanceOf(address)": f"0 {ANSWER}",
        "decimals()": f"6 {ANSWER}",
    }
    return creation(assemble(_dispatch(functions)))


def fake_token() -> bytes:
    """Return a contract that logs perfect transfers of nothing: `claim(address,uint256)`.

    Its symbol is USDT and it says that everybody holds a lot.
    """
    word = int.from_bytes(b"USDT".ljust(32, b"\0"))
    functions = {
        "claim(address,uint256)": f"36 CALLDATALOAD 0 MSTORE {TRANSFERRED} STOP",
        "transfer(address,uint256)": f"36 CALLDATALOAD 0 MSTORE {TRANSFERRED} 1 {ANSWER}",
        "balanceOf(address)": f"{10**30} {ANSWER}",
        "decimals()": f"6 {ANSWER}",
        "symbol()": f"32 0 MSTORE 4 32 MSTORE {word} 64 MSTORE 96 0 RETURN",
    }
    return creation(assemble(_dispatch(functions)))


def reverting_emitter() -> bytes:
    """Return a contract that logs a transfer and then reverts: `claim(address,uint256)`."""
    logged = f"36 CALLDATALOAD 0 MSTORE {TRANSFERRED} @refuse JUMP"
    return creation(assemble(_dispatch({"claim(address,uint256)": logged})))


def collectible() -> bytes:
    """Return a contract like ERC-721: `mint(address,uint256)` logs four topics and no data."""
    logged = (
        "36 CALLDATALOAD 4 CALLDATALOAD CALLER $Transfer(address,address,uint256) 0 0 LOG4 STOP"
    )
    return creation(assemble(_dispatch({"mint(address,uint256)": logged})))


def proxy(implementation: str) -> bytes:
    """Return an EIP-1967 proxy; `upgradeTo(address)` is open to all, everything else is passed on."""
    program = f"""
        0 CALLDATALOAD 224 SHR #upgradeTo(address) EQ @upgrade JUMPI
        {IMPLEMENTATION_SLOT} SLOAD {_delegated()}
        upgrade: 4 CALLDATALOAD {IMPLEMENTATION_SLOT} SSTORE STOP
        {REFUSE}"""
    return creation(assemble(program), {IMPLEMENTATION_SLOT: int(implementation, 16)})


def beacon(implementation: str) -> bytes:
    """Return an EIP-1967 beacon: `implementation()`, and `upgradeTo(address)` open to all."""
    functions = {
        "implementation()": f"0 SLOAD {ANSWER}",
        "upgradeTo(address)": "4 CALLDATALOAD 0 SSTORE STOP",
    }
    return creation(assemble(_dispatch(functions)), {0: int(implementation, 16)})


def beacon_proxy(beacon_address: str) -> bytes:
    """Return a proxy that asks its beacon for the implementation at every call."""
    selector = "#implementation() 224 SHL 0 MSTORE"
    program = f"""
        {selector} 32 0 4 0 {BEACON_SLOT} SLOAD GAS STATICCALL ISZERO @refuse JUMPI
        0 MLOAD {_delegated()}
        {REFUSE}"""
    return creation(assemble(program), {BEACON_SLOT: int(beacon_address, 16)})


def forwarder() -> bytes:
    """Return a contract that passes its value on to the address in the first calldata word."""
    return creation(
        assemble("0 0 0 0 CALLVALUE 0 CALLDATALOAD GAS CALL @done JUMPI 0 0 REVERT done: STOP")
    )


def fixed_forwarder(recipient: str) -> bytes:
    """Return a contract that passes its value on to an address in its code.

    A recipient that fails makes it keep the value and succeed.
    """
    return creation(assemble(f"0 0 0 0 CALLVALUE {recipient} GAS CALL STOP"))


def stored_forwarder(recipient: str) -> bytes:
    """Return a contract that passes its value on to an address in its storage."""
    runtime = assemble("0 0 0 0 CALLVALUE 0 SLOAD GAS CALL STOP")
    return creation(runtime, {0: int(recipient, 16)})


def reverting_forwarder(recipient: str) -> bytes:
    """Return a contract that pays an address in its code and then reverts.

    Behind a `fixed_forwarder` it is the inner payment that never happened.
    """
    return creation(assemble(f"0 0 0 0 CALLVALUE {recipient} GAS CALL 0 0 REVERT"))


def self_destructor(recipient: str) -> bytes:
    """Return a contract that destroys itself in favour of an address in its code."""
    return creation(assemble(f"{recipient} SELFDESTRUCT"))


def delegating(target: str) -> bytes:
    """Return a contract that runs `target`'s code with its own value by DELEGATECALL and CALLCODE."""
    return creation(
        assemble(
            f"0 0 0 0 {target} GAS DELEGATECALL POP 0 0 0 0 CALLVALUE {target} GAS CALLCODE STOP"
        )
    )


def _token(
    decimals: int,
    *,
    guard: str = "",
    debited: str = "DUP1",
    credited: str = "DUP1",
    shown: str = "",
    functions: dict[str, str] | None = None,
) -> bytes:
    """Assemble a token.

    `guard` may jump to `refuse`; `debited` and `credited` push what the books lose and gain
    above the asked units; `shown` turns a book entry into a balance.
    """
    transfer = f"""
        {guard} 36 CALLDATALOAD
        {debited} DUP1 CALLER SLOAD LT @refuse JUMPI   ; the caller holds less
        CALLER SLOAD SUB CALLER SSTORE
        {credited} 4 CALLDATALOAD SLOAD ADD 4 CALLDATALOAD SSTORE
        0 MSTORE {TRANSFERRED} 1 {ANSWER}"""
    every = {
        "transfer(address,uint256)": transfer,
        "balanceOf(address)": f"4 CALLDATALOAD SLOAD {shown} {ANSWER}",
        "decimals()": f"{decimals} {ANSWER}",
        **(functions or {}),
    }
    return assemble(_dispatch(every))


def _dispatch(functions: dict[str, str]) -> str:
    """Return a program that runs the body of the called function and refuses any other call."""
    jumps = " ".join(
        f"DUP1 #{name} EQ @body{number} JUMPI" for number, name in enumerate(functions)
    )
    bodies = "\n".join(
        f"body{number}: POP {body}" for number, body in enumerate(functions.values())
    )
    return f"0 CALLDATALOAD 224 SHR {jumps} @refuse JUMP\n{bodies}\n{REFUSE}"


def _delegated() -> str:
    """Return a program that delegates this call to the address on the stack and ends."""
    return """
        CALLDATASIZE 0 0 CALLDATACOPY
        0 0 CALLDATASIZE 0 DUP5 GAS DELEGATECALL
        RETURNDATASIZE 0 0 RETURNDATACOPY
        @passed JUMPI RETURNDATASIZE 0 REVERT
        passed: RETURNDATASIZE 0 RETURN"""
