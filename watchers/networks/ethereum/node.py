"""Questions to an EVM node, with its refusals told apart from its troubles."""

from dataclasses import dataclass
from typing import Any, TypeVar

from watchers.network import NATIVE, Incomplete, NodeUnavailable
from watchers.networks.ethereum.erc20 import WORD_HEX, balance_call
from watchers.networks.ethereum.wire import quantity
from watchers.rpc import JsonRpc, RpcError

T = TypeVar("T")

REVERTED_CODE = 3
REVERTED_WORDS = ("revert", "insufficient", "gas required exceeds", "out of gas", "outofgas")
"""Nodes share no error codes: geth, Nethermind, Erigon, Besu and anvil each say one of these."""


@dataclass(frozen=True, slots=True)
class Node:
    """Typed calls to whichever endpoint is current."""

    rpc: JsonRpc

    async def known(self, method: str, params: list[Any], kind: type[T], what: str) -> T:
        """Ask for what the node may not have: null and refusals are `Incomplete`."""
        try:
            found = await self.rpc.call(method, params, kind | None)  # type: ignore[arg-type]
        except RpcError as refusal:
            self.distrust()
            raise Incomplete(f"{what}: {refusal}") from refusal
        if found is None:
            self.distrust()
            raise Incomplete(f"{what}: the node does not have it")
        known: T = found
        return known

    async def known_many(
        self, method: str, many: list[list[Any]], kind: type[T], what: str
    ) -> list[T]:
        """Ask the same about several things in one exchange; one that is not known spoils all."""
        if not many:
            return []
        try:
            found = await self.rpc.call_batch(method, many, kind | None)  # type: ignore[arg-type]
        except RpcError as refusal:
            self.distrust()
            raise Incomplete(f"{what}: {refusal}") from refusal
        known = [each for each in found if each is not None]
        if len(known) != len(many):
            self.distrust()
            raise Incomplete(f"{what}: the node does not have it")
        return known

    async def ask(self, method: str, params: list[Any], kind: type[T]) -> T:
        """Ask for what every node has: a refusal is its trouble, `NodeUnavailable`."""
        try:
            return await self.rpc.call(method, params, kind)
        except RpcError as refusal:
            self.distrust()
            raise NodeUnavailable(f"{method}: {refusal}") from refusal

    async def number(self, method: str, params: list[Any]) -> int:
        """Ask for a quantity."""
        return _number(method, await self.ask(method, params, str))

    async def balance(self, address: str, asset: str) -> int:
        """Return wei or token units at the latest block.

        A contract that does not answer with one word is `NodeUnavailable`: a node without the
        state and an address without a token look the same from here.
        """
        if asset == NATIVE:
            return await self.number("eth_getBalance", [address, "latest"])
        call = {"to": asset, "data": "0x" + balance_call(address).hex()}
        answer = await self.ask("eth_call", [call, "latest"], str)
        if len(answer) != WORD_HEX:
            raise NodeUnavailable(f"balanceOf at {asset} answered {answer[:80]!r}")
        return _number("balanceOf", answer)

    def distrust(self) -> None:
        """Let the next question go to another endpoint, where there is one."""
        self.rpc.endpoints.rotate()


def _number(method: str, answer: str) -> int:
    try:
        return quantity(answer)
    except ValueError as trouble:
        raise NodeUnavailable(f"{method}: {trouble}") from trouble


def reverted(refusal: RpcError) -> bool:
    """Tell a call that cannot succeed from a node that is in trouble."""
    words = refusal.message.lower()
    return refusal.code == REVERTED_CODE or any(each in words for each in REVERTED_WORDS)
