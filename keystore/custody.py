"""The commands that look after the seeds: passphrase, rekey, words, backup, restore, merge, drill."""

import argparse
import getpass
import os
import sys
from datetime import datetime
from pathlib import Path

from keystore import api, backup, disk, drill, exported, merging, policy_file, settings, vault
from keystore.commands import PASSPHRASE_BYTES_MIN, cost_of, passphrase_of
from keystore.door import alone
from keystore.facts import facts_of
from keystore.journal import Journal
from keystore.journal_file import spelled
from keystore.keyring import Keyring
from keystore.logs import utc_now
from keystore.proving import Prover
from keystore.refusal import Unfit
from keystore.words import places_to_check, words_of

PURPOSES: tuple[api.Purpose, ...] = ("pool", "hot", "gas")
SECONDS_PER_DAY = 86_400


def run(asked: argparse.Namespace) -> None:
    """Run one of the commands; raise `Unfit` with one line where it cannot."""
    if asked.command == "drill" and asked.words is not None:
        _drill_by_words(asked)
        return
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
            print(
                "what was signed after that is not in its journal: keystore merge before paying"
            )
        case "merge":
            _merge(chosen, asked)
        case "clock":
            _clock(chosen, accept=asked.accept)
        case "drill":
            _drill_by_backup(chosen, asked)


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
        imported = [name for name in PURPOSES[1:] if getattr(secrets, f"{name}_key")]
    finally:
        secrets.wipe()
    print("all three seeds are written down")
    for purpose in imported:
        print(f"{purpose} has an imported key too: no words bring it back, a backup does")


def _show_seed(purpose: str, words: list[str]) -> None:
    print(f"\nThe {purpose} seed. Write it on paper; whoever reads it owns the funds.\n")
    for row in range(0, len(words), 6):
        shown = (
            f"{row + place + 1:>2} {word:<10}"
            for place, word in enumerate(words[row : row + 6])
        )
        print("  ".join(shown))
    try:
        input("\nPress Enter when it is written down; the words leave the screen. ")
    finally:
        # Ctrl-C and Ctrl-D as well: nobody who comes later reads them here.
        sys.stdout.write("\x1b[2J\x1b[3J\x1b[H")
        sys.stdout.flush()
    for place in places_to_check(len(words), os.urandom(64)):
        if input(f"Word {place + 1} of the {purpose} seed: ").strip().lower() != words[place]:
            raise Unfit(f"words: word {place + 1} is another one; begin again")


def _clock(chosen: settings.Settings, *, accept: bool) -> None:
    """Compare the clock with the journal; with `accept` let time count from the clock again."""
    vault_id, secrets = vault.decode(disk.read(chosen.file), passphrase_of(chosen))
    secrets.wipe()
    with alone(chosen.socket):
        journal = Journal.open(chosen.journal, vault_id, utc_now)
        try:
            newest, at = journal.accept_clock() if accept else (journal.now(), utc_now())
        finally:
            journal.close()
    print(f"journal  {spelled(newest)}")
    print(f"clock    {spelled(at)}")
    if accept:
        print(
            "time counts from the clock again; what was signed counts in its windows from now"
        )


def _merge(chosen: settings.Settings, asked: argparse.Namespace) -> None:
    """Take in again what the journal has lost, or say what keeps it from that."""
    rulebook = None
    if chosen.policy is not None:
        rulebook = policy_file.load(chosen.policy, frozenset(chosen.networks))
    vault_id, secrets = vault.decode(disk.read(chosen.file), passphrase_of(chosen))
    keyring = Keyring(secrets)
    secrets.wipe()
    try:
        named = chosen.networks.items()
        facts = {name: facts_of(name, network, keyring) for name, network in named}
        with alone(chosen.socket):
            found = exported.read(asked.files, Prover(keyring, facts, rulebook))
            write = merging.begin if asked.journal_lost else merging.merge
            outcome = write(
                chosen.journal,
                vault_id,
                found,
                utc_now,
                gaps=asked.gaps,
                gap_max=merging.GAP_MAX if asked.gap_max is None else asked.gap_max,
            )
    finally:
        keyring.wipe()
    _tell_merged(outcome, gaps=asked.gaps)


def _tell_merged(outcome: merging.Outcome, *, gaps: bool) -> None:
    for fault in outcome.faults:
        print(fault)
    for network, numbers in outcome.missing.items():
        more = outcome.absent[network] - len(numbers)
        told = f" and {more} more, up to {outcome.newest[network]}" if more else ""
        print(f"{network}: in no file: {', '.join(map(str, numbers))}{told}")
    if outcome.faults:
        raise Unfit(f"merge: {len(outcome.faults)} entries cannot be true; nothing was added")
    if outcome.must_not(gaps=gaps):
        raise Unfit("merge: what was signed is missing (--gaps); nothing was added")
    for network, newest in outcome.newest.items():
        print(f"{network:<13} {outcome.added[network]} added, numbers up to {newest}")
    for network, below in outcome.issued.items():
        print(f"{network:<13} pool rows below {below} are issued")
    print(f"{outcome.known} known already; what was added counts in its windows from now")


def _drill_by_words(asked: argparse.Namespace) -> None:
    """Find the addresses on a machine that has the words and the export, and nothing else."""
    export = _told(asked.pool)
    wrong = drill.wrong_by_words(asked.words, export.rows)
    print(f"{len(export.rows)} addresses derived from the words alone, {len(wrong)} wrong")
    _require_all(wrong)


def _drill_by_backup(chosen: settings.Settings, asked: argparse.Namespace) -> None:
    if asked.backup is None:
        raise Unfit("--backup or --words: one of them is needed")
    export = _told(asked.pool)
    families = {name: network.family for name, network in chosen.networks.items()}
    found = backup.drill(asked.backup, passphrase_of(chosen), export.rows, families, utc_now)
    print(f"backup made   {_told_age(found.made_at)}")
    print(f"signatures    {found.signatures}")
    print(f"addresses     {found.rows} derived again, {len(found.wrong)} wrong")
    _require_all(found.wrong)


def _told(file: Path) -> drill.Export:
    """Read the export and say what it holds and how old it is."""
    export = drill.read_export(file)
    age = "it does not say when" if export.made_at is None else _told_age(export.made_at)
    print(f"export made   {age}")
    for network, count in sorted(export.by_network.items()):
        print(f"{network:<13} {count} addresses")
    return export


def _told_age(moment: datetime) -> str:
    seconds = int((utc_now() - moment).total_seconds())
    shown = moment.isoformat(timespec="seconds")
    return f"{shown}, {seconds // SECONDS_PER_DAY} days old ({seconds} s)"


def _require_all(wrong: tuple[str, ...]) -> None:
    if wrong:
        raise Unfit(f"drill: these rows did not come out again: {', '.join(wrong[:10])}")
