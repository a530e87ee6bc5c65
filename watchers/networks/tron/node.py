"""The calls of a Tron node that eyes and hands share, typed.

Every call asks for `visible: false`. With `true` a node copies foreign texts (account names,
asset names) into its JSON, and an unlucky or hostile one makes the whole answer unreadable; in
hex nobody's text can.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from watchers.network import BlockRef, Incomplete, NodeUnavailable
from watchers.networks.tron.address import from_base58, to_hex
from watchers.networks.tron.answers import (
    Account,
    Answer,
    CallAnswer,
    ChainParameters,
    Resources,
)
from watchers.networks.tron.decode import decode_header
from watchers.rpc import Endpoints

A = TypeVar("A", bound=Answer)
_WORD = re.compile("[0-9a-fA-F]{64}")


def address_word(address: str) -> str:
    """Write a base58 address as the 32-byte ABI word that a contract takes, in hex."""
    return from_base58(address)[1:].rjust(32, b"\0").hex()


@dataclass(slots=True)
class TronNode:
    """A full node's HTTP face (`/wallet` newest state, `/walletsolidity` final state)."""

    endpoints: Endpoints
    _decoders: dict[type, msgspec.json.Decoder[Any]] = field(default_factory=dict)

    async def fetch(self, path: str, query: Mapping[str, Any]) -> bytes:
        """Return the undecoded answer to one call."""
        return await self.endpoints.post(path, msgspec.json.encode({**query, "visible": False}))

    async def ask(self, path: str, query: Mapping[str, Any], kind: type[A]) -> A:
        """Call and decode; raise `NodeUnavailable` for another shape or the node's `Error`."""
        body = await self.fetch(path, query)
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.json.Decoder(kind)
        try:
            answer: A = decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as trouble:
            self.endpoints.rotate()
            raise NodeUnavailable(f"{path}: {trouble}") from trouble
        if answer.error is not None:
            raise NodeUnavailable(f"{path}: {answer.error}")
        return answer

    async def newest(self) -> BlockRef:
        """Return the newest block's identity."""
        return await self._header("/wallet/getblock", None)

    async def newest_solid(self) -> BlockRef:
        """Return the identity of the newest block that cannot be undone any more."""
        return await self._header("/walletsolidity/getblock", None)

    async def at(self, height: int) -> BlockRef:
        """Return the identity of the block at `height`."""
        return await self._header("/wallet/getblock", height)

    async def account(self, address: str) -> Account:
        """Return an account; one that was never activated has an empty address."""
        return await self.ask("/wallet/getaccount", {"address": to_hex(address)}, Account)

    async def resources(self, address: str) -> Resources:
        """Return bandwidth and energy of an account."""
        query = {"address": to_hex(address)}
        return await self.ask("/wallet/getaccountresource", query, Resources)

    async def parameters(self) -> dict[str, int]:
        """Return the network's prices and switches by name."""
        answer = await self.ask("/wallet/getchainparameters", {}, ChainParameters)
        if not answer.parameters:
            raise Incomplete("the node lists no chain parameters")
        return {parameter.key: parameter.value for parameter in answer.parameters}

    async def call(self, caller: str, contract: str, selector: str, words: str) -> CallAnswer:
        """Simulate a contract call at the newest state; `words` is the ABI-encoded hex."""
        query = {
            "owner_address": to_hex(caller),
            "contract_address": to_hex(contract),
            "function_selector": selector,
            "parameter": words,
        }
        return await self.ask("/wallet/triggerconstantcontract", query, CallAnswer)

    async def token_balance(self, contract: str, address: str) -> int:
        """Return `balanceOf(address)`; raise `Incomplete` where the contract does not answer."""
        words = address_word(address)
        answer = await self.call(address, contract, "balanceOf(address)", words)
        word = answer.constant_result[0] if answer.constant_result else ""
        if call_failure(answer) or not _WORD.fullmatch(word):
            reason = call_failure(answer) or "no 32-byte result"
            raise Incomplete(f"balanceOf on {contract}: {reason}")
        return int(word, 16)

    async def _header(self, path: str, height: int | None) -> BlockRef:
        asked = {} if height is None else {"id_or_num": str(height)}
        return decode_header(height, await self.fetch(path, {**asked, "detail": False}))


def call_failure(answer: CallAnswer) -> str:
    """Return why a simulated call failed, in the node's words; empty where it succeeded."""
    code, message = answer.result.code, words_of(answer.result.message)
    if message or code not in {"", "SUCCESS"}:
        return f"{code} {message}".strip()
    results = [ret.ret for ret in answer.transaction.ret if ret.ret not in {"", "SUCESS"}]
    if results or not answer.result.result:
        return " ".join(results) or "no result"
    return ""


def words_of(message: str) -> str:
    """Return a node's message as text: some calls write it in hex, some plainly."""
    try:
        return bytes.fromhex(message).decode()
    except ValueError:
        return message
