"""Whatever a database says: what a merge lets go is what was signed once, or takes that back."""

import contextlib
import random
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from keystore import api, policy_file
from keystore.proving import Prover
from keystore.refusal import Refused
from keystore.rules import Policy
from tests.campaign import Figures
from tests.keystore.movements import (
    NOON,
    REAL,
    Safe,
    evm_cancel,
    evm_sweep,
    evm_top_up,
    solana_cancel,
    tron_resource,
    unlocked,
)
from tests.keystore.test_keystore_merge import (
    asked,
    copied,
    dearer,
    merge,
    payments,
    prover,
    reopened,
    rows,
    written,
)

SEEDS, SEEDS_LONG = 6, 300
ORDERS = 6
FAMILIES = ("ethereum", "tron", "solana")
MOST = 10**30


def rules() -> str:
    """Return a policy under which half of the orders go, and every movement of the house."""
    text = ""
    for network, units in (
        ("ethereum", 4 * 10**18),
        ("tron", 4 * 10**6),
        ("solana", 4 * 5 * 10**6),
    ):
        window = f'{{ hours = 24, units = "{units}" }}'
        fees = f'fee_max = "{MOST}"\nfee_window = {{ hours = 24, units = "{MOST}" }}\n'
        text += (
            f'[[rules]]\nname = "pay {network}"\nclass = "automatic"\nnetworks = ["{network}"]\n'
            f'assets = ["native"]\nunits_max = "{MOST}"\nwindow = {window}\n{fees}'
            f'[[rules]]\nname = "move {network}"\nclass = "sweep"\nnetworks = ["{network}"]\n{fees}'
        )
    return text + '[[rules]]\nname = "end"\nclass = "block"\n'


class Undone(Exception):
    """Raised to leave a journal as it was."""


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        """Return the time."""
        return self.at


def requests(safe: Safe) -> Iterator[api.Intent]:
    """Yield every order, and what else might be asked for in its name or its place."""
    for number in range(ORDERS + 1):
        for mine, other in zip(asked(safe, number), asked(safe, number, 40), strict=True):
            yield mine
            yield other
            yield structs.replace(mine, withdrawal_id=f"wdr_n{number}")
            if isinstance(mine, api.EthereumIntent):
                yield dearer(mine)
                yield evm_cancel(safe, withdrawal_id=mine.withdrawal_id, nonce=mine.nonce)
            if isinstance(mine, api.SolanaIntent):
                yield solana_cancel(
                    safe, withdrawal_id=mine.withdrawal_id, nonce_value=mine.nonce_value
                )
    yield from house(safe)


def house(safe: Safe) -> list[api.Intent]:
    """Return movements of the house."""
    return [
        evm_sweep(safe, nonce=3),
        evm_top_up(safe, withdrawal_id="hou_2", nonce=4),
        tron_resource(safe, "delegate"),
    ]


def outcomes(safe: Safe) -> dict[bytes, str]:
    """Ask for each with nothing kept: bytes, or empty where it is refused."""
    found = {}
    for intent in requests(safe):
        with contextlib.suppress(Refused, Undone), safe.keystore.together():
            answer = safe.keystore.answer(api.SignRequest(intent=intent))
            assert isinstance(answer, api.Signed)
            found[msgspec.json.encode(intent)] = answer.raw
            raise Undone
    return found


def busy(safe: Safe, clock: Clock, chance: random.Random) -> Path:
    """Sign orders over some days; return a copy of the journal from somewhere between."""
    older, at = copied(safe), chance.randrange(3 * ORDERS)
    moved = house(safe)
    for place in range(3 * ORDERS):
        if place == at:
            older.unlink()
            older = copied(safe)
        number, family = divmod(place, 3)
        intent = asked(safe, number)[family]
        safe.sign(intent)
        if isinstance(intent, api.EthereumIntent) and chance.random() < 0.5:
            safe.sign(dearer(intent))
        elif isinstance(intent, api.EthereumIntent) and chance.random() < 0.5:
            safe.sign(evm_cancel(safe, withdrawal_id=intent.withdrawal_id, nonce=number))
        if moved and chance.random() < 0.3:
            safe.sign(moved.pop())
        clock.at += timedelta(hours=8)
    return older


def lied(line: dict[str, Any], all_: list[dict[str, Any]], chance: random.Random) -> None:
    """Change one thing in a line as somebody would who may edit every row."""
    other = chance.choice(all_)
    match chance.randrange(5):
        case 0:
            line["intent"]["withdrawal_id"] = chance.choice(
                [other["intent"]["withdrawal_id"], f"wdr_n{chance.randrange(ORDERS)}", "hou_1"]
            )
        case 1:
            line["signed"]["number"] = chance.choice(
                [0, 1, 30, 2**53, other["signed"]["number"]]
            )
        case 2:
            line["signed"] = dict(other["signed"])
        case 3:
            name = chance.choice(sorted(line["intent"].keys() & other["intent"].keys()))
            line["intent"][name] = other["intent"][name]
        case _:
            raw = bytearray.fromhex(line["signed"]["raw"])
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
            line["signed"]["raw"] = raw.hex()


def pressed_in(
    journal: Path,
    lines: list[dict[str, Any]],
    by: Prover,
    chance: random.Random,
    clock: Clock,
) -> None:
    """Merge what can be merged of these lines, as somebody would who tries until it goes."""
    chance.shuffle(lines)
    file = journal.with_name("export")
    for _ in range(len(lines)):
        if not lines:
            return
        before = rows(journal)
        outcome = merge(journal, written(file, lines), by=by, gaps=True, clock=clock)
        if not outcome.faults:
            return
        assert rows(journal) == before
        wrong = {int(fault.split(":")[1]) - 2 for fault in outcome.faults}
        lines = [line for place, line in enumerate(lines) if place not in wrong]


@pytest.fixture
def rulebook(tmp_path: Path) -> Policy:
    """Return the policy."""
    file = tmp_path / "rules.toml"
    file.write_text(rules())
    return policy_file.load(file, frozenset(REAL))


@pytest.mark.campaign
def test_a_hostile_database_gets_nothing_signed_that_was_not(
    tmp_path: Path, rulebook: Policy, long: bool, figures: Figures
) -> None:
    """Lines are edited, renamed, swapped, kept back and brought twice."""
    by, merged, fewer = prover(rulebook), 0, 0
    seeds = SEEDS_LONG if long else SEEDS
    for seed in range(seeds):
        chance, clock = random.Random(seed), Clock()
        (folder := tmp_path / str(seed)).mkdir()
        with unlocked(folder, rules(), clock) as safe:
            older = busy(safe, clock, chance)
            signed = [each for network in FAMILIES for each in payments(safe, network)]
        lines = [msgspec.to_builtins(each) for each in signed]
        truth = {each.signed.raw for each in signed}
        kept = [line for line in lines if chance.random() < 0.9]
        for line in chance.sample(kept, len(kept) // 3):
            lied(line, lines, chance)
        attacked = folder / "attacked"
        shutil.copy(older, attacked)
        pressed_in(attacked, [*kept, *kept[:2]], by, chance, clock)

        assert {row[11].hex() for row in rows(attacked) if row[11]} <= truth
        with reopened(older, rulebook, clock) as back:
            before = outcomes(back)
        with reopened(attacked, rulebook, clock) as back:
            after = outcomes(back)
        new = {intent: raw for intent, raw in after.items() if before.get(intent) != raw}
        cancels = [intent for intent, raw in new.items() if raw not in truth]
        for intent in cancels:
            asked_for = msgspec.json.decode(intent)
            nothing = asked_for["family"] == "solana_advance" or asked_for["units"] == "0"
            assert nothing, (seed, asked_for)
        merged += len(rows(attacked)) - len(rows(older))
        fewer += len(before.keys() - after.keys())
    figures(
        f"merge: {seeds} hostile exports, {merged} rows added, {fewer} requests refused more"
    )
    assert merged > 5 * seeds
    assert fewer > 5 * seeds
