"""Pure: a `getBlock` answer -> `Block`, from balance differences alone.

Balances before and after each transaction cover every way value can move (inner instructions,
account creation and closing, transfer fees), so no instruction is ever parsed, in no version of
the format. All answer shapes that carry balances decode: `accounts` (what the reader asks for)
and `full`, in every encoding.

Rules. A transaction counts when its `meta` exists and `err` is null. SOL: each account whose
lamports rose. Tokens: each (owner, mint) pair that gained over all of its token accounts, of a
listed mint. Block rewards are no payment. Two readings differ in what of a pair's gain counts:
`decode`, the engine's, takes only what arrived where a sweep reaches, in the owner's canonical
account under the pinned program, and leaves the rest to `strays` (kind `account`);
`decode_wholly` takes all of it, as the chain's own arithmetic does.

Solana gives no root over a block's transactions: that none is missing rests on the node. What
can be checked of those that moved anything is (one balance per account, unique signatures),
else `Incomplete`; `Outcomes` checks the signatures of all.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from watchers.network import Block, BlockRef, Incomplete, Transfer
from watchers.networks.solana.document import BlockDocument
from watchers.networks.solana.gains import Gain, gains
from watchers.networks.solana.landed import TROUBLE, Landed, Outcomes, landed, torn


def block_ref(document: BlockDocument, slot: int) -> BlockRef:
    """Return the identity of the block at `slot`.

    Raises `Incomplete` where the time is unknown, or the parent does not lie below the slot.
    """
    if document.blockTime is None:
        raise Incomplete(f"slot {slot}: block time is not known yet")
    # Only the genesis block, in slot 0, is its own parent.
    if document.parentSlot is not None and document.parentSlot >= max(1, slot):
        raise Incomplete(f"slot {slot}: its parent's slot is {document.parentSlot}")
    try:
        time = datetime.fromtimestamp(document.blockTime, UTC)
    except (ValueError, OverflowError, OSError) as trouble:
        raise Incomplete(f"slot {slot}: block time {document.blockTime}") from trouble
    return BlockRef(slot, document.blockhash, document.previousBlockhash, time)


def decode(document: BlockDocument, slot: int, tokens: Mapping[str, str]) -> Block:
    """Read one block; `tokens` maps each listed mint to the token program pinned for it.

    Raises `Incomplete` naming the slot, and the transaction, whose answer is short or disagrees
    with itself.
    """
    return _decoded(
        document, slot, _Listing(tokens, lambda gain: gain.within_reach(tokens[gain.mint]))
    )


def decode_wholly(document: BlockDocument, slot: int, mints: Collection[str]) -> Block:
    """Read one block, every gain of the listed `mints` in full, whatever account it reached."""
    return _decoded(document, slot, _Listing(mints, lambda gain: gain.units, ownerless=True))


def _decoded(document: BlockDocument, slot: int, listing: "_Listing") -> Block:
    ref = block_ref(document, slot)
    if document.transactions is None:
        raise Incomplete(f"slot {slot}: no transactions in the answer")
    moved: dict[int | str, Landed] = {}
    transfers: list[Transfer] = []
    for position, entry in enumerate(document.transactions):
        if entry.meta is not None and not entry.meta.moved:
            continue
        name: int | str = position
        try:
            transaction = landed(entry)
            name = transaction.tx_hash
            transfers += transaction.rises()
            transfers += listing.payments(transaction)
        except TROUBLE as trouble:
            raise torn(slot, name, trouble) from trouble
        if name in moved:
            raise Incomplete(f"slot {slot}: transaction {name} is listed twice")
        moved[name] = transaction
    outcomes = Outcomes(slot, document.transactions)
    strays = _Strays(slot, [*moved.values()], listing)
    return Block(ref, tuple(transfers), outcomes, strays, internal=True)


class _Listing:
    """The listed mints, and how much of one's gain is a payment."""

    def __init__(
        self,
        mints: Collection[str],
        counted: Callable[[Gain], int],
        *,
        ownerless: bool = False,
    ) -> None:
        self._mints = mints
        self._ownerless = ownerless
        self._texts = [mint.encode() for mint in mints]
        self._counted = counted

    def payments(self, transaction: Landed) -> Iterator[Transfer]:
        """Yield what counts; look for the mints' text before anything is parsed."""
        if not transaction.meta.moved_tokens():
            return
        after = bytes(transaction.meta.postTokenBalances)
        if not any(mint in after for mint in self._texts):
            return
        for gain in gains(transaction, ownerless=self._ownerless):
            if gain.mint in self._mints and (units := self._counted(gain)):
                yield gain.transfer("token", units)

    def strays(self, transaction: Landed) -> Iterator[Transfer]:
        """Yield what `payments` leaves."""
        if not transaction.meta.moved_tokens():
            return
        for gain in gains(transaction, ownerless=self._ownerless):
            if gain.mint not in self._mints:
                yield gain.transfer("token", gain.units)
            elif rest := gain.units - self._counted(gain):
                yield gain.transfer("account", rest)


@dataclass(slots=True, eq=False)
class _Strays:
    """What arrived without being a payment, read when asked for; equal where that is equal."""

    slot: int
    moved: Sequence[Landed]
    listing: _Listing

    def __call__(self) -> Iterator[Transfer]:
        for transaction in self.moved:
            try:
                yield from self.listing.strays(transaction)
            except TROUBLE as trouble:
                raise torn(self.slot, transaction.tx_hash, trouble) from trouble

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Strays) and [*self()] == [*other()]

    __hash__ = None  # type: ignore[assignment]
