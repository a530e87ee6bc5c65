"""Millions of addresses in little memory: a Bloom filter, whose "no" is certain.

A key is Python's own hash of the stored text, keyed anew in every process: nobody outside can
make two addresses meet. "Perhaps" is settled by the caller, who looks the full address up in
the database. With two bits per address and 64 or more bits of room for each, one stranger in a
thousand has to be looked up in vain; `docs/decisions/0008-address-filter.md` has the figures.
"""

from collections.abc import Iterable

ROOM_BITS = 64
BYTES_FIRST = 1 << 23
"""Room for a million addresses. Where a pool outgrows its filter, a restart makes a larger one;
until then more strangers are looked up in vain, and nobody of ours is missed."""
BYTES_MAX = 1 << 29
"""As many as half a key can point to."""
NEAR_BYTES_FIRST = 1 << 18
"""The first bit of a key is looked for in a table of its own while that one is smaller: most
strangers are told there, and it stays in the processor's cache beside a block."""


class AddressKeys:
    """A filter for a set of addresses; an address can be added and never taken out."""

    def __init__(self) -> None:
        self._bits = bytearray(BYTES_FIRST)
        self._near = bytearray(NEAR_BYTES_FIRST)
        self.version = 0
        """Another number after every addition."""

    def reserve(self, count: int) -> None:
        """Make room for `count` addresses; `ValueError` where some are held already."""
        size, near = _room(BYTES_FIRST, count), _room(NEAR_BYTES_FIRST, count)
        if size > len(self._bits):
            if any(self._bits):
                raise ValueError("a filter that holds addresses cannot grow")
            self._bits = bytearray(size)
        elif self.version:
            return
        self._near = bytearray(near) if near < size else self._bits

    def update(self, addresses: Iterable[str]) -> None:
        """Add addresses; each is found from here on."""
        self.version += 1
        near, near_mask = self._near, len(self._near) - 1
        bits, mask = self._bits, len(self._bits) - 1
        for key in map(hash, addresses):
            near[key & near_mask] |= 1 << (key >> 29 & 7)
            bits[key >> 32 & mask] |= 1 << (key >> 61 & 7)

    def perhaps(self, addresses: Iterable[str]) -> set[str]:
        """Return those that may be in the set: whoever is missing here is certainly not."""
        near, near_mask = self._near, len(self._near) - 1
        bits, mask = self._bits, len(self._bits) - 1
        return {
            address
            for address in addresses
            # Most octets are empty: looked at first, that spares finding the bit, and the far table.
            if (octet := near[(key := hash(address)) & near_mask])
            and octet >> (key >> 29 & 7) & 1
            and bits[key >> 32 & mask] >> (key >> 61 & 7) & 1
        }


def _room(first: int, count: int) -> int:
    """Return the bytes of a table with room for so many addresses, at least the first size."""
    size = first
    while size * 8 < count * ROOM_BITS and size < BYTES_MAX:
        size *= 2
    return size
