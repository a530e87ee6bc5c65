"""The commands that look after the seeds: passphrase, rekey, words, backup, restore, drill."""

import argparse
import getpass
import os
import sys
from pathlib import Path

import msgspec

from keystore import api, backup, disk, settings, vault
from keystore.commands import PASSPHRASE_BYTES_MIN, cost_of, passphrase_of
from keystore.derivation import leaf, seed_of
from keystore.logs import utc_now
from keystore.refusal import Unfit
from keystore.words import entropy_of, places_to_check, words_of

PURPOSES: tuple[api.Purpose, ...] = ("pool", "hot", "gas")
SECONDS_PER_DAY = 86_400


def run(asked: argparse.Namespace) -> None:
    """Run one of the commands; raise `Unfit` with one line where it cannot."""
    chosen = settings.load(asked.config, own_uid=os.geteuid())
    match asked.command:
        case "passphrase":
            _change_passphrase(chosen, asked)
        case "rekey":
            _rekey(chosen, asked)
        case "words":
            _show_words(chosen)
        case "backup":
            made = backup.write(chosen, passphrase_of(chosen), asked.target, utc_now)
            print(f"backup written; {made.signatures} signatures in its journal")
        case "restore":
            made = backup.restore(chosen, passphrase_of(chosen), asked.source, utc_now)
            print(f"restored as of {made.made_at.isoformat(timespec='seconds')}")
            print("what was signed after that is not in its journal: reconcile before paying")
        case "drill":
            _drill(chosen, asked)


def _change_passphrase(chosen: settings.Settings, asked: argparse.Namespace) -> None:
    old = passphrase_of(chosen)
    new = _new_passphrase(asked.new_passphrase_file)
    cost = cost_of(asked.kdf_memory_mib)
    content = vault.rewrap(disk.read(chosen.file), old, new, cost, os.urandom)
    _require_opens(content, new)
    disk.replace(chosen.file, content)
    print("passphrase changed; copies of the old file still open with the old one")
    if chosen.passphrase_file is not None:
        print(f"put the new one into {chosen.passphrase_file}")


def _rekey(chosen: settings.Settings, asked: argparse.Namespace) -> None:
    passphrase = passphrase_of(chosen)
    cost = cost_of(asked.kdf_memory_mib)
    file_id, secrets = vault.decode(disk.read(chosen.file), passphrase)
    content = vault.encode(secrets, passphrase, cost, os.urandom, file_id)
    secrets.wipe()
    _require_opens(content, passphrase)
    disk.replace(chosen.file, content)
    print("the file has a new key; the seeds are the same ones")


def _require_opens(content: bytes, passphrase: bytes) -> None:
    """Never replace the file by one that was not read back."""
    vault.decode(content, passphrase)[1].wipe()


def _new_passphrase(file: Path | None) -> bytes:
    if file is not None:
        new = settings.read_passphrase(file)
    elif sys.stdin.isatty():
        new = getpass.getpass("New passphrase: ").encode()
        if getpass.getpass("Once more: ").encode() != new:
            raise Unfit("new passphrase: the two differ")
    else:
        raise Unfit("--new-passphrase-file: is not given, and there is no terminal to ask at")
    if len(new) < PASSPHRASE_BYTES_MIN:
        raise Unfit(f"new passphrase: must have at least {PASSPHRASE_BYTES_MIN} bytes")
    return new


def _show_words(chosen: settings.Settings) -> None:
    """Show each seed's words to a person, wipe the screen, and ask for three of them."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Unfit("words: are shown on a terminal only, never into a file or a pipe")
    _, secrets = vault.decode(disk.read(chosen.file), passphrase_of(chosen))
    try:
        for purpose in PURPOSES:
            _show_seed(purpose, words_of(getattr(secrets, purpose)))
    finally:
        secrets.wipe()
    print("all three seeds are written down")


def _show_seed(purpose: str, words: list[str]) -> None:
    print(f"\nThe {purpose} seed. Write it on paper; whoever reads it owns the funds.\n")
    for row in range(0, len(words), 6):
        shown = (
            f"{row + place + 1:>2} {word:<10}"
            for place, word in enumerate(words[row : row + 6])
        )
        print("  ".join(shown))
    input("\nPress Enter when it is written down; the words leave the screen. ")
    sys.stdout.write("\x1b[2J\x1b[3J\x1b[H")
    for place in places_to_check(len(words), os.urandom(64)):
        if input(f"Word {place + 1} of the {purpose} seed: ").strip().lower() != words[place]:
            raise Unfit(f"words: word {place + 1} is another one; begin again")


def _drill(chosen: settings.Settings, asked: argparse.Namespace) -> None:
    rows = _rows(asked.pool)
    families = {name: network.family for name, network in chosen.networks.items()}
    if asked.words is not None:
        wrong = _wrong_by_words(asked.words, rows, families)
        print(f"{len(rows)} addresses derived from the words alone, {len(wrong)} wrong")
    else:
        if asked.backup is None:
            raise Unfit("--backup or --words: one of them is needed")
        found = backup.drill(asked.backup, passphrase_of(chosen), rows, families, utc_now)
        wrong = found.wrong
        print(f"backup made   {found.made_at.isoformat(timespec='seconds')}")
        print(
            f"age           {found.age_seconds // SECONDS_PER_DAY} days ({found.age_seconds} s)"
        )
        print(f"signatures    {found.signatures}")
        print(f"addresses     {found.rows} derived again, {len(wrong)} wrong")
    if wrong:
        raise Unfit(f"drill: these rows did not come out again: {', '.join(wrong[:10])}")


def _rows(export: Path) -> list[api.PoolRow]:
    """Read what `keystore pool` printed, one or more answers after one another."""
    try:
        lines = export.read_text().splitlines()
        answers = [msgspec.json.decode(line, type=api.PoolRows) for line in lines if line]
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as fault:
        raise Unfit(f"--pool: {export} is not what `keystore pool` prints: {fault}") from fault
    rows = [row for answer in answers for row in answer.rows]
    if not rows:
        raise Unfit(f"--pool: {export} holds no rows: a drill over nothing shows nothing")
    return rows


def _wrong_by_words(
    file: Path, rows: list[api.PoolRow], families: dict[str, api.Family]
) -> tuple[str, ...]:
    try:
        seed = seed_of(entropy_of(file.read_text(), "--words"))
    except (OSError, UnicodeDecodeError) as fault:
        raise Unfit(f"--words: {file} cannot be read") from fault
    wrong = []
    for row in rows:
        family = families.get(row.network)
        if family is None:
            raise Unfit(f"{row.network}: not in the keystore's settings")
        place = leaf(seed, family, row.index)
        if (place.address, place.path) != (row.address, row.path):
            wrong.append(f"{row.network}/{row.index}")
    return tuple(wrong)
