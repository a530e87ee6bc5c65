"""JSON-RPC shapes that reader and writer share, and what a node's error codes mean."""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

from watchers.network import Incomplete, NodeUnavailable
from watchers.rpc import JsonRpc, RpcError

T = TypeVar("T")

INVALID_PARAMS = -32602
UNSUPPORTED_VERSION = -32015

NOT_KNOWN_HERE = {
    -32001: "block is cleaned up on this node",
    -32004: "block is not available for this slot",
    -32005: "node is behind",
    -32007: "slot was skipped, or is missing on this node",
    -32009: "slot was skipped, or is missing in long-term storage",
    -32014: "block status is not available yet",
    -32016: "node has not reached the minimum context slot",
    -32019: "long-term storage cannot be reached",
}
"""Codes by which a node says that it does not know; none of them proves anything."""


class Valued(msgspec.Struct, Generic[T], gc=False):
    """An answer with a context, as most account calls give it."""

    value: T


class AccountDocument(msgspec.Struct, gc=False):
    """One account in base64 encoding, as `getMultipleAccounts` lists it."""

    lamports: int
    owner: str
    data: tuple[str, str]

    def content(self) -> bytes:
        """Return the account's data; raise `NodeUnavailable` where it is not base64."""
        text, encoding = self.data
        if encoding != "base64":
            raise NodeUnavailable(f"account data in {encoding}, base64 was asked for")
        try:
            return b64decode(text, validate=True)
        except NotBase64 as trouble:
            raise NodeUnavailable(f"account data: {trouble}") from trouble


async def ask(rpc: JsonRpc, method: str, params: Sequence[Any], kind: type[T]) -> T:
    """Call one method; the node's error becomes `Incomplete` or `NodeUnavailable`, in words."""
    try:
        return await rpc.call(method, params, kind)
    except RpcError as error:
        raise in_words(method, error) from error


def in_words(method: str, error: RpcError) -> Incomplete | NodeUnavailable:
    """Say what a node's error means: it does not know, or it does not serve."""
    words = NOT_KNOWN_HERE.get(error.code)
    if words is None:
        return NodeUnavailable(f"{method}: {error}")
    return Incomplete(f"{method}: {words} ({error})")


class _Priority(msgspec.Struct, gc=False):
    prioritizationFee: int  # noqa: N815 - the chain's own field name


async def recent_prices(rpc: JsonRpc, written: Sequence[str]) -> list[int]:
    """Return what recent blocks took, micro-lamports per unit, for writing these accounts."""
    found = await ask(rpc, "getRecentPrioritizationFees", [list(written)], list[_Priority])
    return [each.prioritizationFee for each in found]


async def accounts(
    rpc: JsonRpc, addresses: Sequence[str], commitment: str
) -> list[AccountDocument | None]:
    """Return the accounts in the order asked (at most 100), None where one does not exist."""
    config = {"encoding": "base64", "commitment": commitment}
    answer = await ask(
        rpc,
        "getMultipleAccounts",
        [list(addresses), config],
        Valued[list[AccountDocument | None]],
    )
    if len(answer.value) != len(addresses):
        raise NodeUnavailable(f"{len(answer.value)} of {len(addresses)} accounts answered")
    return answer.value


async def rent_minimum(rpc: JsonRpc, data_bytes: int) -> int:
    """Return the lamports that an account with so much data has to hold."""
    params = [data_bytes, {"commitment": "confirmed"}]
    return await ask(rpc, "getMinimumBalanceForRentExemption", params, int)


class HeldAccount(msgspec.Struct, gc=False):
    """One token account with its address."""

    pubkey: str
    account: AccountDocument


async def token_accounts(
    rpc: JsonRpc, owner: str, mint: str, commitment: str
) -> list[HeldAccount]:
    """Return every account of a mint that this owner has, the canonical one among them."""
    config = {"encoding": "base64", "commitment": commitment}
    params = [owner, {"mint": mint}, config]
    answer = await ask(rpc, "getTokenAccountsByOwner", params, Valued[list[HeldAccount]])
    return answer.value
