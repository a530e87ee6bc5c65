"""`watchers decode FAMILY --block FILE ...`: the transfers of a recorded block that would count.

One JSON object per line: `{"tx","kind","position","asset","to","units","block"}`. Needs no
configuration, no database and no node. Exit 3 where the files do not prove the block complete.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from watchers.families import FAMILIES
from watchers.network import Block, Incomplete
from watchers.recorded import Recorded, addresses_of, decoder_of, speller_of

USAGE = 2
INCOMPLETE = 3
COMMENT = "#"
SHOWN_MAX = 80
BESIDE = ("receipts", "traces", "infos")
"""Answers beside the block; which of them there are is the family's."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the command's own words."""
    command.add_argument("family", choices=FAMILIES)
    command.add_argument("--block", type=Path, metavar="FILE", required=True)
    for name in BESIDE:
        command.add_argument(f"--{name}", type=Path, metavar="FILE")
    command.add_argument(
        "--asset",
        nargs="+",
        action="extend",
        default=[],
        metavar="CONTRACT|MINT",
        help="tokens that count; none without it",
    )
    command.add_argument(
        "--to",
        type=Path,
        metavar="FILE",
        help="only these recipients, one address per line; # begins a comment",
    )
    command.add_argument(
        "--slot",
        type=int,
        help="Solana: the block's slot, which getBlock does not say; else the first number in the "
        "file's name that fits the parent's, else parentSlot + 1",
    )
    command.add_argument(
        "--logged-from",
        type=int,
        metavar="UNIX_TIME",
        help="Ethereum: the configuration's logged_from, the time from which the chain itself "
        "logs value (EIP-7708)",
    )


def run(args: argparse.Namespace) -> int:
    """Print the transfers; return 0, or 2 for words that cannot be meant, or 3."""
    decode = decoder_of(args.family)
    try:
        wanted = None if args.to is None else _addresses(args.to, args.family)
        block = decode(_read(args))
    except (Incomplete, msgspec.DecodeError) as trouble:
        return _refused(INCOMPLETE, trouble)
    except (OSError, ValueError) as trouble:
        return _refused(USAGE, trouble)
    sys.stdout.write("".join(_lines(block, wanted)))
    return 0


def _refused(code: int, trouble: Exception) -> int:
    _say(" ".join(str(trouble).split()))
    return code


def _say(words: str) -> None:
    sys.stderr.write(f"watchers decode: {words}\n")


def _read(args: argparse.Namespace) -> Recorded:
    """Read every file that was named; `Incomplete` for one that is no JSON."""
    paths = {name: getattr(args, name) for name in BESIDE}
    return Recorded(
        block=_document(args.block),
        assets=frozenset(_spelling(each) for each in args.asset),
        height=args.slot,
        logged_from=args.logged_from,
        name=args.block.name,
        **{name: None if path is None else _document(path) for name, path in paths.items()},
    )


def _document(path: Path) -> bytes:
    content = path.read_bytes().removeprefix(BYTE_ORDER_MARK)
    try:
        content.decode()
        msgspec.json.decode(content, type=msgspec.Raw)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as trouble:
        raise Incomplete(f"{path}: {trouble}") from trouble
    return content


def _addresses(path: Path, family: str) -> frozenset[str]:
    """Read whom the transfers are for, and say of each line that is no address where it stands."""
    spell, is_address = speller_of(family), addresses_of(family)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as trouble:
        raise ValueError(f"{path}: {trouble}") from trouble
    named = {at: line.partition(COMMENT)[0].strip() for at, line in enumerate(lines, 1)}
    told = {at: text for at, text in named.items() if text}
    for number, text in told.items():
        if not is_address(_spelling(text)):
            # It can match nothing, which would look as if nothing had been paid.
            _say(f"{path} line {number}: {text[:SHOWN_MAX]!r} is no address")
    return frozenset(spell(_spelling(text)) for text in told.values())


def _spelling(name: str) -> str:
    """Return an address as blocks spell it: hex in lower case, anything else as it stands."""
    return name.lower() if name[:2].lower() == "0x" else name


def _lines(block: Block, wanted: frozenset[str] | None) -> Iterator[str]:
    for each in block.transfers:
        if wanted is None or each.recipient in wanted:
            line: dict[str, Any] = {
                "tx": each.tx_hash,
                "kind": each.kind,
                "position": each.ordinal,
                "asset": each.asset,
                "to": each.recipient,
                "units": str(each.units),
                "block": block.ref.height,
            }
            yield f"{msgspec.json.encode(line).decode()}\n"
