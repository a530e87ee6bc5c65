"""Signed bytes handed to every node of a Tron network: one that keeps them is enough."""

import msgspec

from watchers.network import BroadcastRejected, NodeUnavailable
from watchers.networks.tron.answers import BroadcastAnswer
from watchers.networks.tron.node import words_of
from watchers.rpc import Endpoints

PATH = "/wallet/broadcasthex"
TAKEN = "SUCCESS"


async def broadcast(endpoints: Endpoints, raw: bytes) -> None:
    """Return where a node says that it took the bytes; they expire, so one may be lying.

    Else `BroadcastRejected` carries a node's words; `NodeUnavailable` says that none was heard.
    """
    request = msgspec.json.encode({"transaction": raw.hex(), "visible": False})
    refused, troubles = [], []
    for body in await endpoints.post_everywhere(PATH, request):
        try:
            code = _said(body)
        except NodeUnavailable as trouble:
            troubles.append(str(trouble))
            continue
        if code == TAKEN:
            return
        refused.append(code)
    if refused:
        raise BroadcastRejected(refused[0])
    raise NodeUnavailable("; ".join(troubles))


def _said(body: bytes | NodeUnavailable) -> str:
    """Return `SUCCESS`, or another code with the node's words."""
    if isinstance(body, NodeUnavailable):
        raise body
    try:
        answer = msgspec.json.decode(body, type=BroadcastAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as trouble:
        raise NodeUnavailable(f"{PATH}: {trouble}") from trouble
    if answer.error is not None:
        raise NodeUnavailable(f"{PATH}: {answer.error}")
    code = answer.code or (TAKEN if answer.result else "")
    if not code:
        raise NodeUnavailable(f"{PATH}: neither result nor code")
    return code if code == TAKEN else f"{code}: {words_of(answer.message)}"
