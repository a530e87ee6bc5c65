"""Eyes of a Solana network: finalized slots only, one `getBlock` in `accounts` detail each.

A slot may hold no block. Nothing a node says about a slot proves that: `read` returns the next
block the node lists, and only the caller's comparison of its parent hash with the last block
shows that nothing lies between.
"""

from collections.abc import Iterator, Mapping
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
from watchers.networks.solana.decode import BlockDocument, block_ref, decode
from watchers.networks.solana.wire import UNSUPPORTED_VERSION, Valued, accounts, ask, in_words
from watchers.rpc import JsonRpc, RpcError

# The second span is the widest that a node answers, for the hole a cluster restart leaves.
_SPANS = (256, 499_999)
# The request carries the version as one byte.
_VERSION_MAX = 255


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
    _version: int = field(default=0, init=False)
    _produced: list[int] = field(default_factory=list, init=False)
    _expected: int = field(default=-1, init=False)

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
            block = decode(await self._document(slot, "accounts"), slot, self.tokens)
        self._expected = slot + 1
        return block

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
        """Find the slot, in the last list while blocks are read one after the other.

        Any other order (a link that failed, a second try) asks the node anew.
        """
        known = [slot for slot in self._produced if slot >= height]
        if height != self._expected or not known:
            known = await self._list_produced(height)
        self._produced = known
        return known[0]

    async def _list_produced(self, height: int) -> list[int]:
        for span in _SPANS:
            params = [height, height + span, {"commitment": self.commitment}]
            slots = await ask(self.rpc, "getBlocks", params, list[int])
            if slots and (slots != sorted(slots) or slots[0] < height):
                raise NodeUnavailable(f"getBlocks lists slots out of order: {slots[:8]}")
            if slots:
                return slots
        raise Incomplete(f"no produced slot at or above {height} yet")

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
        """Ask for a block, accepting the newest transaction version the network has shown.

        One transaction of a version above the accepted one makes the node refuse the whole
        block. Balances read the same in every version, so the answer is to accept it.
        """
        kind = cast("type[BlockDocument | None]", BlockDocument | None)
        while True:
            config: dict[str, Any] = {
                "commitment": self.commitment,
                "encoding": "json",
                "transactionDetails": detail,
                "maxSupportedTransactionVersion": self._version,
                "rewards": False,
            }
            try:
                return await self.rpc.call("getBlock", [slot, config], kind)
            except RpcError as error:
                if error.code != UNSUPPORTED_VERSION:
                    raise in_words("getBlock", error) from error
                if self._version == _VERSION_MAX:
                    raise NodeUnavailable(f"getBlock: {error}") from error
                self._version += 1
