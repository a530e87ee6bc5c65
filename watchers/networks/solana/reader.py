"""Eyes of a Solana network: finalized slots only, one `getBlock` in `accounts` detail each.

A slot may hold no block. Nothing a node says about a slot proves that (an error that calls it
skipped may as well mean that this node lost it): `read` returns the next block the node lists,
and only the caller's comparison of its parent hash with the last block shows that nothing lies
between.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from watchers.network import (
    NATIVE,
    Block,
    BlockRef,
    Incomplete,
    NodeUnavailable,
    Tip,
    WrongChain,
)
from watchers.networks.solana.accounts import associated_token_account, token_holding
from watchers.networks.solana.decode import block_ref, decode
from watchers.networks.solana.document import BlockDocument
from watchers.networks.solana.wire import (
    INVALID_PARAMS,
    UNSUPPORTED_VERSION,
    Valued,
    accounts,
    ask,
    in_words,
)
from watchers.rpc import JsonRpc, RpcError

# The second span is the widest that a node answers, for the hole a cluster restart leaves.
_SPANS = (256, 499_999)
# How far ahead the node's list of slots is remembered.
_HINTS = 256
# The request carries the version as one byte. Most nodes take the highest for "any"; one that
# calls it invalid is asked for the lowest, and for higher ones as its blocks demand them.
_ANY_VERSION = 255
_LOWEST_VERSION = 0


@dataclass(slots=True)
class SolanaReader:
    """`ChainReader` of one Solana cluster.

    `genesis_hash` pins the cluster; `tokens` maps each listed mint to its token program.
    `commitment` is that of slots and blocks. Money is read at `finalized`; anything lower
    may be rolled back and is for display.
    """

    rpc: JsonRpc
    genesis_hash: str
    tokens: Mapping[str, str]
    commitment: str = "finalized"
    _version: int = field(default=_ANY_VERSION, init=False)
    _hints: dict[int, int] = field(default_factory=dict, init=False)
    """The slot that a height leads to, by the node's last list; each is believed once."""

    async def check_identity(self) -> None:
        """Compare the genesis hash with the pinned one."""
        genesis = await ask(self.rpc, "getGenesisHash", [], str)
        if genesis != self.genesis_hash:
            raise WrongChain(f"genesis hash {genesis}, configured is {self.genesis_hash}")

    async def tip(self) -> Tip:
        """Return the newest finalized slot, as head and as final."""
        slot = await ask(self.rpc, "getSlot", [{"commitment": self.commitment}], int)
        return Tip(slot, slot)

    async def read(self, height: int) -> Block:
        """Return the first produced block at or above the slot `height`."""
        slot = await self._first_produced(height)
        with self._doubting():
            return decode(await self._document(slot, "accounts"), slot, self.tokens)

    async def produced(self, first: int, last: int) -> Sequence[int]:
        """Return the slots of `first..last` that the node lists as produced, in order.

        A hint for reading ahead, no proof: `read` of a listed slot then needs no list of its
        own. At most 500,000 slots lie between `first` and `last`.
        """
        slots = await self._listed(first, last)
        self._remember(first, slots)
        return slots

    async def ref_at(self, height: int) -> BlockRef:
        """Return the identity of the block in exactly this slot."""
        with self._doubting():
            return block_ref(await self._document(height, "none"), height)

    async def balance(self, address: str, asset: str) -> int:
        """Return lamports, or what the canonical token account holds (0 where there is none)."""
        if asset == NATIVE:
            config = {"commitment": "confirmed"}
            answer = await ask(self.rpc, "getBalance", [address, config], Valued[int])
            return answer.value
        program = self.tokens[asset]
        holder = associated_token_account(address, asset, program)
        (account,) = await accounts(self.rpc, [holder], "confirmed")
        if account is None or account.owner != program:
            return 0
        holding = token_holding(account.content())
        return holding.units if holding is not None and holding.owner == address else 0

    async def aclose(self) -> None:
        """Close the connections."""
        await self.rpc.endpoints.aclose()

    async def _first_produced(self, height: int) -> int:
        """Find the slot, in the last list at the first try; a second try asks the node anew."""
        known = self._hints.pop(height, None)
        if known is not None:
            return known
        for span in _SPANS:
            slots = await self._listed(height, height + span)
            if slots:
                self._remember(slots[0] + 1, slots[1:])
                return slots[0]
        raise Incomplete(f"no produced slot at or above {height} yet")

    async def _listed(self, first: int, last: int) -> list[int]:
        params = [first, last, {"commitment": self.commitment}]
        slots = await ask(self.rpc, "getBlocks", params, list[int])
        if slots and (slots != sorted(slots) or slots[0] < first or slots[-1] > last):
            raise NodeUnavailable(f"getBlocks lists slots out of order: {slots[:8]}")
        return slots

    def _remember(self, height: int, slots: Sequence[int]) -> None:
        """Note where each listed slot, and the height after the one before it, leads."""
        self._hints.clear()
        for slot in slots[:_HINTS]:
            self._hints[height] = self._hints[slot] = slot
            height = slot + 1

    @contextmanager
    def _doubting(self) -> Iterator[None]:
        """Bench the node whose answer about a block is incomplete: another one may know."""
        try:
            yield
        except Incomplete:
            self.rpc.endpoints.rotate()
            raise

    async def _document(self, slot: int, detail: str) -> BlockDocument:
        document = await self._requested(slot, detail)
        if document is None:
            raise Incomplete(f"slot {slot}: the node has no block there")
        return document

    async def _requested(self, slot: int, detail: str) -> BlockDocument | None:
        """Ask for a block, accepting every transaction version that the node can name.

        One transaction of a version above the accepted one makes the node refuse the whole
        block. Balances read the same in every version, so the answer is to accept it.
        """
        kind = cast("type[BlockDocument | None]", BlockDocument | None)
        while True:
            version = self._version
            config: dict[str, Any] = {
                "commitment": self.commitment,
                "encoding": "json",
                "transactionDetails": detail,
                "maxSupportedTransactionVersion": version,
                "rewards": False,
            }
            try:
                return await self.rpc.call("getBlock", [slot, config], kind)
            except RpcError as error:
                other = _other_version(version, error.code)
                if other is None:
                    raise in_words("getBlock", error) from error
            # Several blocks may be on their way: only the first answer moves the version.
            if self._version == version:
                self._version = other


def _other_version(version: int, code: int) -> int | None:
    """Return the version to ask for after a refusal; None where the version is not the matter."""
    if code == INVALID_PARAMS and version == _ANY_VERSION:
        return _LOWEST_VERSION
    if code == UNSUPPORTED_VERSION and version < _ANY_VERSION - 1:
        return version + 1
    return None
