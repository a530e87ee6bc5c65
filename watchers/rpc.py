"""JSON-RPC 2.0 to a network's nodes, decoded by type.

Every answer is decoded by msgspec into the type the caller names; a body of another shape is the
node's fault (`NodeUnavailable`), never an empty answer, and another node is asked. Reasons name
a node by host and port only: paths and user parts of a URL often hold a provider's key.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from watchers.network import NodeUnavailable, printable
from watchers.providers.endpoints import Endpoints

__all__ = ["Endpoints", "JsonRpc", "RpcError"]

T = TypeVar("T")

BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What bytes that are no JSON, or JSON of another shape, cause."""


class RpcError(Exception):
    """The node answered with a JSON-RPC error object."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {printable(message)}")
        self.code = code
        self.message = printable(message)


class _ErrorObject(msgspec.Struct, gc=False):
    code: int
    message: str = ""


class _Envelope(msgspec.Struct, Generic[T], gc=False):
    result: T | msgspec.UnsetType = msgspec.UNSET
    error: _ErrorObject | None = None
    id: int | str | None = None


@dataclass(slots=True)
class JsonRpc:
    """Calls of methods over `Endpoints`."""

    endpoints: Endpoints
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _decoders: dict[Any, msgspec.json.Decoder[Any]] = field(default_factory=dict)

    async def call(self, method: str, params: Sequence[Any], kind: type[T]) -> T:
        """Call one method; return its result as `kind` (use `X | None` where null may come).

        Raises `RpcError` for the node's own refusal and `NodeUnavailable` where no node gave a
        result of that shape.
        """
        number = next(self._ids)
        read = partial(self._result, method, number, kind)
        return await self.endpoints.ask("", _encoded(method, number, params), read)

    async def call_batch(
        self, method: str, many: Sequence[Sequence[Any]], kind: type[T]
    ) -> list[T]:
        """Call one method for each list of parameters in one exchange; return in that order.

        Answers are matched by their ids, in whatever order they come. One that is missing or an
        error spoils the whole: `NodeUnavailable` for the first, `RpcError` for the other.
        """
        numbers = [next(self._ids) for _ in many]
        requests = [_encoded(method, *each) for each in zip(numbers, many, strict=True)]
        read = partial(self._results, method, numbers, kind)
        return await self.endpoints.ask("", b"[" + b",".join(requests) + b"]", read)

    async def call_everywhere(
        self, method: str, params: Sequence[Any], kind: type[T]
    ) -> list[T | RpcError | NodeUnavailable]:
        """Call one method on every node; return what each said, troubles and refusals too."""
        number = next(self._ids)
        request = _encoded(method, number, params)
        said: list[T | RpcError | NodeUnavailable] = []
        for body in await self.endpoints.post_everywhere("", request):
            if isinstance(body, NodeUnavailable):
                said.append(body)
                continue
            try:
                said.append(self._result(method, number, kind, body))
            except (RpcError, NodeUnavailable) as trouble:
                said.append(trouble)
        return said

    def _results(self, method: str, numbers: list[int], kind: type[T], body: bytes) -> list[T]:
        decoder = self._decoder(kind, many=True)
        try:
            found: dict[Any, _Envelope[T]] = {each.id: each for each in decoder.decode(body)}
        except BROKEN as trouble:
            raise NodeUnavailable(f"{method}: {trouble}") from trouble
        if missing := [number for number in numbers if number not in found]:
            raise NodeUnavailable(f"{method}: {len(missing)} of {len(numbers)} answers missing")
        return [_opened(method, number, found[number]) for number in numbers]

    def _result(self, method: str, number: int, kind: type[T], body: bytes) -> T:
        decoder = self._decoder(kind, many=False)
        try:
            envelope: _Envelope[T] = decoder.decode(body)
        except BROKEN as trouble:
            raise NodeUnavailable(f"{method}: {trouble}") from trouble
        return _opened(method, number, envelope)

    def _decoder(self, kind: Any, *, many: bool) -> msgspec.json.Decoder[Any]:
        decoder = self._decoders.get((kind, many))
        if decoder is None:
            one: Any = _Envelope[kind]
            decoder = msgspec.json.Decoder(list[one] if many else one)
            self._decoders[kind, many] = decoder
        return decoder


def _encoded(method: str, number: int, params: Sequence[Any]) -> bytes:
    request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return msgspec.json.encode(request)


def _opened(method: str, number: int, envelope: _Envelope[T]) -> T:
    if envelope.error is not None:
        raise RpcError(envelope.error.code, envelope.error.message)
    if envelope.id != number:
        raise NodeUnavailable(f"{method}: answer to another question")
    if envelope.result is msgspec.UNSET:
        raise NodeUnavailable(f"{method}: neither result nor error")
    result: T = envelope.result
    return result
