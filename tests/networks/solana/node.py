"""A node in memory that answers JSON-RPC over HTTP as it is told, errors and omissions included."""

from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from tests.networks.solana.documents import block

HOST = "127.0.0.1"
GENESIS = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
RENT_PER_BYTE = 6_960
RENT_HEAD_BYTES = 128


class Fault(Exception):
    """A JSON-RPC error object."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def rent(data_bytes: int) -> int:
    """Return the rent-exempt minimum by the cluster's formula."""
    return (RENT_HEAD_BYTES + data_bytes) * RENT_PER_BYTE


def account(
    owner: str, data: bytes = b"", lamports: int | None = None, *, executable: bool = False
) -> dict[str, Any]:
    """Return one account as `getMultipleAccounts` lists it."""
    return {
        "lamports": rent(len(data)) if lamports is None else lamports,
        "owner": owner,
        "executable": executable,
        "rentEpoch": 2**64 - 1,
        "space": len(data),
        "data": [b64encode(data).decode(), "base64"],
    }


@dataclass(slots=True)
class Node:
    """Blocks by slot and accounts by address; `faults` maps a slot or a method to a code."""

    blocks: dict[int, Any] = field(default_factory=dict)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    faults: dict[int | str, int] = field(default_factory=dict)
    fees: Sequence[int] = ()
    lists: Sequence[int] | None = None
    """What `getBlocks` says instead of the truth."""
    version_max: int = 255
    version_needed: int = 0
    genesis: str = GENESIS
    played: Any = None
    """What a simulation fails with."""
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def times_asked(self, method: str) -> int:
        """Return how often a method was called."""
        return sum(name == method for name, _ in self.asked)

    def answer(self, method: str, params: list[Any]) -> Any:
        """Return the result of one call or raise `Fault`."""
        self.asked.append((method, params))
        if method in self.faults:
            raise Fault(self.faults[method])
        return getattr(self, f"_{method}")(*params)

    def _getGenesisHash(self) -> str:  # noqa: N802 - the methods' own names
        return self.genesis

    def _getSlot(self, _config: Any) -> int:  # noqa: N802
        return max(self.blocks)

    def _getBlocks(self, first: int, last: int, _config: Any) -> list[int]:  # noqa: N802
        if self.lists is not None:
            return list(self.lists)
        return sorted(slot for slot in self.blocks if first <= slot <= last)

    def _getBlock(self, slot: int, config: dict[str, Any]) -> Any:  # noqa: N802
        if slot in self.faults:
            raise Fault(self.faults[slot])
        accepted = config["maxSupportedTransactionVersion"]
        if accepted > self.version_max:
            raise Fault(-32602)
        if accepted < self.version_needed:
            raise Fault(-32015)
        if slot not in self.blocks:
            raise Fault(-32004)
        return self.blocks[slot]

    def _getBalance(self, address: str, _config: Any) -> Any:  # noqa: N802
        held = self.accounts.get(address, {"lamports": 0})
        return {"context": {"slot": 1}, "value": held["lamports"]}

    def _getMultipleAccounts(self, addresses: list[str], _config: Any) -> Any:  # noqa: N802
        return {"context": {"slot": 1}, "value": [self.accounts.get(key) for key in addresses]}

    def _getMinimumBalanceForRentExemption(self, size: int, _config: Any) -> int:  # noqa: N802
        return rent(size)

    def _getRecentPrioritizationFees(self, _written: Any) -> Any:  # noqa: N802
        return [{"slot": n, "prioritizationFee": fee} for n, fee in enumerate(self.fees)]

    def _getLatestBlockhash(self, _config: Any) -> Any:  # noqa: N802
        value = {"blockhash": GENESIS, "lastValidBlockHeight": 7}
        return {"context": {"slot": 1}, "value": value}

    def _simulateTransaction(self, _raw: str, _config: Any) -> Any:  # noqa: N802
        value = {"err": self.played, "logs": ["Program log: Error: as told"]}
        return {"context": {"slot": 1}, "value": value}

    def _sendTransaction(self, _raw: str, _config: Any) -> str:  # noqa: N802
        return "signature"


def chain_of(*slots: int) -> dict[int, Any]:
    """Return empty blocks at these slots, each linked to the one before it."""
    hashes = [block(slot=slot)["blockhash"] for slot in slots]
    return {
        slot: block(slot=slot, previousBlockhash=before)
        for slot, before in zip(slots, ["root", *hashes[:-1]], strict=True)
    }


@asynccontextmanager
async def serving(node: Node) -> AsyncIterator[str]:
    """Serve a node on a free port of this machine; yield its URL."""

    async def handle(request: web.Request) -> web.Response:
        call = msgspec.json.decode(await request.read())
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": call["id"]}
        try:
            reply["result"] = node.answer(call["method"], call["params"])
        except Fault as fault:
            reply["error"] = {"code": fault.code, "message": "as told"}
        return web.Response(body=msgspec.json.encode(reply), content_type="application/json")

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
