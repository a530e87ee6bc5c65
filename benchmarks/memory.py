"""Resident memory of a watcher's address book with a pool of 100,000, in a process of its own."""

import multiprocessing
from pathlib import Path

from benchmarks.timing import table

POOL = 100_000
LIMIT_MIB = 150


def main() -> None:
    """Print what a watcher's imports and its addresses take."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        bare, filled = pool.apply(_measure)
    table(
        "Watcher memory (its imports, then a pool of 100,000 addresses)",
        ["", "MiB"],
        [
            ["imports alone", str(bare)],
            ["with the pool", str(filled)],
            ["limit", str(LIMIT_MIB)],
        ],
    )


def _measure() -> tuple[int, int]:
    import watchers.__main__  # noqa: PLC0415 - what a watcher loads
    import watchers.networks.solana.connect  # noqa: F401, PLC0415 - the largest family
    from watchers.addresses import AddressBook  # noqa: PLC0415

    bare = _resident_mib()
    book = AddressBook("")
    book.pool.update(f"0x{number:040x}" for number in range(POOL))
    return bare, _resident_mib()


def _resident_mib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    [size] = [line.split()[1] for line in lines if line.startswith("VmRSS")]
    return int(size) // 1024
