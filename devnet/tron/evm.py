"""The EVM behind the chain: a private anvil where one sun is one wei and gas is free.

Every call to a contract is a transaction, hence a block, of anvil. `mark` closes the state of
a Tron block; `Evm` can read or return to a marked state as long as anvil keeps it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from devnet.chain import ANVIL, HOST, ChainFault, Rpc, free_port, process, until
from devnet.tron import address

GAS_LIMIT = 1_000_000_000
GAS_MAX = 900_000_000
"""For one call; below anvil's block limit."""
STATES_KEPT = 2_000
"""One per contract call and per Tron block with transactions; none are written to disk."""
GAS_TRANSACTION = 21_000
GAS_ZERO_BYTE, GAS_OTHER_BYTE = 4, 16
LATEST = "latest"

FLAGS = (
    *("--host", HOST, "--silent", "--accounts", "1", "--balance", "0"),
    *("--gas-price", "0", "--block-base-fee-per-gas", "0", "--disable-min-priority-fee"),
    *("--gas-limit", str(GAS_LIMIT), "--auto-impersonate", "--hardfork", "shanghai"),
    *("--prune-history", str(STATES_KEPT)),
)
OPCODE_STEPS = {"disableStack": True, "disableStorage": True, "enableMemory": False}


@dataclass(frozen=True, slots=True)
class Call:
    """A message to a contract."""

    sender: bytes
    recipient: bytes
    data: bytes = b""
    value: int = 0

    @property
    def intrinsic_gas(self) -> int:
        """Return what an EVM charges before the first instruction; Tron has no such charge."""
        zeros = self.data.count(0)
        return (
            GAS_TRANSACTION + GAS_ZERO_BYTE * zeros + GAS_OTHER_BYTE * (len(self.data) - zeros)
        )

    def fields(self, energy: int) -> dict[str, str]:
        """Return the JSON-RPC form, allowed to use `energy`."""
        return {
            "from": address.evm(self.sender),
            "to": address.evm(self.recipient),
            "data": f"0x{self.data.hex()}",
            "value": hex(self.value),
            "gas": hex(min(GAS_MAX, self.intrinsic_gas + energy)),
            "gasPrice": "0x0",
        }


@dataclass(frozen=True, slots=True)
class Run:
    """How a call went. `error` is empty on success; `frames` are the calls it made."""

    energy: int
    error: str
    output: bytes
    frames: list[dict[str, Any]] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Evm:
    """State access and execution."""

    rpc: Rpc

    async def balance(self, account: bytes, at: str = LATEST) -> int:
        """Return sun at a mark."""
        return int(await self.rpc.call("eth_getBalance", address.evm(account), at), 16)

    async def set_balance(self, account: bytes, sun: int) -> None:
        """Replace a balance."""
        await self.rpc.call("anvil_setBalance", address.evm(account), hex(sun))

    async def move(self, sender: bytes, recipient: bytes, sun: int) -> None:
        """Move sun without running code; the caller has checked that it is there."""
        await self.set_balance(sender, await self.balance(sender) - sun)
        await self.set_balance(recipient, await self.balance(recipient) + sun)

    async def code(self, account: bytes) -> str:
        """Return runtime code as hex without 0x."""
        found: str = await self.rpc.call("eth_getCode", address.evm(account), LATEST)
        return found.removeprefix("0x")

    async def set_code(self, account: bytes, code: bytes) -> None:
        """Replace an account's code."""
        await self.rpc.call("anvil_setCode", address.evm(account), f"0x{code.hex()}")

    async def run(self, call: Call, energy: int) -> Run:
        """Execute and keep the effects."""
        # Asked beforehand: anvil keeps no opcode steps of what it has mined.
        steps = await self.rpc.call(
            "debug_traceCall", call.fields(energy), LATEST, OPCODE_STEPS
        )
        receipt = await self.rpc.call("eth_sendTransactionSync", call.fields(energy))
        trace = await self.rpc.call(
            "debug_traceTransaction", receipt["transactionHash"], {"tracer": "callTracer"}
        )
        return _run(call, energy, trace, steps, receipt["logs"])

    async def try_run(self, call: Call, energy: int, at: str) -> Run:
        """Execute without effects at a mark."""
        fields = call.fields(energy)
        trace = await self.rpc.call("debug_traceCall", fields, at, {"tracer": "callTracer"})
        steps = await self.rpc.call("debug_traceCall", fields, at, OPCODE_STEPS)
        return _run(call, energy, trace, steps, [])

    async def undo_run(self) -> None:
        """Take back the newest `run`."""
        await self.rpc.call("anvil_rollback", 1)

    async def mark(self) -> str:
        """Close the present state and return its name."""
        # Anvil stores the state of a block when the next one is mined.
        name: str = await self.rpc.call("eth_blockNumber")
        await self.rpc.call("evm_mine")
        return name

    async def return_to(self, mark: str) -> None:
        """Make a marked state the present one again."""
        newest = int(await self.rpc.call("eth_blockNumber"), 16)
        await self.rpc.call("anvil_rollback", newest - int(mark, 16))
        # Otherwise the next mark would take this one's name and overwrite its state.
        await self.rpc.call("evm_mine")


def _run(
    call: Call,
    energy: int,
    trace: dict[str, Any],
    steps: dict[str, Any],
    logs: list[dict[str, Any]],
) -> Run:
    allowed = min(GAS_MAX, call.intrinsic_gas + energy)
    return Run(
        energy=_energy(steps["structLogs"], allowed, call.intrinsic_gas, trace),
        error=trace.get("error", ""),
        output=bytes.fromhex(trace.get("output", "0x").removeprefix("0x")),
        frames=trace.get("calls", []),
        logs=logs,
    )


def _energy(
    steps: list[dict[str, Any]], allowed: int, intrinsic: int, trace: dict[str, Any]
) -> int:
    """Count gas before refunds, which Tron does not have."""
    charged = int(trace["gasUsed"], 16) - intrinsic
    if not steps or trace.get("error"):
        return max(0, charged)
    last = steps[-1]
    return max(charged, allowed - intrinsic - (int(last["gas"]) - int(last["gasCost"])))


@asynccontextmanager
async def evm() -> AsyncIterator[Evm]:
    """Start a private anvil and stop it."""
    port = free_port()
    rpc = Rpc(f"http://{HOST}:{port}")
    async with process([ANVIL, "--port", str(port), *FLAGS]) as child:
        try:

            async def answers() -> str | None:
                if child.returncode is not None:
                    raise ChainFault(f"anvil ended with {child.returncode}")
                found: str = await rpc.call("eth_chainId")
                return found

            await until(answers, "the emulator's anvil")
            yield Evm(rpc)
        finally:
            await rpc.aclose()
