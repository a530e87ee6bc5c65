"""What the keystore signs, what it refuses, and what it writes down about both."""

import contextlib
import io
import json
import random
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from msgspec import structs

from keystore import api
from keystore.derivation import seed_of
from keystore.journal import Journal
from keystore.keyring import Keyring
from keystore.logs import Log
from keystore.networks.solana import lane_account
from keystore.refusal import Refused
from keystore.service import Keystore
from keystore.settings import NetworkSettings
from keystore.vault import Secrets
from tests.keystore.house import ethereum_intent, solana_intent, tron_intent

NETWORKS = {
    "ethereum": NetworkSettings("ethereum", 31337, test=True),
    "tron": NetworkSettings("tron", test=True),
    "solana": NetworkSettings("solana", test=True),
    "mainnet": NetworkSettings("ethereum", 1),
    "realsol": NetworkSettings("solana"),
}
TRON_STAKE = api.TronResourceIntent(
    withdrawal_id="wdr_1",
    network="tron",
    action="stake",
    resource="ENERGY",
    to="",
    pool_index=None,
    units="1000000",
    ref_block_id="00000000000004d2" + "1f" * 24,
    expiration_ms=1_700_000_000_000 + 4 * 3_600_000,
    timestamp_ms=1_700_000_000_000,
)
SOLANA_SWEEP = api.SolanaSweepIntent(
    withdrawal_id="wdr_1",
    network="solana",
    asset="native",
    decimals=0,
    token_program="",
    sources=[api.SweepSource(index=0, address="1" * 32, units="1")],
    close=False,
    nonce_account="",
    nonce_value="EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N",
    compute_unit_limit=20_000,
    compute_unit_price_micro_lamports=1_000,
)
SECRETS = [bytearray([n] * 32) for n in range(1, 5)]
LOG = io.StringIO()


def clock() -> datetime:
    """Return one instant."""
    return datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a new journal."""
    path = tmp_path / "journal.sqlite"
    Journal.create(path, "id")
    return path


@pytest.fixture
def keystore(path: Path) -> Iterator[Keystore]:
    """Yield an unlocked keystore with fixed keys."""
    journal = Journal.open(path, "id", clock)
    keyring = Keyring(Secrets(*(bytearray(secret) for secret in SECRETS)))
    yield Keystore(settings=NETWORKS, keyring=keyring, journal=journal, log=Log(clock, LOG))
    journal.close()


def sign(keystore: Keystore, intent: api.Intent) -> api.Signed:
    """Ask for the signature of one intent."""
    answer = keystore.answer(api.SignRequest(intent=intent))
    assert isinstance(answer, api.Signed)
    return answer


def wallets(keystore: Keystore, network: str) -> dict[str, api.ApplicationWallet]:
    """Return the wallets of a network by purpose."""
    answer = keystore.answer(api.WalletsRequest(network=network))
    assert isinstance(answer, api.Wallets)
    return {wallet.purpose: wallet for wallet in answer.wallets}


def code_of(keystore: Keystore, request: api.Request | api.Intent) -> str:
    """Return the code that a request is refused with."""
    if isinstance(request, api.Intent):
        request = api.SignRequest(intent=request)
    with pytest.raises(Refused) as refused:
        keystore.answer(request)
    return refused.value.code


def journaled(path: Path) -> list[tuple[str, str, str | None]]:
    """Return kind, subject and code of every row."""
    db = sqlite3.connect(path)
    found = db.execute("select kind, subject, code from entry order by seq").fetchall()
    db.close()
    return found


def test_pool_rows_are_issued_without_a_gap(keystore: Keystore) -> None:
    """Whoever holds the socket cannot use up the pool by one row far ahead."""

    def issue(first: int) -> api.DerivePoolRequest:
        return api.DerivePoolRequest(network="tron", first=first, count=2, issue=True)

    assert code_of(keystore, issue(1)) == "bad_range"
    for first in (0, 1, 0, 3):
        assert keystore.answer(issue(first))
    assert code_of(keystore, issue(6)) == "bad_range"


def test_each_family_signs_and_repeats_the_same_bytes(keystore: Keystore) -> None:
    """From the hot wallet that `wallets` lists."""
    lane = wallets(keystore, "solana")["nonce"].address
    intents: list[tuple[str, api.Intent]] = [
        ("ethereum", ethereum_intent(withdrawal_id="wdr_e")),
        ("tron", tron_intent(withdrawal_id="wdr_t")),
        ("solana", solana_intent(lane, withdrawal_id="wdr_s")),
    ]

    for network, intent in intents:
        signed = sign(keystore, intent)
        assert sign(keystore, intent) == signed
        assert signed.sender == wallets(keystore, network)["hot"].address
        assert signed.raw == signed.raw.lower()
    status = keystore.answer(api.StatusRequest())
    assert isinstance(status, api.Status)
    assert status.signatures == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"units": "5"},
        {"to": "0x" + "ac" * 20},
        {"nonce": 1},
        {"asset": "0x" + "cd" * 20},
        {"max_fee_per_gas": "3000000000"},
        {"gas_limit": 50_000},
        {"network": "mainnet"},
    ],
)
def test_a_withdrawal_has_one_intent(
    keystore: Keystore, path: Path, changes: dict[str, Any]
) -> None:
    """Any other field for the same id is a conflict, and the refusal is written down."""
    sign(keystore, ethereum_intent())

    assert code_of(keystore, ethereum_intent(**changes)) == "intent_conflict"
    assert journaled(path) == [
        ("signed", "wdr_1", None),
        ("refused", "wdr_1", "intent_conflict"),
    ]


def test_a_withdrawal_cannot_be_paid_again_on_another_network(keystore: Keystore) -> None:
    """The id alone decides, whatever the family."""
    sign(keystore, ethereum_intent())

    assert code_of(keystore, tron_intent()) == "intent_conflict"


def test_a_slot_serves_one_withdrawal(keystore: Keystore, path: Path) -> None:
    """Nonce, nonce value and transaction id: each pays once."""
    lane = wallets(keystore, "solana")["nonce"].address
    sign(keystore, ethereum_intent(withdrawal_id="wdr_e"))
    sign(keystore, tron_intent(withdrawal_id="wdr_t"))
    sign(keystore, solana_intent(lane, withdrawal_id="wdr_s"))

    assert code_of(keystore, ethereum_intent(withdrawal_id="wdr_2", units="9")) == "slot_taken"
    assert code_of(keystore, tron_intent(withdrawal_id="wdr_2")) == "slot_taken"
    taken = solana_intent(lane, withdrawal_id="wdr_2", units="9")
    assert code_of(keystore, taken) == "slot_taken"
    assert [row[2] for row in journaled(path)[3:]] == ["slot_taken"] * 3


def test_a_refused_withdrawal_may_be_asked_for_again_correctly(keystore: Keystore) -> None:
    """A refusal takes nothing: only signatures bind."""
    assert code_of(keystore, ethereum_intent(units="0")) == "bad_amount"

    assert sign(keystore, ethereum_intent()).sender


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"network": "mainnet", "chain_id": 1}, "not_test_network"),
        ({"chain_id": 1}, "wrong_chain_id"),
        ({"units": "0"}, "bad_amount"),
        ({"to": "0x" + "00" * 20}, "bad_destination"),
        ({"to": "0x" + "cd" * 20, "asset": "0x" + "cd" * 20}, "bad_destination"),
        ({"to": "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8"}, "bad_destination"),
        ({"nonce": -1}, "bad_field"),
    ],
)
def test_policy_refusals_are_written_down(
    keystore: Keystore, path: Path, changes: dict[str, Any], code: str
) -> None:
    """Each with its code; nothing is signed."""
    assert code_of(keystore, ethereum_intent(**changes)) == code
    assert journaled(path) == [("refused", "wdr_1", code)]


def test_own_wallets_are_no_destination(keystore: Keystore) -> None:
    """In every family, in any spelling; on Solana the nonce lanes too."""
    own = {
        name: wallets(keystore, name)["hot"].address for name in ("ethereum", "tron", "solana")
    }
    lane = wallets(keystore, "solana")["nonce"].address
    third = lane_account(own["solana"], 3)

    assert code_of(keystore, ethereum_intent(to=own["ethereum"])) == "own_destination"
    mixed = to_checksum_address(own["ethereum"])
    assert code_of(keystore, ethereum_intent(to=mixed)) == "own_destination"
    assert code_of(keystore, tron_intent(to=own["tron"])) == "own_destination"
    assert code_of(keystore, solana_intent(lane, to=own["solana"])) == "own_destination"
    assert code_of(keystore, solana_intent(lane, to=third)) == "own_destination"


def test_zero_addresses_are_no_destination(keystore: Keystore) -> None:
    """What goes there is gone, on every family."""
    lane = wallets(keystore, "solana")["nonce"].address

    nobody = tron_intent(to="T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb")
    assert code_of(keystore, nobody) == "bad_destination"
    assert code_of(keystore, solana_intent(lane, to="1" * 32)) == "bad_destination"


def test_requests_that_fit_no_network_are_refused(keystore: Keystore, path: Path) -> None:
    """Each intent is journaled, under no id where it has none; a question is not."""
    assert code_of(keystore, ethereum_intent(network="base")) == "unknown_network"
    assert code_of(keystore, ethereum_intent(network="tron")) == "wrong_family"
    refused = [("refused", "wdr_1", code) for code in ("unknown_network", "wrong_family")]
    assert journaled(path) == refused
    assert code_of(keystore, ethereum_intent(withdrawal_id="")) == "bad_field"
    assert code_of(keystore, ethereum_intent(withdrawal_id="wdr 1\n")) == "bad_field"
    assert code_of(keystore, ethereum_intent(withdrawal_id="w" * 65)) == "bad_field"
    assert code_of(keystore, api.WalletsRequest(network="base")) == "unknown_network"
    assert journaled(path) == refused + 3 * [("refused", "#bad_id", "bad_field")]


@pytest.mark.parametrize(
    ("first", "count"), [(0, 0), (0, 201), (-1, 1), (2**31 - 1, 2), (0, -5), (2**31, 1)]
)
def test_pool_ranges_are_bounded(keystore: Keystore, first: int, count: int) -> None:
    """A reply must fit one line, an index must be one that BIP-32 has."""
    request = api.DerivePoolRequest(network="tron", first=first, count=count)

    assert code_of(keystore, request) == "bad_range"


def test_the_last_pool_row_exists(keystore: Keystore) -> None:
    """The range ends where BIP-32 does, not one before."""
    for network in ("ethereum", "tron", "solana"):
        request = api.DerivePoolRequest(network=network, first=2**31 - 1, count=1)
        answer = keystore.answer(request)
        assert isinstance(answer, api.PoolRows)
        assert answer.rows[0].index == 2**31 - 1


def test_a_nonce_lane_is_set_up_on_test_networks_only(keystore: Keystore, path: Path) -> None:
    """Solana, marked as test; repeating it gives the same bytes and one row."""
    request = api.SignNonceSetupRequest(
        network="solana", lane=0, blockhash="1" * 32, lamports=1_447_680
    )

    first = keystore.answer(request)

    assert keystore.answer(request) == first
    assert [row[0] for row in journaled(path)] == ["setup"]
    for network, code in (("realsol", "not_test_network"), ("tron", "wrong_family")):
        other = api.SignNonceSetupRequest(
            network=network, lane=0, blockhash="1" * 32, lamports=1_447_680
        )
        assert code_of(keystore, other) == code


def test_no_intent_surprises_the_keystore(keystore: Keystore) -> None:
    """Any text and any number in any field: signed or refused, never another exception."""
    lane = wallets(keystore, "solana")["nonce"].address
    hot = wallets(keystore, "ethereum")["hot"].address
    sound: list[api.Intent] = [
        ethereum_intent(),
        ethereum_intent(to=hot, source="pool/1"),
        tron_intent(),
        tron_intent(source="gas", pool_index=1),
        TRON_STAKE,
        solana_intent(lane),
        structs.replace(SOLANA_SWEEP, nonce_account=lane),
    ]
    junk = random.Random(5)
    texts = [
        "",
        "0",
        "native",
        "gas",
        "pool/2",
        hot,
        "é" * 40,
        "T" * 34,
        "1" * 44,
        "0x" + "g" * 40,
        "\0",
        "9" * 80,
    ]
    numbers = [0, -1, 1, 2**31, 2**53, 2**63, 2**64, 10**40]

    for n in range(400):
        intent = junk.choice(sound)
        fields = dict(_junk_for(intent, junk, texts, numbers), withdrawal_id=f"wdr_j{n}")
        with contextlib.suppress(Refused):
            sign(keystore, structs.replace(intent, **fields))


def junk_source(junk: random.Random, texts: list[str]) -> api.SweepSource:
    """Return any text and number as a source of a sweep."""
    index = junk.choice([-1, 0, 2**31, 2**63])
    return api.SweepSource(index=index, address=junk.choice(texts), units=junk.choice(texts))


def _junk_for(
    intent: api.Intent, junk: random.Random, texts: list[str], numbers: list[int]
) -> Iterator[tuple[str, Any]]:
    for name in junk.sample(intent.__struct_fields__[2:], k=junk.randrange(1, 4)):
        value = getattr(intent, name)
        if isinstance(value, list):
            yield (
                name,
                junk.choice([[], value, value * 2, value * 20, [junk_source(junk, texts)]]),
            )
        elif name in {"action", "resource"}:
            continue
        elif isinstance(value, str):
            yield name, junk.choice(texts)
        elif not isinstance(value, bool):
            yield name, junk.choice(numbers)


def test_logs_carry_ids_and_hashes_and_no_secret(keystore: Keystore) -> None:
    """Neither seeds nor leaf keys nor signed bytes; one JSON document a line."""
    LOG.truncate(LOG.seek(0))
    signed = sign(keystore, ethereum_intent())
    code_of(keystore, ethereum_intent(units="9"))
    keyring = keystore._keyring

    lines = [json.loads(line) for line in LOG.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["intent_signed", "intent_refused"]
    assert lines[0]["withdrawal_id"] == "wdr_1"
    assert lines[0]["tx_hash"] == signed.tx_hash
    nodes = [each.node for each in keyring._pool.values()]
    rested = [secret for node in nodes for secret in (node.key, node.chain)]
    wallets = [each for both in keyring._wallets.values() for each in both.values()]
    keys = [each.key for each in wallets if isinstance(each.key, bytearray)]
    secrets = [*SECRETS, *map(seed_of, SECRETS), *rested, *keys]
    for secret in (*(bytes(s).hex() for s in secrets), signed.raw):
        assert secret not in LOG.getvalue()


def test_lines_of_a_block_are_written_at_its_end_in_their_order() -> None:
    """In one piece, each with its own time, and whatever ends the block."""
    moments = iter([clock(), clock() + timedelta(seconds=1)])
    stream = io.StringIO()
    log = Log(lambda: next(moments), stream)

    with pytest.raises(KeyError), log.later():
        log.info("first")
        log.warning("second", code="x")
        assert stream.getvalue() == ""
        raise KeyError

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["at"][17:19]) for line in lines] == [
        ("first", "00"),
        ("second", "01"),
    ]


def test_a_terminal_gets_text() -> None:
    """The same events for a person."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    Log(clock, screen).info("ready", socket="run/k.sock")

    assert (
        screen.getvalue() == "2026-11-21T00:00:00.000+00:00 info    ready socket=run/k.sock\n"
    )


def test_a_database_that_forgot_gets_nothing_new_until_it_has_read(keystore: Keystore) -> None:
    """The history gives back intent and bytes; what it already asked for is repeated freely."""

    def asked(number: int, known: int) -> api.SignRequest:
        intent = ethereum_intent(withdrawal_id=f"wdr_{number}", nonce=number)
        return api.SignRequest(intent=intent, known=known)

    signed = [keystore.answer(asked(number, known=number)) for number in range(3)]
    assert [one.number for one in signed if isinstance(one, api.Signed)] == [1, 2, 3]

    assert code_of(keystore, asked(3, known=1)) == "database_behind"
    assert keystore.answer(asked(2, known=1)) == signed[2]
    found = keystore.answer(api.HistoryRequest(network="ethereum", after=1))
    assert isinstance(found, api.History)
    assert [payment.signed for payment in found.payments] == signed[1:]
    assert [payment.intent.withdrawal_id for payment in found.payments] == ["wdr_1", "wdr_2"]
    assert isinstance(keystore.answer(asked(3, known=3)), api.Signed)


def test_a_journal_that_forgot_signs_nothing(keystore: Keystore) -> None:
    """A keystore put back to an older copy must not sign beside what the database knows."""
    request = api.SignRequest(intent=ethereum_intent(), known=7)
    assert code_of(keystore, request) == "journal_behind"


def test_networks_count_for_themselves(keystore: Keystore) -> None:
    """And a history is asked for in portions."""
    for number in range(12):
        intent = ethereum_intent(withdrawal_id=f"wdr_{number}", nonce=number)
        keystore.answer(api.SignRequest(intent=intent, known=number))
    keystore.answer(api.SignRequest(intent=tron_intent(withdrawal_id="wdr_t"), known=0))
    found = keystore.answer(api.HistoryRequest(network="ethereum", after=0))
    assert isinstance(found, api.History)
    assert len(found.payments) == api.HISTORY_COUNT_MAX
    assert code_of(keystore, api.HistoryRequest(network="ethereum", after=-1)) == "bad_range"
    assert code_of(keystore, api.HistoryRequest(network="moon", after=0)) == "unknown_network"


def dearer(eighths: int, **changes: Any) -> api.EthereumIntent:
    """Return the sound payment with both fees raised by so many eighths."""
    fees = {"max_fee_per_gas": 2_000_000_000, "max_priority_fee_per_gas": 1_000_000_000}
    raised = {name: str(fee + fee * eighths // 8) for name, fee in fees.items()}
    return ethereum_intent(**{**raised, **changes})


def test_a_higher_fee_replaces_in_the_same_slot(keystore: Keystore) -> None:
    """Both transactions have one nonce, so one lands; each is repeated for its own intent."""
    first = sign(keystore, ethereum_intent())
    second = sign(keystore, dearer(1))
    third = sign(keystore, dearer(4))
    assert len({first.raw, second.raw, third.raw}) == 3
    assert [one.number for one in (first, second, third)] == [1, 2, 3]
    assert sign(keystore, ethereum_intent()) == first
    assert sign(keystore, dearer(1)) == second


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "0x" + "cd" * 20},
        {"units": "999"},
        {"nonce": 1},
        {"gas_limit": 22_000},
        {"max_priority_fee_per_gas": "1000000000"},
        {"max_fee_per_gas": "2249999999"},
    ],
    ids=["destination", "amount", "nonce", "gas", "tip not raised", "fee raised too little"],
)
def test_a_replacement_changes_the_fee_and_nothing_else(
    keystore: Keystore, changes: dict[str, Any]
) -> None:
    """Anything else would be a second payment."""
    sign(keystore, ethereum_intent())
    assert code_of(keystore, dearer(1, **changes)) == "intent_conflict"


def test_a_replacement_is_compared_with_the_newest(keystore: Keystore) -> None:
    """Fees never step back between two that were signed."""
    sign(keystore, ethereum_intent())
    sign(keystore, dearer(8))
    assert code_of(keystore, dearer(2)) == "intent_conflict"


def test_other_families_have_no_replacement(keystore: Keystore) -> None:
    """A second Tron transaction would be a second payment."""
    sign(keystore, tron_intent())
    assert code_of(keystore, tron_intent(expiration_ms=1_700_000_000_001)) == "intent_conflict"
