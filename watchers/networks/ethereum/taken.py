"""By which transaction a nonce was taken, and by whom: its bytes prove it."""

from watchers.network import NodeUnavailable, Place, Placed
from watchers.networks.ethereum.node import Node
from watchers.networks.ethereum.signer import Sent, Signer, octets, rebuilt, signer_of
from watchers.networks.ethereum.wire import quantity
from watchers.rpc import Endpoints, JsonRpc, RpcError

METHOD = "eth_getTransactionByHash"


async def placed(
    endpoints: Endpoints, tx_hash: str, place: Place, raw: bytes | None = None
) -> Placed | None:
    """Return who sent a transaction on which nonce, and its block; None where it stands in none.

    Sender and nonce are read from the signed bytes, which the hash proves: a node's word for them
    counts for nothing. `raw` are the bytes where a person has them; `ValueError` for any others.
    """
    del place
    signer = None if raw is None else _proved(raw, tx_hash)
    if raw is not None and signer is None:
        raise ValueError(f"raw: not the bytes of {tx_hash}")
    node = Node(JsonRpc(endpoints))
    sent = await node.ask(METHOD, [tx_hash], Sent | None)  # type: ignore[arg-type]
    if sent is None or sent.block_hash is None or sent.block_number is None:
        return None
    if sent.hash.lower() != tx_hash:
        raise NodeUnavailable(f"{METHOD}: another transaction")
    signer = signer or await _signer(node.rpc, sent, tx_hash)
    try:
        nonce, height = quantity(sent.nonce), quantity(sent.block_number)
    except ValueError as trouble:
        raise NodeUnavailable(f"{METHOD}: {trouble}") from trouble
    if (sent.from_.lower(), nonce) != (signer.sender, signer.nonce):
        raise NodeUnavailable(f"{METHOD}: another sender or nonce than the bytes have")
    return Placed(signer.sender, signer.nonce, height, sent.block_hash.lower())


async def _signer(rpc: JsonRpc, sent: Sent, tx_hash: str) -> Signer:
    """Read the bytes that a node gives, or that its own words make; only the hash decides."""
    try:
        text = await rpc.call("eth_getRawTransactionByHash", [tx_hash], str | None)  # type: ignore[arg-type]
    except RpcError:
        text = None  # not every node has the method
    for raw in (_given(text or ""), _made(sent)):
        if (signer := _proved(raw, tx_hash)) is not None:
            return signer
    raise NodeUnavailable(
        f"{METHOD}: the node does not give its bytes: name them yourself (--raw)"
    )


def _given(text: str) -> bytes:
    try:
        return octets(text)
    except ValueError:
        return b""


def _made(sent: Sent) -> bytes:
    try:
        return rebuilt(sent)
    except ValueError:
        return b""


def _proved(raw: bytes, tx_hash: str) -> Signer | None:
    """Return what the bytes say, if they are that transaction's."""
    try:
        signer = signer_of(raw)
    except ValueError:
        return None
    return signer if signer.tx_hash == tx_hash else None
