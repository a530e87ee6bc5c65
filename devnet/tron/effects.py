"""What a run of the EVM did, as Tron tells it: events, inner transfers, new accounts. Pure."""

from hashlib import sha256
from typing import Any

from devnet.tron import address
from devnet.tron.evm import Run
from devnet.tron.receipt import InternalTransfer, Log
from devnet.tron.world import World

NOTES = {"CREATE": b"create", "CREATE2": b"create", "SELFDESTRUCT": b"suicide"}


def log(entry: dict[str, Any]) -> Log:
    """Read an event of the EVM."""
    return Log(
        address.from_evm(entry["address"])[1:],
        tuple(bytes.fromhex(topic[2:]) for topic in entry["topics"]),
        bytes.fromhex(entry["data"][2:]),
    )


def internals(run: Run) -> tuple[InternalTransfer, ...]:
    """List every inner call; what was undone is `rejected`."""
    found: list[InternalTransfer] = []

    def walk(frames: list[dict[str, Any]], *, undone: bool) -> None:
        # A frame below one that failed carries no error of its own.
        for frame in frames:
            rejected = undone or bool(frame.get("error"))
            found.append(
                InternalTransfer(
                    caller=address.from_evm(frame["from"]),
                    recipient=address.from_evm(frame["to"]),
                    value=int(frame.get("value", "0x0"), 16),
                    note=NOTES.get(frame["type"], b"call"),
                    rejected=rejected,
                )
            )
            walk(frame.get("calls", []), undone=rejected)

    walk(run.frames, undone=bool(run.error))
    return tuple(found)


def register(frames: list[dict[str, Any]], world: World, now_ms: int) -> None:
    """Activate accounts that a contract paid or created."""
    for frame in frames:
        if frame.get("error"):
            continue
        target = address.from_evm(frame["to"])
        if frame["type"] in {"CREATE", "CREATE2"}:
            creator = address.from_evm(frame["from"])
            world.contracts.setdefault(
                target, {"origin_address": creator, "contract_address": target}
            )
            world.activate(target, now_ms, is_contract=True)
        elif int(frame.get("value", "0x0"), 16):
            world.activate(target, now_ms)
        register(frame.get("calls", []), world, now_ms)


def internal_id(transaction_id: str, index: int) -> str:
    """Return a hash that names one internal transfer."""
    return sha256(f"{transaction_id}/{index}".encode()).hexdigest()
