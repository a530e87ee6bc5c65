"""Pure: one transaction of a block: its hash, its accounts, whose lamports rose, how it ended."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from watchers.network import NATIVE, Incomplete, Outcome, Transfer
from watchers.networks.solana.document import (
    BODY,
    KEYS,
    LAMPORTS,
    LOADED,
    MESSAGE,
    Body,
    Key,
    Meta,
    Parts,
    TransactionDocument,
)
from watchers.networks.solana.packed import unpacked

TROUBLE = (Incomplete, msgspec.MsgspecError, ValueError)
"""What reading a torn answer raises."""


def torn(slot: int, transaction: int | str, trouble: Exception) -> Incomplete:
    """Name the place of a torn answer: the slot, and the transaction's hash or position."""
    return Incomplete(f"slot {slot}, transaction {transaction}: {trouble}")


def result_of(entry: TransactionDocument) -> Meta:
    """Return how a transaction ended; raise `Incomplete` where the node does not know yet."""
    if entry.meta is None:
        raise Incomplete("its result is not known yet")
    return entry.meta


@dataclass(slots=True)
class Landed:
    """A transaction that is in a block."""

    tx_hash: str
    body: Body
    meta: Meta
    _keys: Sequence[str | Key] = ()

    def rises(self) -> list[Transfer]:
        """Return one transfer for each account whose lamports rose."""
        before, after = _lamports(self.meta)
        tx_hash, key = self.tx_hash, self.key
        return [
            Transfer(tx_hash, "native", n, NATIVE, "", key(n), units - before[n])
            for n, units in enumerate(after)
            if units > before[n]
        ]

    def count(self) -> int:
        """Return how many accounts it has: as many as balances."""
        return bytes(self.meta.preBalances).count(b",") + 1

    def key(self, index: int) -> str:
        """Return one of the `count` account keys, in the order of balances."""
        if not self._keys:
            self._keys = _all_keys(self.body, self.meta, self.count())
        key = self._keys[index]
        return key if isinstance(key, str) else key.pubkey


def landed(entry: TransactionDocument) -> Landed:
    """Name a transaction by its first signature; raise `Incomplete` where there is none."""
    body: Body = BODY.decode(entry.transaction)
    if not isinstance(body, Parts):
        return Landed(unpacked(body).tx_hash, body, result_of(entry))
    if not body.signatures or not body.signatures[0]:
        raise Incomplete("a transaction without a signature")
    return Landed(body.signatures[0], body, result_of(entry))


def _lamports(meta: Meta) -> tuple[list[int], list[int]]:
    before, after = LAMPORTS.decode(meta.preBalances), LAMPORTS.decode(meta.postBalances)
    if not before or len(before) != len(after):
        raise Incomplete("balances do not pair up")
    return before, after


def _all_keys(body: Body, meta: Meta, count: int) -> Sequence[str | Key]:
    """Return static, loaded writable and loaded readonly keys, `count` in all."""
    if not isinstance(body, Parts):
        keys: list[str | Key] = [*unpacked(body).keys()]
    elif len(body.accountKeys):
        keys = [*KEYS.decode(body.accountKeys)]
    else:
        keys = MESSAGE.decode(body.message).accountKeys
    # `accounts` and jsonParsed already list the loaded keys among the rest.
    loaded = LOADED.decode(meta.loadedAddresses) if len(keys) < count else None
    if loaded is not None:
        keys += loaded.writable + loaded.readonly
    if len(keys) != count:
        raise Incomplete(f"{len(keys)} accounts but {count} balances")
    return keys


@dataclass(slots=True, eq=False)
class Outcomes(Mapping[str, Outcome]):
    """How every transaction of a block ended, read when the first is asked for.

    Only blocks that may hold a transaction of ours are asked. Raises `Incomplete` where the
    answer is torn.
    """

    slot: int
    entries: Sequence[TransactionDocument]
    _by_hash: dict[str, Landed] = field(default_factory=dict)

    def __getitem__(self, tx_hash: str) -> Outcome:
        found = self._index()[tx_hash]
        try:
            before, after = _lamports(found.meta)
        except TROUBLE as trouble:
            raise torn(self.slot, tx_hash, trouble) from trouble
        spent, fee = before[0] - after[0], found.meta.fee
        told = None if fee is None or spent >= fee else fee
        return Outcome(found.meta.err is None, max(0, spent), max(0, -spent), told)

    def __iter__(self) -> Iterator[str]:
        return iter(self._index())

    def __len__(self) -> int:
        return len(self.entries)

    def _index(self) -> Mapping[str, Landed]:
        if len(self._by_hash) != len(self.entries):
            for position, entry in enumerate(self.entries):
                try:
                    found = landed(entry)
                except TROUBLE as trouble:
                    raise torn(self.slot, position, trouble) from trouble
                self._by_hash[found.tx_hash] = found
            if len(self._by_hash) != len(self.entries):
                raise Incomplete(f"slot {self.slot}: a transaction is listed twice")
        return self._by_hash
