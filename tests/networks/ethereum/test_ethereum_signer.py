"""Who signed what on which nonce: read from bytes of every kind, against eth-account, and no word else."""

from contextlib import aclosing
from typing import Any

import pytest
import rlp
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.node import RpcFailure, serving, table
from tests.networks.ethereum.rig import HOT_ADDRESS, HOT_KEY
from watchers.network import NodeUnavailable, Place, Placed
from watchers.networks.ethereum.address import checksummed
from watchers.networks.ethereum.signer import Signer, signer_of
from watchers.networks.ethereum.taken import placed
from watchers.rpc import Endpoints

pytestmark = pytest.mark.anyio
PAYEE = checksummed("0x" + "aa" * 20)
BLOB = "0x01" + "bb" * 31
ACCESS = [{"address": PAYEE, "storageKeys": ["0x" + "00" * 31 + "07"]}]
CALL = {"nonce": 7, "gas": 21_000, "to": PAYEE, "value": 12_345, "data": b"\1\2"}
FEES = {"maxPriorityFeePerGas": 100_000_000, "maxFeePerGas": 2_000_000_000, "chainId": 1}
DELEGATION = Account.sign_authorization({"chainId": 1, "address": PAYEE, "nonce": 0}, HOT_KEY)
KINDS: dict[str, dict[str, Any]] = {
    "legacy": {**CALL, "gasPrice": 10**9},
    "legacy of a chain": {**CALL, "gasPrice": 10**9, "chainId": 1},
    "access list": {
        **CALL, "type": 1, "gasPrice": 10**9, "chainId": 1, "accessList": ACCESS,
    },
    "fee caps": {**CALL, "type": 2, **FEES, "accessList": ACCESS},
    "creation": {**CALL, "type": 2, **FEES, "to": ""},
    "blobs": {
        **CALL, "type": 3, **FEES, "maxFeePerBlobGas": 9, "blobVersionedHashes": [BLOB],
    },
    "delegations": {**CALL, "type": 4, **FEES, "authorizationList": [DELEGATION]},
}  # fmt: skip
EIP155 = bytes.fromhex(
    "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025"
    "a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
    "a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
)
"""The example of EIP-155: nonce 9, the key 0x46 32 times."""
WHERE = {"blockHash": "0x" + "CD" * 32, "blockNumber": "0x10"}


def signed(kind: str) -> tuple[bytes, str]:
    """Return the bytes and the hash that eth-account makes of a kind."""
    made = Account.sign_transaction(KINDS[kind], HOT_KEY)
    return bytes(made.raw_transaction), "0x" + bytes(made.hash).hex()


def told(kind: str) -> dict[str, Any]:
    """Return the transaction as nodes tell it (execution-apis), with all of its words."""
    raw, tx_hash = signed(kind)
    asked = KINDS[kind]
    fields = rlp.decode(raw[1:] if raw[0] < 0xC0 else raw)
    v, r, s = ("0x" + (each.hex().lstrip("0") or "0") for each in fields[-3:])
    legacy = raw[0] >= 0xC0
    words: dict[str, Any] = {
        "hash": tx_hash,
        "from": checksummed(HOT_ADDRESS),
        "type": "0x0" if legacy else hex(raw[0]),
        "nonce": hex(asked["nonce"]),
        "gas": hex(asked["gas"]),
        "to": asked["to"] or None,
        "value": hex(asked["value"]),
        "input": "0x" + asked["data"].hex(),
        "v": v, "r": r, "s": s,
        **({} if legacy else {"yParity": v, "accessList": asked.get("accessList", [])}),
        **WHERE,
    }  # fmt: skip
    for name in (
        "gasPrice",
        "maxPriorityFeePerGas",
        "maxFeePerGas",
        "chainId",
        "maxFeePerBlobGas",
    ):
        if name in asked:
            words[name] = hex(asked[name])
    words["blobVersionedHashes"] = asked.get("blobVersionedHashes", [])
    if kind == "delegations":
        words["authorizationList"] = [
            {
                "chainId": "0x1", "address": PAYEE, "nonce": "0x0",
                "yParity": hex(DELEGATION.y_parity), "r": hex(DELEGATION.r), "s": hex(DELEGATION.s),
            }
        ]  # fmt: skip
    return words


async def ask(tx_hash: str, raw: bytes | None = None, **answers: Any) -> Placed | None:
    """Ask a node that gives these answers."""
    async with serving(table(**answers)) as one, aclosing(Endpoints([one.url])) as endpoints:
        return await placed(endpoints, tx_hash, Place(HOT_ADDRESS, 7), raw)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_names_its_sender_and_nonce(kind: str) -> None:
    """What eth-account signed is read back; one octet less or more is no transaction."""
    raw, tx_hash = signed(kind)
    assert signer_of(raw) == Signer(tx_hash, HOT_ADDRESS, 7)
    for other in (raw[:-1], raw + b"\0", b""):
        with pytest.raises(ValueError, match="raw"):
            signer_of(other)


def test_the_published_example_is_read() -> None:
    """EIP-155, "Example"; a kind that no key signs (0x7e, the OP stack's deposits) is refused."""
    found = signer_of(EIP155)
    assert (found.nonce, found.sender) == (9, "0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f")
    assert Account.recover_transaction(EIP155).lower() == found.sender
    with pytest.raises(ValueError, match="type 126"):
        signer_of(b"\x7e" + EIP155)


@given(raw=st.binary(max_size=200))
def test_anything_else_is_refused_in_words(raw: bytes) -> None:
    """No bytes of a stranger end in anything but a refusal."""
    with pytest.raises(ValueError, match=r"raw|type|signature"):
        signer_of(raw)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_node_proves_by_bytes_who_took_a_nonce_or_by_every_field_of_them(
    kind: str,
) -> None:
    """With the raw bytes; without them they are put together again, and their hash is compared."""
    raw, tx_hash = signed(kind)
    words = told(kind)
    here = Placed(HOT_ADDRESS, 7, 16, "0x" + "cd" * 32)
    method = "eth_getRawTransactionByHash"
    kinds_of_answer: tuple[dict[str, Any], ...] = (
        {method: "0x" + raw.hex()},
        {},
        {method: None},
    )
    for answers in kinds_of_answer:
        assert await ask(tx_hash, eth_getTransactionByHash=words, **answers) == here
    bare = {key: words[key] for key in ("hash", "from", "nonce", *WHERE)}
    assert await ask(tx_hash, raw, eth_getTransactionByHash=bare) == here
    with pytest.raises(NodeUnavailable, match="--raw"):
        await ask(tx_hash, eth_getTransactionByHash=bare)


async def test_a_node_that_names_another_sender_or_nonce_is_not_believed() -> None:
    """Its word alone would have given back what may still land."""
    raw, tx_hash = signed("fee caps")
    words, given_bytes = told("fee caps"), "0x" + raw.hex()
    for lie in ({"nonce": "0x8"}, {"from": PAYEE}):
        with pytest.raises(NodeUnavailable, match="another sender or nonce"):
            await ask(
                tx_hash,
                eth_getTransactionByHash={**words, **lie},
                eth_getRawTransactionByHash=given_bytes,
            )
    other = Account.sign_transaction({**KINDS["fee caps"], "nonce": 8}, HOT_KEY)
    lies = {**words, "nonce": "0x8"}
    for answer in ("0x" + bytes(other.raw_transaction).hex(), "0xzz", RpcFailure(-32000, "no")):
        with pytest.raises(NodeUnavailable, match="--raw"):
            await ask(
                tx_hash, eth_getTransactionByHash=lies, eth_getRawTransactionByHash=answer
            )
    with pytest.raises(ValueError, match="raw: not the bytes of"):
        await ask(tx_hash, bytes(other.raw_transaction), eth_getTransactionByHash=words)


async def test_what_stands_in_no_block_stands_nowhere() -> None:
    """A node that speaks of another transaction is away."""
    _, tx_hash = signed("legacy")
    words = told("legacy")
    for answer in ({**words, "blockHash": None, "blockNumber": None}, None):
        assert await ask(tx_hash, eth_getTransactionByHash=answer) is None
    with pytest.raises(NodeUnavailable, match="another transaction"):
        await ask(tx_hash, eth_getTransactionByHash={**words, "hash": "0x77"})
