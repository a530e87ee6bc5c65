"""The value of a durable-nonce account, as enough nodes tell it of final state.

A payment signed on a value that the account never held can never land, and nothing but that
account's own movement proves it: no single node's word is taken where several are configured.
"""

from collections import Counter

import msgspec

from watchers.network import Incomplete, NodeUnavailable
from watchers.networks.solana.accounts import SYSTEM_PROGRAM, NonceState, nonce_state
from watchers.networks.solana.wire import AccountDocument, Valued, in_words
from watchers.rpc import JsonRpc, RpcError

FINAL = {"encoding": "base64", "commitment": "finalized"}


class _Context(msgspec.Struct, gc=False):
    slot: int


class Told(Valued[list[AccountDocument | None]], gc=False):
    """The accounts as one node tells them, and of which slot."""

    context: _Context


async def held(rpc: JsonRpc, address: str, quorum: int) -> tuple[NonceState | None, int]:
    """Return the state that `quorum` nodes show, and more than any other, with their highest slot.

    None stands for no account. Raises `Incomplete` where they do not agree, or too few answer.
    """
    states: Counter[NonceState | None] = Counter()
    slots: dict[NonceState | None, int] = {}
    troubles: list[str] = []
    for each in await rpc.call_everywhere("getMultipleAccounts", [[address], FINAL], Told):
        try:
            state, slot = _state(each)
            states[state] += 1
            slots[state] = max(slot, slots.get(state, 0))
        except (Incomplete, NodeUnavailable) as trouble:
            troubles.append(str(trouble))
    if not states:
        raise Incomplete(f"nonce account {address}: {'; '.join(troubles)}")
    (first, count), *others = states.most_common(2)
    if count < quorum or (others and others[0][1] == count):
        shown = f"{count} of {quorum} nodes agree about nonce account {address}"
        raise Incomplete("; ".join([shown, *troubles]))
    return first, slots[first]


def _state(told: Told | RpcError | NodeUnavailable) -> tuple[NonceState | None, int]:
    """Read one node's answer; raise its trouble. Another program's account holds no nonce."""
    if isinstance(told, RpcError):
        raise in_words("getMultipleAccounts", told)
    if isinstance(told, NodeUnavailable):
        raise told
    if len(told.value) != 1:
        raise NodeUnavailable(f"{len(told.value)} accounts answered, 1 was asked for")
    (account,) = told.value
    if account is None or account.owner != SYSTEM_PROGRAM:
        return None, told.context.slot
    return nonce_state(account.content()), told.context.slot
