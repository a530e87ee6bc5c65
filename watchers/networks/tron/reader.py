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
from watchers.networks.tron.root import committed, hashed_header
from watchers.networks.tron.transaction import decode_envelope, signer_of
from watchers.rpc import Endpoints
from watchers.seals import Seal, Sealed, Terms, Untold


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

    def terms(self, raw: bytes) -> Terms:
        """Read from signed bytes when they can land; `ValueError` for what is none."""
        said = decode_envelope(raw)
        reference = said.ref_block_bytes + said.ref_block_hash
        return Terms(said.tx_hash, reference.hex(), said.expiration_ms)

    async def seal(self, height: int) -> Seal:
        """Return the header at a height, hashed; after a useless answer ask another node next."""
        query = {"id_or_num": str(height), "detail": False}
        body = await self._node.fetch("/wallet/getblock", query)
        try:
            return _seal(height, body)
        except (Incomplete, NodeUnavailable):
            self.endpoints.rotate()
            raise

    async def sealed(self, height: int) -> Sealed:
        """Return all transactions of the block at a height, as its own id commits to them."""
        body = await self._node.fetch("/wallet/getblockbynum", {"num": height})
        try:
            seal = _seal(height, body)
            try:
                return Sealed(seal, committed(body))
            except Untold:
                return Sealed(seal, None)
        except (Incomplete, NodeUnavailable):
            self.endpoints.rotate()
            raise

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


def _seal(height: int, body: bytes) -> Seal:
    """Hash the header; a signature that is none, or another one's, says nothing about it."""
    ref, header = decode_header(height, body), hashed_header(body)
    witness = header.raw_data.witness()
    try:
        signer = signer_of(header.raw_data.digest(), bytes.fromhex(header.witness_signature))
    except ValueError:
        signer = ""
    return Seal(ref, witness, signer == witness)
