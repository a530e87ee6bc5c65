"""Pure: a `getBlock` answer -> `Block`, from balance differences alone.

Balances before and after each transaction cover every way value can move (inner instructions,
account creation and closing, transfer fees), so no instruction is ever parsed, in no version of
the format. All answer shapes that carry balances decode: `accounts` (what the reader asks for)
and `full`, in every encoding.

Rules. A transaction counts when its `meta` exists and `err` is null. SOL: each account whose
lamports rose. Tokens: each (owner, mint) pair that gained over all of its token accounts, of a
listed mint. Block rewards are no payment. Two readings differ in what of a pair's gain counts:
`decode`, the engine's, takes what arrived where a sweep reaches, in the owner's canonical
account under the pinned program, also from another account of his, and leaves the rest to `strays`
(kind `account`);
`decode_wholly` takes all of it, as the chain's own arithmetic does.

Solana gives no root over a block's transactions: that none is missing rests on the node. What
can be checked of those that moved anything is (one balance per account, unique signatures),
else `Incomplete`; `Outcomes` checks the signatures of all.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from watchers.network import Block, BlockRef, Incomplete, Transfer
from watchers.networks.solana.document import BlockDocument, moved
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
    return _decoded(document, slot, _Listing(mints, lambda gain: gain.units, ownerless=mints))


def _decoded(document: BlockDocument, slot: int, listing: "_Listing") -> Block:
    ref = block_ref(document, slot)
    if document.transactions is None:
        raise Incomplete(f"slot {slot}: no transactions in the answer")
    names: set[str] = set()
    transfers: list[Transfer] = []
    beside: list[Landed | list[Transfer]] = []
    for position, entry in moved(document.transactions):
        name: int | str = position
        try:
            transaction = landed(entry)
            name = transaction.tx_hash
            transfers += transaction.rises()
            if transaction.meta.moved_tokens():
                if listing.names(transaction):
                    payments, strays = listing.parted(transaction)
                    transfers += payments
                    beside.append(strays)
                else:
                    beside.append(transaction)
        except TROUBLE as trouble:
            raise torn(slot, name, trouble) from trouble
        if name in names:
            raise Incomplete(f"slot {slot}: transaction {name} is listed twice")
        names.add(transaction.tx_hash)
    outcomes = Outcomes(slot, document.transactions)
    return Block(ref, tuple(transfers), outcomes, _Strays(slot, beside, listing), internal=True)


class _Listing:
    """The listed mints, and how much of one's gain is a payment."""

    def __init__(
        self,
        mints: Collection[str],
        counted: Callable[[Gain], int],
        *,
        ownerless: Collection[str] | None = None,
    ) -> None:
        self._mints = mints
        self._ownerless = ownerless
        # The chain's own arithmetic knows no accounts: what an owner moves to himself is nothing.
        self._moved = mints if ownerless is None else ()
        self._texts = [mint.encode() for mint in mints]
        self._counted = counted

    def names(self, transaction: Landed) -> bool:
        """Tell whether a listed mint may have been gained: its text is looked for unparsed."""
        after = b"" + transaction.meta.postTokenBalances
        return any(mint in after for mint in self._texts)

    def parted(self, transaction: Landed) -> tuple[list[Transfer], list[Transfer]]:
        """Return what counts of every gain, and what is left of it."""
        payments: list[Transfer] = []
        strays: list[Transfer] = []
        for gain in gains(transaction, ownerless=self._ownerless, moved=self._moved):
            if gain.mint not in self._mints:
                strays.append(gain.transfer("token", gain.units))
                continue
            units = self._counted(gain)
            if units:
                payments.append(gain.transfer("token", units))
            if (rest := gain.units - units) > 0:
                strays.append(gain.transfer("account", rest))
        return payments, strays


@dataclass(slots=True, eq=False)
class _Strays:
    """What arrived without being a payment; equal where that is equal.

    Where no listed mint is named it is read only when asked for.
    """

    slot: int
    beside: Sequence[Landed | list[Transfer]]
    listing: _Listing

    def __call__(self) -> Iterator[Transfer]:
        for each in self.beside:
            if not isinstance(each, Landed):
                yield from each
                continue
            try:
                yield from self.listing.parted(each)[1]
            except TROUBLE as trouble:
                raise torn(self.slot, each.tx_hash, trouble) from trouble

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Strays) and [*self()] == [*other()]

    __hash__ = None  # type: ignore[assignment]
