"""Asking the keystore: an async client of its socket, for other houses."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from keystore import api, wire
from keystore.conversation import Conversation

T = TypeVar("T")

TIMEOUT_SECONDS = 30.0
TROUBLE_CODES = frozenset({"unavailable", "busy", "clock_jumped"})
"""Replies about the moment, not about the request."""


class KeystoreRefused(Exception):
    """The keystore said no; the same request gets the same answer. `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class KeystoreUnavailable(Exception):
    """The keystore did not answer (not running, locked, disk trouble): ask again later."""


class KeystoreClient:
    """One connection, opened when needed and again after a loss; calls queue on it.

    Every request may be repeated: the journal answers a repeated one with the same bytes. So a
    connection that broke while idle is replaced once, silently.
    """

    def __init__(
        self, socket_path: str | os.PathLike[str], *, timeout_s: float = TIMEOUT_SECONDS
    ) -> None:
        self._path = Path(socket_path)
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()
        self._conversation: Conversation | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def status(self) -> api.Status:
        """Return what it serves and the key that verifies pool rows."""
        return await self._ask(api.StatusRequest(), api.Status)

    async def wallets(self, network: str, *, lanes: int = 1) -> list[api.ApplicationWallet]:
        """Return hot, gas and, on Solana, the first nonce lanes of one network, in order."""
        request = api.WalletsRequest(network=network, lanes=lanes)
        return (await self._ask(request, api.Wallets)).wallets

    async def rules(self, network: str) -> api.Rules:
        """Return the policy's rules that speak of one network, all of them, in order."""
        rules: list[api.PublishedRule] = []
        while True:
            request = api.RulesRequest(network=network, after=len(rules))
            answer = await self._ask(request, api.Rules)
            rules += answer.rules
            if not answer.more:
                return api.Rules(policy=answer.policy, rules=rules, more=False)

    async def derive_pool(
        self, network: str, first: int, count: int, *, issue: bool = False
    ) -> list[api.PoolRow]:
        """Return signed rows `first .. first + count - 1`, asked for in wire-sized portions.

        `issue` says that payers are going to be shown them. Raises `KeystoreRefused`
        (`bad_range`) before it asks for anything where a path has no such indexes.
        """
        if first + count > api.POOL_INDEX_END:
            raise KeystoreRefused(
                "bad_range", f"first + count: must not be above {api.POOL_INDEX_END}"
            )
        rows: list[api.PoolRow] = []
        for start in range(first, first + max(count, 1), api.POOL_COUNT_MAX):
            portion = min(first + count - start, api.POOL_COUNT_MAX)
            request = api.DerivePoolRequest(
                network=network, first=start, count=portion, issue=issue
            )
            rows += (await self._ask(request, api.PoolRows)).rows
        return rows

    async def sign(
        self,
        intent: api.Intent | Mapping[str, Any],
        *,
        known: int | None = None,
        order: api.Order | None = None,
        approvals: Sequence[api.Approval] = (),
    ) -> api.Signed:
        """Return the signed bytes of one payment; a mapping must have an intent's exact shape.

        `known`, `order` and `approvals` are those of `api.SignRequest`.
        """
        if isinstance(intent, Mapping):
            intent = _intent(intent)
        request = api.SignRequest(
            intent=intent, known=known, order=order, approvals=list(approvals)
        )
        return await self._ask(request, api.Signed)

    async def history(self, network: str, after: int) -> list[api.Remembered]:
        """Return the next payments signed after number `after`; none is the end."""
        request = api.HistoryRequest(network=network, after=after)
        return (await self._ask(request, api.History)).payments

    async def sign_nonce_setup(
        self, network: str, *, lane: int, blockhash: str, lamports: int
    ) -> api.Signed:
        """Return the signed creation of a Solana nonce lane."""
        request = api.SignNonceSetupRequest(
            network=network, lane=lane, blockhash=blockhash, lamports=lamports
        )
        return await self._ask(request, api.Signed)

    async def aclose(self) -> None:
        """Hang up; the next call would connect again."""
        conversation = self._drop()
        if conversation is not None:
            await conversation.closed()

    async def _ask(self, request: api.Request, kind: type[T]) -> T:
        line = wire.request_line(request)
        if len(line) > api.LINE_BYTES_MAX:
            raise KeystoreRefused("oversized", "the request is longer than a line may be")
        async with self._turn:
            reply = await self._exchange(line)
        if reply.error is not None:
            if reply.error.code in TROUBLE_CODES:
                raise KeystoreUnavailable(reply.error.message)
            raise KeystoreRefused(reply.error.code, reply.error.message)
        try:
            body = b"" if reply.result is msgspec.UNSET else reply.result
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as fault:
            raise KeystoreUnavailable(f"answer of another shape: {fault}") from fault

    async def _exchange(self, line: bytes) -> api.Reply:
        """Send and receive once; once more if the connection had died since the last call."""
        reused = self._conversation is not None
        try:
            return await self._attempt(line)
        except KeystoreUnavailable:
            if not reused:
                raise
        return await self._attempt(line)

    async def _attempt(self, line: bytes) -> api.Reply:
        try:
            async with asyncio.timeout(self._timeout_s):
                conversation = self._conversation or await self._connected()
                return msgspec.json.decode(await conversation.ask(line), type=api.Reply)
        except TimeoutError as trouble:
            self._drop()
            raise KeystoreUnavailable(f"no answer in {self._timeout_s} s") from trouble
        except (OSError, msgspec.DecodeError) as trouble:
            self._drop()
            raise KeystoreUnavailable(f"{self._path}: {type(trouble).__name__}") from trouble
        except BaseException:
            # Canceled between question and answer: the next answer would be the wrong one.
            self._drop()
            raise

    async def _connected(self) -> Conversation:
        loop = asyncio.get_running_loop()
        path = os.fspath(self._path)
        _, self._conversation = await loop.create_unix_connection(Conversation, path)
        return self._conversation

    def _drop(self) -> Conversation | None:
        conversation, self._conversation = self._conversation, None
        if conversation is not None:
            conversation.close()
        return conversation


def _intent(fields: Mapping[str, Any]) -> api.Intent:
    try:
        found: api.Intent = msgspec.convert(dict(fields), api.Intent)
    except msgspec.ValidationError as fault:
        raise KeystoreRefused("malformed", f"intent: {fault}") from fault
    return found
