"""Eyes on Tron: whole blocks by height, finality by solidification."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from watchers.network import (
    NATIVE,
    Block,
    BlockRef,
    Incomplete,
    NodeUnavailable,
    Tip,
    WrongChain,
)
from watchers.networks.tron.decode import decode_block, decode_header, token_spellings
from watchers.networks.tron.node import TronNode
from watchers.networks.tron.root import committed
from watchers.rpc import Endpoints


@dataclass(slots=True)
class TronReader:
    """Reads one Tron network.

    `genesis` is the pinned id of block 0 (64 hex digits), `tokens` the base58 contracts and the
    numeric TRC-10 ids whose transfers count. A node keeps internal transfers only when its
    operator switched `vm.saveInternalTx` on; without it they are simply absent from every
    answer, and comparing balances is what finds them. `internal` tells whether it is known to
    be on; a block that shows some proves it for itself.
    """

    endpoints: Endpoints
    genesis: str
    tokens: frozenset[str] = frozenset()
    internal: Callable[[], bool] = lambda: False
    _node: TronNode = field(init=False)
    _spellings: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._node = TronNode(self.endpoints)
        self._spellings = token_spellings(self.tokens)

    async def check_identity(self) -> None:
        """Compare the id of block 0 with the pinned one."""
        found = (await self._node.at(0)).hash
        if found != self.genesis:
            raise WrongChain(f"genesis block is {found}, configured is {self.genesis}")

    async def tip(self) -> Tip:
        """Return the newest and the newest solidified height.

        The final one is asked first: two providers may answer, and the head may not be older.
        """
        final = (await self._node.newest_solid()).height
        head = (await self._node.newest()).height
        return Tip(head=max(head, final), final=final)

    async def read(self, height: int) -> Block:
        """Return the complete block at `height`; after a useless answer ask another node next."""
        query = {"num": height}
        block = await self._node.fetch("/wallet/getblockbynum", query)
        infos = await self._node.fetch("/wallet/gettransactioninfobyblocknum", query)
        try:
            seen = decode_block(height, block, infos, self._spellings)
        except (Incomplete, NodeUnavailable):
            self.endpoints.rotate()
            raise
        return seen if seen.internal else replace(seen, internal=self.internal())

    async def committed(self, height: int) -> tuple[BlockRef, frozenset[str]]:
        """Return the block and all of its transactions, as its own id commits to them.

        `Incomplete` where the node's list is another one, or cannot be computed from JSON.
        """
        body = await self._node.fetch("/wallet/getblockbynum", {"num": height})
        return decode_header(height, body), frozenset(committed(body))

    async def ref_at(self, height: int) -> BlockRef:
        """Return the identity of the block now standing at `height`."""
        return await self._node.at(height)

    async def balance(self, address: str, asset: str) -> int:
        """Return sun or token units at the newest state; an address never activated holds 0."""
        if asset == NATIVE:
            return (await self._node.account(address)).balance
        return await self._node.token_balance(asset, address)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.endpoints.aclose()
