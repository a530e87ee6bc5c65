"""A journal put back to an older copy, and what the database still knows: no second signature."""

import contextlib
import io
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs
from solders.hash import Hash

from keystore import api, exported, merging, policy_file
from keystore.facts import facts_of
from keystore.journal import Journal
from keystore.keyring import Keyring
from keystore.logs import Log
from keystore.proving import Prover
from keystore.refusal import Refused, Unfit
from keystore.rules import Policy
from keystore.service import Keystore
from keystore.vault import Secrets
from tests.keystore.house import ethereum_intent, tron_intent
from tests.keystore.movements import (
    NOON,
    PLAY,
    REAL,
    Safe,
    evm_cancel,
    evm_sweep,
    evm_top_up,
    solana_cancel,
    solana_payment,
    spl_sweep,
    tron_resource,
    unlocked,
)

ETHER = 10**18
STRANGER = "0x" + "cd" * 20
EARLY = 4
ORDERS = 8
MOMENT_MS = 1_700_000_000_000
POLICY = f"""
[[rules]]
name = "small"
class = "automatic"
networks = ["ethereum"]
assets = ["native"]
units_max = "{ETHER}"
window = {{ hours = 24, units = "{3 * ETHER}" }}
fee_max = "{ETHER}"
fee_window = {{ hours = 24, units = "{ETHER // 1000}" }}

[[rules]]
name = "elsewhere"
class = "automatic"
networks = ["base"]
assets = ["native"]
units_max = "{ETHER}"
window = {{ hours = 24, units = "{ETHER}" }}
fee_max = "{ETHER}"
fee_window = {{ hours = 24, units = "{ETHER}" }}

[[rules]]
name = "sweeps"
class = "sweep"
networks = ["ethereum"]
assets = ["native"]
window = {{ hours = 24, units = "{ETHER}" }}
fee_max = "{ETHER}"
fee_window = {{ hours = 24, units = "{ETHER}" }}

[[rules]]
name = "end"
class = "block"
"""


def ring(first: int = 1) -> Keyring:
    """Return the keys of a vault; `unlocked` has those from 1 on."""
    return Keyring(Secrets(*(bytearray([number] * 32) for number in range(first, first + 4))))


def prover(rulebook: Policy | None = None, first: int = 1) -> Prover:
    """Return who proves for that vault."""
    keyring, networks = ring(first), PLAY if rulebook is None else REAL
    facts = {name: facts_of(name, each, keyring) for name, each in networks.items()}
    return Prover(keyring, facts, rulebook)


@contextlib.contextmanager
def reopened(
    journal: Path, rulebook: Policy | None = None, clock: Callable[[], datetime] = lambda: NOON
) -> Iterator[Safe]:
    """Serve a journal that exists already."""
    keyring = ring()
    with contextlib.closing(Journal.open(journal, "id", clock)) as opened:
        keystore = Keystore(
            settings=PLAY if rulebook is None else REAL,
            keyring=keyring,
            journal=opened,
            log=Log(clock, io.StringIO()),
            rulebook=rulebook,
        )
        yield Safe(keystore, keyring, journal)


def payments(safe: Safe, network: str) -> list[api.Remembered]:
    """Return a network's whole history."""
    found: list[api.Remembered] = []
    while True:
        after = found[-1].signed.number if found else 0
        page = safe.keystore.answer(api.HistoryRequest(network=network, after=after))
        assert isinstance(page, api.History)
        if not page.payments:
            return found
        found += page.payments


def everything(safe: Safe) -> list[api.Remembered]:
    """Return the history of every network."""
    return [each for network in PLAY for each in payments(safe, network)]


def written(file: Path, lines: list[Any]) -> Path:
    """Write an export."""
    head = {"exported_at": NOON, "network": "ethereum"}
    file.write_bytes(b"\n".join(map(msgspec.json.encode, [head, *lines])) + b"\n")
    return file


def merge(
    journal: Path,
    *files: Path,
    by: Prover | None = None,
    gaps: bool = False,
    clock: Callable[[], datetime] = lambda: NOON,
) -> merging.Outcome:
    """Merge as the command does."""
    by = by or prover()
    return merging.merge(journal, "id", exported.read(files, by), clock, gaps=gaps)


def rows(journal: Path) -> list[tuple[Any, ...]]:
    """Return every row."""
    with contextlib.closing(sqlite3.connect(journal)) as db:
        return db.execute("select * from entry order by seq").fetchall()


def asked(safe: Safe, number: int, other: int = 0) -> list[api.Intent]:
    """Return payment `number` of each family, or what else its withdrawal might be paid by."""
    time = MOMENT_MS + number + other
    value = str(Hash(bytes([1 + number + other] * 32)))
    return [
        ethereum_intent(withdrawal_id=f"wdr_e{number}", nonce=number + other),
        tron_intent(
            withdrawal_id=f"wdr_t{number}", timestamp_ms=time, expiration_ms=time + 3_600_000
        ),
        solana_payment(safe, withdrawal_id=f"wdr_s{number}", nonce_value=value),
    ]


def dearer(intent: api.EthereumIntent) -> api.EthereumIntent:
    """Return a fee bump."""
    return structs.replace(
        intent, max_fee_per_gas="3000000000", max_priority_fee_per_gas="1500000000"
    )


def paid(safe: Safe, numbers: range) -> None:
    """Sign a payment of each family for each number."""
    for number in numbers:
        for intent in asked(safe, number):
            safe.sign(intent)


@pytest.fixture
def safe(tmp_path: Path) -> Iterator[Safe]:
    """Yield a keystore of play money; `older` beside its journal is a copy from between."""
    with unlocked(tmp_path) as found:
        paid(found, range(EARLY))
        copied(found)
        yield found


def copied(safe: Safe) -> Path:
    """Copy the journal as a backup does."""
    target = safe.journal.with_name("older")
    with contextlib.closing(Journal.open(safe.journal, "id", lambda: NOON)) as journal:
        journal.copy_to(target)
    return target


def test_after_a_merge_nothing_is_signed_a_second_time(safe: Safe, tmp_path: Path) -> None:
    """Payments, a bump and cancels after the backup; the lines come in no order, and twice."""
    older = tmp_path / "older"
    safe.sign(dearer(ethereum_intent(withdrawal_id="wdr_e1", nonce=1)))
    paid(safe, range(EARLY, ORDERS))
    safe.sign(evm_cancel(safe, withdrawal_id="wdr_e5", nonce=5))
    value = str(Hash(bytes([7] * 32)))
    safe.sign(solana_cancel(safe, withdrawal_id="wdr_s6", nonce_value=value))
    house: list[api.Intent] = [
        evm_sweep(safe),
        evm_top_up(safe, withdrawal_id="hou_2", nonce=1),
        tron_resource(safe, "delegate"),
        spl_sweep(safe, withdrawal_id="hou_3", nonce_value=str(Hash(bytes([99] * 32)))),
    ]
    for intent in house:
        safe.sign(intent)
    before = everything(safe)
    with reopened(older) as back:
        known = payments(safe, "ethereum")[-1].signed.number
        late = ethereum_intent(withdrawal_id="wdr_late", nonce=ORDERS)
        assert back.refusal(late, known=known) == "journal_behind"

    lines = list(before)
    random.Random(7).shuffle(lines)
    outcome = merge(older, written(tmp_path / "export", lines + lines[:5]))
    assert (outcome.faults, outcome.missing) == ([], {})
    assert sum(outcome.added.values()) == len(before) - 3 * EARLY

    with reopened(older) as back:
        assert everything(back) == before
        for each in before:
            assert back.sign(each.intent) == each.signed
        for number in range(ORDERS):
            for mine, other in zip(
                asked(back, number), asked(back, number, ORDERS), strict=True
            ):
                assert back.refusal(other) == "intent_conflict"
                if not isinstance(mine, api.TronIntent):  # there the bytes are the slot
                    stolen = structs.replace(mine, withdrawal_id=f"wdr_x{number}", units="7")
                    assert back.refusal(stolen) == "slot_taken"
        assert back.sign(late, known=known).number == known + 1


def test_a_second_merge_adds_nothing(safe: Safe, tmp_path: Path) -> None:
    """Nor does one of what was never lost."""
    paid(safe, range(EARLY, ORDERS))
    file = written(tmp_path / "export", everything(safe))
    merge(tmp_path / "older", file)
    before = rows(tmp_path / "older")
    outcome = merge(tmp_path / "older", file)
    assert (outcome.known, sum(outcome.added.values())) == (3 * ORDERS, 0)
    assert rows(tmp_path / "older") == before
    assert merge(safe.journal, file).known == 3 * ORDERS


def test_a_merge_that_is_cut_off_added_nothing(safe: Safe, tmp_path: Path) -> None:
    """Everything is one transaction."""
    older, reads = tmp_path / "older", iter(range(5))
    paid(safe, range(EARLY, ORDERS))
    file, before = written(tmp_path / "export", everything(safe)), rows(older)

    def stopping() -> datetime:
        if next(reads) == 4:
            raise KeyboardInterrupt
        return NOON

    with pytest.raises(KeyboardInterrupt):
        merge(older, file, clock=stopping)
    assert rows(older) == before
    assert sum(merge(older, file).added.values()) == 3 * (ORDERS - EARLY)


def test_no_byte_and_no_field_may_be_another(safe: Safe) -> None:
    """A bit flipped anywhere in the bytes; a row that says something else than they do."""
    by = prover()
    lies: dict[str, Any] = {
        "network": "base",
        "to": "0x" + "ba" * 20,
        "units": "1",
        "chain_id": 1,
        "nonce": 77,
        "asset": STRANGER,
        "max_fee_per_gas": "2000000001",
        "max_priority_fee_per_gas": "1",
        "gas_limit": 21_001,
        "source": "gas",
        "expiration_ms": MOMENT_MS + 5,
        "timestamp_ms": MOMENT_MS - 1,
        "fee_limit": 1,
        "ref_block_id": "ff" * 32,
        "decimals": 1,
        "create_ata": True,
        "nonce_value": str(Hash(bytes([98] * 32))),
        "nonce_account": "11111111111111111111111111111111",
        "compute_unit_limit": 1,
        "compute_unit_price_micro_lamports": 1,
    }
    for network in PLAY:
        told = payments(safe, network)[0]
        assert by.proved(told).answer.raw.hex() == told.signed.raw
        for place in range(len(told.signed.raw) // 2):
            raw = bytearray.fromhex(told.signed.raw)
            raw[place] ^= 1 << place % 8
            flipped = structs.replace(told.signed, raw=raw.hex())
            with pytest.raises(Refused):
                by.proved(structs.replace(told, signed=flipped))
        for lie in (
            {"tx_hash": "00"},
            {"sender": STRANGER},
            {"number": -1},
            {"number": 2**53 + 1},
        ):
            with pytest.raises(Refused):
                by.proved(structs.replace(told, signed=structs.replace(told.signed, **lie)))
        for name in lies.keys() & {*told.intent.__struct_fields__}:
            with pytest.raises(Refused):
                lied = structs.replace(told.intent, **{name: lies[name]})
                by.proved(structs.replace(told, intent=lied))


def test_another_vaults_signature_is_none_of_ours(tmp_path: Path) -> None:
    """It names the same wallets by the same words, and its bytes are sound."""
    with unlocked(tmp_path) as safe:
        paid(safe, range(2))
        file = written(tmp_path / "export", everything(safe))
    found = exported.read([file], prover(first=9))
    assert len(found.faults) == 6
    assert all("not_signed_here" in fault or "lane" in fault for fault in found.faults)


def test_a_payment_of_one_chain_is_none_of_another(tmp_path: Path) -> None:
    """The bytes name the chain's number and not its name: the settings tie the two."""
    with unlocked(tmp_path, POLICY) as safe:
        safe.sign(ethereum_intent())
        [told] = payments(safe, "ethereum")
        by = prover(policy_file.load(tmp_path / "policy.toml", frozenset(REAL)))
    moved = structs.replace(told, intent=structs.replace(told.intent, network="base"))
    assert by.proved(told)
    with pytest.raises(Refused, match="chain_id"):
        by.proved(moved)


def test_a_movement_of_the_house_is_no_withdrawal(safe: Safe) -> None:
    """Whoever renames it would have a withdrawal that was never paid look paid."""
    safe.sign(evm_sweep(safe))
    told = payments(safe, "ethereum")[-1]
    renamed = structs.replace(told.intent, withdrawal_id="wdr_9")
    with pytest.raises(Refused, match="house"):
        prover().proved(structs.replace(told, intent=renamed))


def contradictions(safe: Safe, other: Safe) -> dict[str, tuple[api.Remembered, str]]:
    """Return what the same keys signed where the journal said nothing against it, and its fate."""

    def signed(intent: api.Intent, **also: Any) -> api.Remembered:
        return api.Remembered(intent=intent, signed=structs.replace(other.sign(intent), **also))

    here = payments(safe, "ethereum")[0]
    first = signed(ethereum_intent(withdrawal_id="wdr_a", nonce=91), number=91)
    return {
        "a withdrawal's second transaction": (
            signed(ethereum_intent(withdrawal_id="wdr_e0", nonce=90), number=90),
            "intent_conflict",
        ),
        "a second transaction on Tron": (
            signed(tron_intent(withdrawal_id="wdr_t0", expiration_ms=MOMENT_MS + 9), number=90),
            "intent_conflict",
        ),
        "a nonce of another's": (
            signed(ethereum_intent(withdrawal_id="wdr_b", nonce=1), number=92),
            "slot_taken",
        ),
        "a nonce value of another's": (
            signed(
                solana_payment(
                    safe, withdrawal_id="wdr_c", nonce_value=str(Hash(bytes([2] * 32)))
                ),
                number=93,
            ),
            "slot_taken",
        ),
        "a number of another's": (
            structs.replace(first, signed=structs.replace(first.signed, number=2)),
            "number_taken",
        ),
        "another number": (
            structs.replace(here, signed=structs.replace(here.signed, number=50)),
            "number_taken",
        ),
        "bytes of another's": (
            structs.replace(here, intent=structs.replace(here.intent, withdrawal_id="wdr_z")),
            "slot_taken",
        ),
        "a cheaper one in its place": (
            signed(
                ethereum_intent(withdrawal_id="wdr_e2", nonce=2, max_fee_per_gas="1500000000"),
                number=94,
            ),
            "intent_conflict",
        ),
    }


def test_what_cannot_be_true_beside_the_journal_keeps_everything_out(
    safe: Safe, tmp_path: Path
) -> None:
    """Each is shown, and the sound entries of the same file stay out with it."""
    older = tmp_path / "older"
    (tmp_path / "other").mkdir()
    with unlocked(tmp_path / "other") as other:
        cases = contradictions(safe, other)
    paid(safe, range(EARLY, ORDERS))
    before = rows(older)
    for name, (line, code) in cases.items():
        file = written(tmp_path / "export", [*everything(safe), line])
        outcome = merge(older, file, gaps=True)
        assert [code in fault for fault in outcome.faults] == [True], (name, outcome.faults)
        assert outcome.faults[0].startswith(f"{file}:{2 + 3 * ORDERS}: "), name
        assert rows(older) == before, name
    lines = [line for line, _ in cases.values()]
    outcome = merge(older, written(tmp_path / "export", lines), gaps=True)
    assert len(outcome.faults) == len(lines)


def test_a_cancel_is_nothing_without_what_it_takes_back(safe: Safe, tmp_path: Path) -> None:
    """Of an advance the bytes need not name the place that it would take."""
    safe.sign(ethereum_intent(withdrawal_id="wdr_c", nonce=60))
    safe.sign(evm_cancel(safe, withdrawal_id="wdr_c", nonce=60))
    file = written(tmp_path / "export", payments(safe, "ethereum")[-1:])
    outcome = merge(tmp_path / "older", file, gaps=True)
    assert ["nothing_to_cancel" in fault for fault in outcome.faults] == [True]


def test_an_unproved_line_or_a_misshapen_one_keeps_everything_out(
    safe: Safe, tmp_path: Path
) -> None:
    """What was edited by hand, what was cut off, what was never a line."""
    older = tmp_path / "older"
    paid(safe, range(EARLY, ORDERS))
    before, sound = rows(older), everything(safe)
    last = sound[-1]
    for line in (
        structs.replace(last, signed=structs.replace(last.signed, raw="é")),
        structs.replace(last, signed=structs.replace(last.signed, raw="00")),
        structs.replace(last, intent=structs.replace(last.intent, withdrawal_id="a/b")),
        structs.replace(last, intent=structs.replace(last.intent, withdrawal_id="#clock")),
        structs.replace(last, intent=structs.replace(last.intent, network="moon")),
        {"intent": last.intent},
        {"signed": last.signed},
        {"rows": [], "more": 1},
        ["not", "a", "line"],
    ):
        outcome = merge(older, written(tmp_path / "export", [*sound[:-1], line]))
        assert len(outcome.faults) == 1
        assert rows(older) == before
    file = tmp_path / "noise"
    deep = b'{"intent": {"a": ' + b"[" * 30_000
    for noise in (b"\xff\xfe\n", deep, b'{"intent": ' + b" " * 70_000, b"\x00" * 9):
        file.write_bytes(noise)
        assert merge(older, file).faults
    for nothing in (b"", b"\n\n", b"{}\n"):
        file.write_bytes(nothing)
        with pytest.raises(Unfit, match="nothing in these files"):
            merge(older, file)
    with pytest.raises(Unfit, match="No such file"):
        merge(older, tmp_path / "none")
    assert rows(older) == before


def test_numbers_that_no_file_holds_are_named_and_keep_everything_out(
    safe: Safe, tmp_path: Path
) -> None:
    """What they stand for could be signed again; a person may go on without them."""
    older = tmp_path / "older"
    paid(safe, range(EARLY, ORDERS))
    lines = [each for each in everything(safe) if each.signed.number not in {5, 7}]
    file, before = written(tmp_path / "export", lines), rows(older)
    assert merge(older, file).missing == {network: [5, 7] for network in sorted(PLAY)}
    assert rows(older) == before
    assert merge(older, file, gaps=True).newest == dict.fromkeys(sorted(PLAY), ORDERS)
    whole = merge(older, written(tmp_path / "export", everything(safe)))
    assert (sum(whole.added.values()), whole.missing) == (6, {})
    assert whole.newest == dict.fromkeys(sorted(PLAY), ORDERS)
    with reopened(older) as back:
        assert everything(back) == everything(safe)


def test_what_has_no_number_gets_the_next(safe: Safe, tmp_path: Path) -> None:
    """A row that lost it; the database reads it in the history again."""
    paid(safe, range(EARLY, ORDERS))
    lines = [
        structs.replace(each, signed=structs.replace(each.signed, number=0))
        if each.signed.number == 6
        else each
        for each in payments(safe, "ethereum")
    ]
    merge(tmp_path / "older", written(tmp_path / "export", lines), gaps=True)
    with reopened(tmp_path / "older") as back:
        found = payments(back, "ethereum")
    assert [each.signed.number for each in found] == [1, 2, 3, 4, 5, 7, 8, 9]
    assert found[-1].intent.withdrawal_id == "wdr_e5"


def test_what_is_missing_is_counted_and_not_only_begun(safe: Safe, tmp_path: Path) -> None:
    """Nobody takes a wide gap for a small one."""
    last, high = payments(safe, "ethereum")[-1], EARLY + merging.GAP_MAX
    far = structs.replace(last, signed=structs.replace(last.signed, number=high))
    file = written(tmp_path / "export", [*everything(safe)[: EARLY - 1], far])
    found = exported.read([file], prover())
    outcome = merging.begin(tmp_path / "new.sqlite", "id", found, lambda: NOON, gaps=False)
    assert outcome.faults == []
    assert outcome.missing == {"ethereum": list(range(EARLY, EARLY + merging.MISSING_SHOWN))}
    assert outcome.absent == {"ethereum": high - EARLY}


@pytest.mark.parametrize("number", [EARLY + merging.GAP_MAX + 1, 2**53])
def test_a_number_far_ahead_is_not_believed_and_keeps_everything_out(
    safe: Safe, tmp_path: Path, number: int
) -> None:
    """Numbers would go on from there; a person who knows that so many are lost says how many."""
    last = payments(safe, "ethereum")[-1]
    far = structs.replace(last, signed=structs.replace(last.signed, number=number))
    found = exported.read(
        [written(tmp_path / "export", [*everything(safe)[: EARLY - 1], far])], prover()
    )
    new = tmp_path / "new.sqlite"
    outcome = merging.begin(new, "id", found, lambda: NOON, gaps=True)
    [fault] = outcome.faults
    assert f"bad_range: number: {number} is here, and none of the {number - EARLY}" in fault
    assert f"more than {merging.GAP_MAX}" in fault
    assert not new.exists()
    wide = merging.begin(new, "id", found, lambda: NOON, gaps=True, gap_max=number)
    assert (wide.faults, wide.newest) == ([], {"ethereum": number})


def test_issued_pool_rows_are_not_made_again(safe: Safe, tmp_path: Path) -> None:
    """One signed row says that those below were issued; a forged one says nothing."""
    request = api.DerivePoolRequest(network="tron", first=0, count=20, issue=True)
    answer = safe.keystore.answer(request)
    assert isinstance(answer, api.PoolRows)
    last = answer.rows[-1]
    for forged in (
        structs.replace(last, index=90),
        structs.replace(last, index=2**31),
        structs.replace(last, signature="00" * 64),
        structs.replace(last, network="moon"),
    ):
        outcome = merge(tmp_path / "older", written(tmp_path / "export", [{"rows": [forged]}]))
        assert len(outcome.faults) == 1
    file = written(tmp_path / "export", [{"rows": [last]}])
    assert merge(tmp_path / "older", file).issued == {"tron": 20}
    assert merge(tmp_path / "older", file).issued == {}
    with reopened(tmp_path / "older") as back:
        more = api.DerivePoolRequest(network="tron", first=20, count=1, issue=True)
        assert isinstance(back.keystore.answer(more), api.PoolRows)


def test_one_pool_row_far_ahead_issues_nothing(safe: Safe, tmp_path: Path) -> None:
    """Watchers derive every row below what is issued at each start: two thousand million of them."""

    def row(index: int) -> api.PoolRow:
        request = api.DerivePoolRequest(network="tron", first=index, count=1)
        answer = safe.keystore.answer(request)
        assert isinstance(answer, api.PoolRows)
        return answer.rows[0]

    older, apart = tmp_path / "older", merging.ROWS_APART_MAX
    far = written(tmp_path / "far", [{"rows": [row(5)]}, {"rows": [row(2**31 - 2)]}])
    outcome = merge(older, far)
    assert ["bad_range" in fault for fault in outcome.faults] == [True]
    with reopened(older) as back:
        request = api.DerivePoolRequest(network="tron", first=1, count=1, issue=True)
        with pytest.raises(Refused, match="never issued"):
            back.keystore.answer(request)
    lines = [{"rows": [row(index)]} for index in (2 * apart, apart, 1)]
    assert merge(older, written(tmp_path / "dense", lines)).issued == {"tron": 2 * apart + 1}


def test_what_was_paid_before_the_policy_listed_its_address_stays_a_payout(
    tmp_path: Path,
) -> None:
    """A policy of today judges no signature of yesterday: left out, it could be made again."""
    with unlocked(tmp_path, POLICY) as safe:
        older = copied(safe)
        first = ethereum_intent()
        safe.sign(first)
        file = written(tmp_path / "export", payments(safe, "ethereum"))
    cold = POLICY.replace(
        'class = "sweep"\n', f'class = "sweep"\ndestinations = ["{first.to}"]\n'
    )
    (tmp_path / "policy.toml").write_text(cold)
    rulebook = policy_file.load(tmp_path / "policy.toml", frozenset(REAL))
    assert merge(older, file, by=prover(rulebook)).faults == []
    with reopened(older, rulebook) as back:
        assert spent_under(back) == {"small": str(ETHER), "sweeps": "0", "end": None}
        assert back.refusal(structs.replace(first, nonce=9)) == "intent_conflict"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        """Return the time."""
        return self.at


def spent_under(safe: Safe) -> dict[str, str | None]:
    """Return what the windows of a network's rules count, by rule."""
    return {
        rule.name: None if rule.window is None else rule.window.spent
        for rule in safe.rules("ethereum").rules
    }


def test_limits_count_what_was_merged(tmp_path: Path) -> None:
    """Under each rule that may have let it go, and no other, from the merge on."""
    clock = Clock()
    with unlocked(tmp_path, POLICY, clock) as safe:
        rulebook = policy_file.load(tmp_path / "policy.toml", frozenset(REAL))
        older = copied(safe)
        for number in range(3):
            safe.sign(ethereum_intent(withdrawal_id=f"wdr_{number}", nonce=number))
        fourth = ethereum_intent(withdrawal_id="wdr_3", nonce=3)
        assert safe.refusal(fourth) == "blocked"
        file = written(tmp_path / "export", payments(safe, "ethereum"))
    merge(older, file, by=prover(rulebook))

    with reopened(older, rulebook, clock) as back:
        assert spent_under(back) == {"small": str(3 * ETHER), "sweeps": "0", "end": None}
        assert back.refusal(fourth) == "blocked"
        elsewhere = ethereum_intent(withdrawal_id="wdr_9", network="base", chain_id=8453)
        back.sign(elsewhere)
        back.sign(evm_sweep(back))
        clock.at += timedelta(hours=25)
        back.sign(fourth)
        assert spent_under(back) == {"small": str(ETHER), "sweeps": "0", "end": None}


def test_fees_of_what_was_merged_count_and_only_a_cancel_follows(tmp_path: Path) -> None:
    """The ceiling that people approved is not in the bytes: nobody raises the fee any more."""
    with unlocked(tmp_path, POLICY) as safe:
        rulebook = policy_file.load(tmp_path / "policy.toml", frozenset(REAL))
        older = copied(safe)
        first = ethereum_intent()
        safe.sign(first)
        safe.sign(dearer(first))
        file = written(tmp_path / "export", payments(safe, "ethereum"))
    merge(older, file, by=prover(rulebook))

    with reopened(older, rulebook) as back:
        window = back.rules("ethereum").rules[0].fee_window
        assert window is not None
        assert window.spent == str(21_000 * 3 * 10**9)
        fees = {"max_fee_per_gas": "6000000000", "max_priority_fee_per_gas": "3000000000"}
        assert back.refusal(structs.replace(first, **fees)) == "blocked"
        assert back.sign(evm_cancel(back, **fees)).number == 3


def test_no_rule_may_be_named_as_what_was_merged(tmp_path: Path) -> None:
    """It would decide what nobody remembers the grounds of."""
    policy = POLICY.replace('"small"', '"#merged/payout"')
    with pytest.raises(Unfit, match="name"), unlocked(tmp_path, policy):
        pass


def test_a_journal_that_is_lost_begins_with_what_was_signed(safe: Safe, tmp_path: Path) -> None:
    """It gets its name when everything is in it; one that stands is never replaced."""
    file = written(tmp_path / "export", everything(safe))
    found, new = exported.read([file], prover()), tmp_path / "new.sqlite"
    with pytest.raises(Unfit, match="exists already"):
        merging.begin(safe.journal, "id", found, lambda: NOON, gaps=False)
    half = exported.read([written(tmp_path / "half", everything(safe)[1:])], prover())
    assert merging.begin(new, "id", half, lambda: NOON, gaps=False).missing == {"ethereum": [1]}
    assert not new.exists()
    (log := new.with_name("new.sqlite-wal")).touch()
    with pytest.raises(Unfit, match="exists already"):
        merging.begin(new, "id", found, lambda: NOON, gaps=False)
    log.unlink()
    assert merging.begin(new, "id", found, lambda: NOON, gaps=False).faults == []
    with reopened(new) as back:
        assert everything(back) == everything(safe)


def test_a_lost_journal_gets_its_name_with_everything_in_it(
    safe: Safe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite may leave what was committed in the log beside the file: that is not lost again."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    found = exported.read([written(tmp_path / "export", everything(safe))], prover())
    new, readers = tmp_path / "new.sqlite", list[sqlite3.Connection]()

    def reading() -> datetime:
        if not readers:
            [fresh] = set(tmp_path.rglob("new.sqlite"))
            readers.append(sqlite3.connect(fresh, isolation_level=None))
            readers[0].execute("begin")
            readers[0].execute("select count(*) from entry").fetchone()
        return NOON

    assert merging.begin(new, "id", found, reading, gaps=False).faults == []
    readers[0].close()
    assert not [each for each in tmp_path.iterdir() if each.name.startswith("tmp")]
    with reopened(new) as back:
        assert everything(back) == everything(safe)
    with pytest.raises(Unfit, match="no such folder"):
        merging.begin(tmp_path / "gone" / "new", "id", found, lambda: NOON, gaps=False)
