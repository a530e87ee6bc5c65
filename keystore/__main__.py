"""`keystore COMMAND`: one line on stderr and exit 1 where it cannot."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import msgspec

from keystore import api, settings
from keystore.client import KeystoreClient, KeystoreRefused, KeystoreUnavailable
from keystore.refusal import Unfit

DEFAULT_MEMORY_MIB = 256
CLOCKS: dict[api.ClockState, str] = {
    "right": "right",
    "jumped": "set forward since the start: nothing is signed",
    "behind": "behind the journal (keystore clock): its newest row is of ",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code (0, 1 for refused, 2 for a wrong command line)."""
    asked = _parser().parse_args(argv)
    try:
        _run(asked)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python tries what is left in the buffer once more when it ends: that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print("keystore: standard output was closed: what was printed is lost", file=sys.stderr)
        return 1
    except (Unfit, KeystoreRefused, KeystoreUnavailable, OSError) as fault:
        print(f"keystore: {fault}", file=sys.stderr)
        return 1
    except EOFError:
        print("\nkeystore: the input ended before the answer", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run(asked: argparse.Namespace) -> None:
    match asked.command:
        case "init":
            _init(asked)
        case "serve":
            from keystore import commands, hardening  # noqa: PLC0415 pool loads no key code

            commands.serve(asked.config, hardening.harden())
        case "pool":
            rows = asyncio.run(_pool(asked.config, asked.network, asked.first, asked.count))
            print(msgspec.json.encode(api.PoolRows(rows=rows)).decode())
        case "status":
            _show(asyncio.run(_status(asked.config)), as_json=asked.json)
        case "approve" | "approver-key":
            from keystore import hardening  # noqa: PLC0415 serve loads no HTTP
            from keystore.approving import command  # noqa: PLC0415

            hardening.forbid_dumps()
            command.run(asked)
        case _:
            from keystore import custody, hardening  # noqa: PLC0415 pool loads no key code

            hardening.forbid_dumps()
            custody.run(asked)


def _init(asked: argparse.Namespace) -> None:
    from keystore import commands  # noqa: PLC0415 pool and status load no key code

    known = commands.Known(dict(asked.words), dict(asked.v3), asked.v3_password_file)
    made = commands.init(asked.config, kdf_memory_mib=asked.kdf_memory_mib, known=known)
    if asked.json:
        told = {"pool_public_key": made.pool_public_key, "imported": made.imported}
        print(msgspec.json.encode(told).decode())
        return
    print(f"keystore created; pool public key {made.pool_public_key}")
    for purpose, address in made.imported.items():
        print(f"imported {purpose} key {address}; no words bring it back: keep its file")


def _seed_file(text: str) -> tuple[str, Path]:
    """Read `PURPOSE=FILE`."""
    purpose, _, file = text.partition("=")
    if purpose not in get_args(api.Purpose) or not file:
        raise argparse.ArgumentTypeError("must be pool=FILE, hot=FILE or gas=FILE")
    return purpose, Path(file)


def _key_file(text: str) -> tuple[str, Path]:
    """Read `hot=FILE` or `gas=FILE`: a pool has many addresses and needs a seed."""
    purpose, _, file = text.partition("=")
    if purpose not in {"hot", "gas"} or not file:
        raise argparse.ArgumentTypeError("must be hot=FILE or gas=FILE")
    return purpose, Path(file)


async def _pool(config: Path, network: str, first: int, count: int) -> list[api.PoolRow]:
    async with _client(config) as client:
        return await client.derive_pool(network, first, count)


async def _status(config: Path) -> api.Status:
    async with _client(config) as client:
        return await client.status()


def _client(config: Path) -> KeystoreClient:
    return KeystoreClient(settings.load(config, own_uid=os.geteuid()).socket)


def _show(status: api.Status, *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(status).decode())
        return
    print(f"unlocked         {'yes' if status.unlocked else 'no'}")
    print(f"pool public key  {status.pool_public_key}")
    print(f"signatures       {status.signatures}")
    print(f"policy           {status.policy or 'none: test networks only'}")
    told = ", ".join(f"{code} {count}" for code, count in sorted(status.refused.items()))
    print(f"refused          {told or 'nothing'}")
    if status.refusals_unwritten:
        print(f"not journaled    {status.refusals_unwritten} refusals beyond the ration")
    print(f"clock            {CLOCKS[status.clock]}{status.journal_at}")
    for network in status.networks:
        signs = network.test or status.policy
        kind = "test" if network.test else "real money" if signs else "real money: not signed"
        print(f"network          {network.network} ({network.family}, {kind})")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="keystore", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    init = commands.add_parser("init", help="create the encrypted file and the journal")
    init.add_argument(
        "--words",
        type=_seed_file,
        action="append",
        default=[],
        metavar="PURPOSE=FILE",
        help="take the BIP-39 words of a seed that exists already",
    )
    init.add_argument(
        "--v3",
        type=_key_file,
        action="append",
        default=[],
        metavar="PURPOSE=FILE",
        help="pay on ethereum and tron with the key of an Ethereum keystore file",
    )
    init.add_argument("--v3-password-file", type=Path, metavar="FILE")
    commands.add_parser("serve", help="unlock and answer on the socket")
    pool = commands.add_parser("pool", help="print signed pool rows from a running keystore")
    pool.add_argument("network")
    pool.add_argument("first", type=int)
    pool.add_argument("count", type=int)
    status = commands.add_parser("status", help="say whether it is unlocked and what it serves")
    passphrase = commands.add_parser("passphrase", help="change the passphrase of the file")
    passphrase.add_argument("--new-passphrase-file", type=Path, metavar="FILE")
    rekey = commands.add_parser("rekey", help="encrypt the same seeds under a new file key")
    _add_custody(commands)
    for command in (init, passphrase, rekey):
        command.add_argument(
            "--kdf-memory-mib", type=int, default=DEFAULT_MEMORY_MIB, metavar="MIB"
        )
    for command in commands.choices.values():
        command.add_argument(
            "--config", type=Path, default=Path("keystore.toml"), metavar="FILE"
        )
    for command in (init, status):
        command.add_argument("--json", action="store_true", help="print JSON")
    _add_approving(commands)
    return parser


def _add_custody(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    commands.add_parser("words", help="show the seeds' words on this terminal, with a check")
    backup = commands.add_parser("backup", help="write vault, journal and policy to one file")
    backup.add_argument("target", type=Path)
    clock = commands.add_parser("clock", help="compare the clock with the journal's newest row")
    clock.add_argument(
        "--accept", action="store_true", help="let time count from the clock again"
    )
    restore = commands.add_parser("restore", help="put a backup's vault and journal in place")
    restore.add_argument("source", type=Path)
    merge = commands.add_parser("merge", help="take in again what the journal has lost")
    merge.add_argument("files", type=Path, nargs="+", metavar="FILE")
    merge.add_argument(
        "--gaps", action="store_true", help="go on though numbers are in no FILE"
    )
    most = "so many in a row at most, if you know that more are lost than it takes for true"
    merge.add_argument("--gap-max", type=int, metavar="N", help=most)
    merge.add_argument(
        "--journal-lost", action="store_true", help="begin a new journal where there is none"
    )
    drill = commands.add_parser("drill", help="derive every pool address again, elsewhere")
    drill.add_argument("--pool", type=Path, required=True, metavar="FILE")
    drill.add_argument("--backup", type=Path, metavar="FILE")
    drill.add_argument(
        "--words",
        type=Path,
        metavar="FILE",
        help="the pool seed's words alone; -: standard input",
    )


def _add_approving(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    approve = commands.add_parser(
        "approve", help="read what waits for people, and say yes or no"
    )
    approve.add_argument("--url", required=True, metavar="https://HOST")
    approve.add_argument("--name", required=True, help="the approver's name in the policy")
    approve.add_argument("--key", type=Path, required=True, metavar="FILE")
    approve.add_argument("--order", metavar="ID", help="this one only")
    approve.add_argument(
        "--yes", metavar="DIGEST", help="approve --order without asking, if this is its digest"
    )
    approve.add_argument("--refuse", metavar="REASON", help="refuse --order without asking")
    approve.add_argument("--subject", metavar="ID", help="your own id in the gateway")
    approve.add_argument(
        "--ca", type=Path, metavar="FILE", help="certificates to trust instead"
    )
    key = commands.add_parser("approver-key", help="make a key of one's own to approve with")
    key.add_argument("file", type=Path)
    key.add_argument("--no-passphrase", action="store_true")
    for command in (approve, key):
        command.add_argument("--passphrase-file", type=Path, metavar="FILE")


if __name__ == "__main__":
    sys.exit(main())
