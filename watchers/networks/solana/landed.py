"""Pure: one transaction of a block: its hash, its accounts, whose lamports rose, how it ended."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, count
from operator import gt

import msgspec

from watchers.network import NATIVE, Incomplete, Outcome, Transfer
from watchers.networks.solana.document import (
    BODY,
    LAMPORTS,
    LOADED,
    NAME,
    Key,
    Meta,
    Packing,
    Parts,
    Signed,
    TransactionDocument,
)
from watchers.networks.solana.packed import unpacked

TROUBLE = (Incomplete, msgspec.MsgspecError, ValueError)
"""What reading a torn answer raises."""


def torn(slot: int, transaction: int | str, trouble: Exception) -> Incomplete:
    """Name the place of a torn answer: the slot, and the transaction's hash or position."""
    return Incomplete(f"slot {slot}, transaction {transaction}: {trouble}")


class Landed(msgspec.Struct, gc=False):
    """A transaction that is in a block. Its accounts are as many as its balances."""

    tx_hash: str
    body: Parts | Packing
    meta: Meta
    keys: Sequence[str | Key] = ()

    def rises(self) -> list[Transfer]:
        """Return one transfer for each account whose lamports rose. To be called first.

        Raises `Incomplete` where accounts and balances do not pair up.
        """
        before, after = _lamports(self.meta)
        self.keys = _all_keys(self.body, self.meta, len(after))
        tx_hash, key = self.tx_hash, self.key
        return [
            Transfer(tx_hash, "native", n, NATIVE, "", key(n), after[n] - before[n])
            for n in compress(count(), map(gt, after, before))
        ]

    def key(self, index: int) -> str:
        """Return one of the account keys, in the order of balances."""
        key = self.keys[index]
        return key if isinstance(key, str) else key.pubkey


def landed(entry: TransactionDocument) -> Landed:
    """Name a transaction by its first signature; raise `Incomplete` where there is none."""
    body = BODY.decode(entry.transaction)
    return Landed(_first_signature(body), body, _result(entry))


def _first_signature(body: Signed | Packing) -> str:
    if not isinstance(body, Signed):
        return unpacked(body).tx_hash
    if not body.signatures or not body.signatures[0]:
        raise Incomplete("a transaction without a signature")
    return body.signatures[0]


def _result(entry: TransactionDocument) -> Meta:
    if entry.meta is None:
        raise Incomplete("its result is not known yet")
    return entry.meta


def _lamports(meta: Meta) -> tuple[list[int], list[int]]:
    before, after = LAMPORTS.decode(meta.preBalances), LAMPORTS.decode(meta.postBalances)
    if not before or len(before) != len(after):
        raise Incomplete("balances do not pair up")
    return before, after


def _all_keys(body: Parts | Packing, meta: Meta, count: int) -> Sequence[str | Key]:
    """Return static, loaded writable and loaded readonly keys, `count` in all."""
    keys: Sequence[str | Key]
    if not isinstance(body, Parts):
        keys = unpacked(body).keys()
    else:
        keys = body.accountKeys if body.message is None else body.message.accountKeys
    # `accounts` and jsonParsed already list the loaded keys among the rest.
    loaded = LOADED.decode(meta.loadedAddresses) if len(keys) < count else None
    if loaded is not None:
        keys = [*keys, *loaded.writable, *loaded.readonly]
    if len(keys) != count:
        raise Incomplete(f"{len(keys)} accounts but {count} balances")
    return keys


@dataclass(slots=True, eq=False)
class Outcomes(Mapping[str, Outcome]):
    """How every transaction of a block ended, read when the first is asked for.

    Only blocks that may hold a transaction of ours are asked. Raises `Incomplete` where the
    answer is torn, or contradicts itself: a transaction that failed costs its payer the fee and
    changes nothing else. A payout taken for failed would be paid again.
    """

    slot: int
    entries: Sequence[TransactionDocument]
    _by_hash: dict[str, Meta] = field(default_factory=dict)

    def __getitem__(self, tx_hash: str) -> Outcome:
        meta = self._index()[tx_hash]
        try:
            before, after = _lamports(meta)
        except TROUBLE as trouble:
            raise torn(self.slot, tx_hash, trouble) from trouble
        if meta.err is not None and (before[1:] != after[1:] or meta.moved_tokens()):
            raise torn(
                self.slot, tx_hash, Incomplete("said to have failed, yet it moved money")
            )
        spent, fee = before[0] - after[0], meta.fee
        told = None if fee is None or spent >= fee else fee
        return Outcome(meta.err is None, max(0, spent), max(0, -spent), told)

    def __iter__(self) -> Iterator[str]:
        return iter(self._index())

    def __len__(self) -> int:
        return len(self.entries)

    def _index(self) -> Mapping[str, Meta]:
        if len(self._by_hash) != len(self.entries):
            for position, entry in enumerate(self.entries):
                try:
                    tx_hash = _first_signature(NAME.decode(entry.transaction))
                    self._by_hash[tx_hash] = _result(entry)
                except TROUBLE as trouble:
                    raise torn(self.slot, position, trouble) from trouble
            if len(self._by_hash) != len(self.entries):
                raise Incomplete(f"slot {self.slot}: a transaction is listed twice")
        return self._by_hash
