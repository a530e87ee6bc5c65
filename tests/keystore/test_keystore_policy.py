"""The keystore's own policy: ordered rules, limits from its journal, approvals it proves itself."""

import contextlib
import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from keystore import api, policy_file
from keystore.journal import Journal
from keystore.keyring import Keyring
from keystore.logs import Log
from keystore.policy import decide
from keystore.refusal import Refused, Unfit
from keystore.rules import Payment, Policy, Rule, Window
from keystore.service import Keystore
from keystore.settings import NetworkSettings
from keystore.vault import Secrets
from tests.keystore.house import ROOT, ethereum_intent

NETWORKS = {"ethereum": NetworkSettings("ethereum", 31337)}
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ALICE, BOB, SHOP = (Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in (7, 8, 9))
CAROL = ec.derive_private_key(1234567, ec.SECP256R1())
SITE, ORIGIN = "pay.example.com", "https://pay.example.com"
ETHER = 10**18
POLICY = f"""
[[approvers]]
name = "alice"
subject = "usr_alice"
key = "{ALICE.public_key().public_bytes_raw().hex()}"

[[approvers]]
name = "bob"
subjects = ["usr_bob", "key_bob"]
key = "{BOB.public_key().public_bytes_raw().hex()}"

[[approvers]]
name = "carol"
subject = "usr_carol"
passkey = "{CAROL.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()}"
relying_party = "{SITE}"
origin = "{ORIGIN}"

[[approvers]]
name = "shop"
merchant = "mer_1"
key = "{SHOP.public_key().public_bytes_raw().hex()}"

[[rules]]
name = "small change"
class = "automatic"
networks = ["ethereum"]
assets = ["native"]
units_max = "{ETHER}"
window = {{ hours = 24, units = "{2 * ETHER}" }}
fee_max = "{ETHER // 100}"
fee_window = {{ hours = 24, units = "{ETHER // 50}" }}

[[rules]]
name = "the shop's own word"
class = "merchant_signed"
networks = ["ethereum"]
assets = ["native"]
units_max = "{5 * ETHER}"
fee_max = "{ETHER // 100}"
approvals = 1
approvers = ["shop"]

[[rules]]
name = "two people"
class = "approved"
networks = ["ethereum"]
assets = ["native"]
units_max = "{100 * ETHER}"
fee_max = "{ETHER // 100}"
approvals = 2
approvers = ["alice", "bob", "carol"]

[[rules]]
name = "everything else"
class = "block"
"""


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        """Return the time."""
        return self.at


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands at noon."""
    return Clock()


@pytest.fixture
def keystore(tmp_path: Path, clock: Clock) -> Iterator[Keystore]:
    """Yield a keystore for real money under `POLICY`."""
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    file.chmod(0o600)
    path = tmp_path / "journal.sqlite"
    Journal.create(path, "id")
    with contextlib.closing(Journal.open(path, "id", clock)) as journal:
        yield Keystore(
            settings=NETWORKS,
            keyring=Keyring(Secrets(*(bytearray([n] * 32) for n in range(1, 5)))),
            journal=journal,
            log=Log(clock),
            rulebook=policy_file.load(file, frozenset(NETWORKS)),
        )


def asked(intent: api.EthereumIntent, **changes: Any) -> api.Order:
    """Return the order that fits an intent, with `changes`."""
    fields: dict[str, Any] = {
        "withdrawal_id": intent.withdrawal_id,
        "network": intent.network,
        "asset": intent.asset,
        "to": intent.to,
        "units": intent.units,
        "fee_ceiling": str(ETHER // 100),
        "merchant": "mer_1",
        "requested_by": "key_shop",
        "expires_ms": int(NOON.timestamp() * 1000) + 3_600_000,
    }
    return api.Order(**{**fields, **changes})


def signed_by(name: str, key: Ed25519PrivateKey, order: api.Order) -> api.KeyApproval:
    """Return an approval with a key."""
    return api.KeyApproval(approver=name, signature=key.sign(api.order_message(order)).hex())


def passkey_of_carol(
    order: api.Order, *, flags: int = 0x05, origin: str = ORIGIN, site: str = SITE
) -> api.PasskeyApproval:
    """Return what Carol's authenticator would sign for this order."""
    challenge = hashlib.sha256(api.order_message(order)).digest()
    said = {
        "type": "webauthn.get",
        "challenge": urlsafe_b64encode(challenge).rstrip(b"=").decode(),
        "origin": origin,
        "crossOrigin": False,
    }
    client = json.dumps(said).encode()
    data = hashlib.sha256(site.encode()).digest() + bytes([flags]) + (1).to_bytes(4, "big")
    proof = CAROL.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
    return api.PasskeyApproval(
        approver="carol",
        authenticator_data=data.hex(),
        client_data=client.hex(),
        signature=proof.hex(),
    )


def sign(
    keystore: Keystore,
    intent: api.EthereumIntent,
    order: api.Order | None = None,
    *approvals: api.Approval,
) -> api.Signed:
    """Ask for one signature."""
    request = api.SignRequest(intent=intent, order=order, approvals=list(approvals))
    answer = keystore.answer(request)
    assert isinstance(answer, api.Signed)
    return answer


def refusal(
    keystore: Keystore,
    intent: api.EthereumIntent,
    order: api.Order | None = None,
    *approvals: api.Approval,
) -> str:
    """Return the code that a request is refused with."""
    with pytest.raises(Refused) as refused:
        sign(keystore, intent, order, *approvals)
    return refused.value.code


def big(**changes: Any) -> api.EthereumIntent:
    """Return a payment that needs two people."""
    return ethereum_intent(**{"units": str(10 * ETHER), **changes})


def test_a_small_payment_needs_nobody(keystore: Keystore) -> None:
    """Within the automatic rule's limits the policy alone decides, on real money too."""
    assert sign(keystore, ethereum_intent()).raw


def test_a_window_counts_what_its_rule_let_go(keystore: Keystore, clock: Clock) -> None:
    """Two ether a day: the third falls through to people, and tomorrow it goes again."""
    for nonce in range(2):
        sign(keystore, ethereum_intent(withdrawal_id=f"wdr_{nonce}", nonce=nonce))
    third = ethereum_intent(withdrawal_id="wdr_2", nonce=2)
    assert refusal(keystore, third) == "approvals_missing"
    clock.at += timedelta(hours=24)
    assert sign(keystore, third).raw


def test_a_clock_set_back_does_not_reopen_a_window(keystore: Keystore, clock: Clock) -> None:
    """The journal's newest row is the earliest that now can be."""
    for nonce in range(2):
        sign(keystore, ethereum_intent(withdrawal_id=f"wdr_{nonce}", nonce=nonce))
    clock.at -= timedelta(days=30)
    third = ethereum_intent(withdrawal_id="wdr_2", nonce=2)
    assert refusal(keystore, third) == "approvals_missing"


def test_what_is_signed_under_a_clock_set_back_counts_too(
    keystore: Keystore, clock: Clock
) -> None:
    """Its row gets the journal's time, not the clock's: it stays in the window."""
    sign(keystore, ethereum_intent())
    clock.at -= timedelta(days=30)
    sign(keystore, ethereum_intent(withdrawal_id="wdr_2", nonce=1))
    clock.at = NOON
    third = ethereum_intent(withdrawal_id="wdr_3", nonce=2)
    assert refusal(keystore, third) == "approvals_missing"


def test_a_repeated_request_takes_nothing_from_the_window(keystore: Keystore) -> None:
    """The same bytes come back however often they are asked for."""
    first = sign(keystore, ethereum_intent())
    assert {sign(keystore, ethereum_intent()).raw for _ in range(5)} == {first.raw}
    assert sign(keystore, ethereum_intent(withdrawal_id="wdr_2", nonce=1)).raw


def test_two_people_release_a_big_payment(keystore: Keystore) -> None:
    """A key and a passkey are two voices."""
    order = asked(big())
    assert sign(
        keystore, big(), order, signed_by("alice", ALICE, order), passkey_of_carol(order)
    ).raw


def test_one_voice_counts_once(keystore: Keystore) -> None:
    """Alice twice is one of two."""
    order = asked(big())
    alice = signed_by("alice", ALICE, order)
    assert refusal(keystore, big(), order, alice, alice) == "approvals_missing"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", "0x" + "cd" * 20),
        ("units", str(11 * ETHER)),
        ("withdrawal_id", "wdr_9"),
        ("asset", "0x" + "ee" * 20),
    ],
)
def test_an_approval_is_for_this_payment_alone(
    keystore: Keystore, field: str, value: str
) -> None:
    """Approvals of one order never carry another intent."""
    order = asked(big())
    proofs = signed_by("alice", ALICE, order), signed_by("bob", BOB, order)
    changed = big(**{field: value})
    assert refusal(keystore, changed, order, *proofs) == "not_what_was_approved"


def test_an_order_changed_after_approval_proves_nothing(keystore: Keystore) -> None:
    """The API cannot move an approval to another destination."""
    order = asked(big())
    proofs = signed_by("alice", ALICE, order), signed_by("bob", BOB, order)
    stolen = big(to="0x" + "cd" * 20)
    assert refusal(keystore, stolen, asked(stolen), *proofs) == "bad_approval"


def test_nobody_approves_their_own_request(keystore: Keystore) -> None:
    """Neither under the policy's name nor under the gateway's id."""
    for requester in ("alice", "usr_alice", "bob", "usr_bob", "key_bob"):
        order = asked(big(), requested_by=requester)
        proofs = signed_by("alice", ALICE, order), signed_by("bob", BOB, order)
        assert refusal(keystore, big(), order, *proofs) == "own_request"


def test_an_approval_expires(keystore: Keystore, clock: Clock) -> None:
    """By the keystore's own clock."""
    order = asked(big())
    proofs = signed_by("alice", ALICE, order), signed_by("bob", BOB, order)
    clock.at += timedelta(hours=2)
    assert refusal(keystore, big(), order, *proofs) == "approval_expired"


@pytest.mark.parametrize(
    "assertion",
    [{"flags": 0x01}, {"origin": "https://evil.example"}, {"site": "evil.example"}],
    ids=["person not verified", "another origin", "another site"],
)
def test_a_passkey_speaks_for_its_site_and_person_only(
    keystore: Keystore, assertion: dict[str, Any]
) -> None:
    """What a phishing page or an absent person would produce is refused."""
    order = asked(big())
    proof = passkey_of_carol(order, **assertion)
    alice = signed_by("alice", ALICE, order)
    assert refusal(keystore, big(), order, alice, proof) == "bad_approval"


def test_a_stranger_is_no_approver(keystore: Keystore) -> None:
    """A good signature by somebody the policy does not name."""
    order = asked(big())
    assert (
        refusal(keystore, big(), order, signed_by("mallory", ALICE, order))
        == "unknown_approver"
    )


def test_a_merchants_key_releases_its_own_money_only(keystore: Keystore) -> None:
    """Another merchant's order falls through to people."""
    payment = ethereum_intent(units=str(3 * ETHER))
    order = asked(payment)
    other = asked(payment, merchant="mer_2")
    word = signed_by("shop", SHOP, other)
    assert refusal(keystore, payment, other, word) == "approvals_missing"
    assert sign(keystore, payment, order, signed_by("shop", SHOP, order)).raw


def test_a_fee_above_the_ceiling_is_refused(keystore: Keystore) -> None:
    """Draining through fees: by the rule's cap, and by what people approved."""
    dear = ethereum_intent(max_fee_per_gas=str(ETHER // 1000))
    assert refusal(keystore, dear) == "fee_above_limit"
    order = asked(big(), fee_ceiling="1")
    proofs = signed_by("alice", ALICE, order), signed_by("bob", BOB, order)
    assert refusal(keystore, big(), order, *proofs) == "fee_above_limit"


def test_what_no_rule_names_is_blocked(keystore: Keystore) -> None:
    """Another asset, or more than anybody may release."""
    assert refusal(keystore, ethereum_intent(asset="0x" + "ee" * 20)) == "blocked"
    assert refusal(keystore, big(units=str(101 * ETHER))) == "blocked"


def test_the_journal_says_why(keystore: Keystore, tmp_path: Path) -> None:
    """Rule, units and the approvals as they came stand beside the signed bytes."""
    order = asked(big())
    proofs = [signed_by("alice", ALICE, order), signed_by("bob", BOB, order)]
    sign(keystore, big(), order, *proofs)
    with contextlib.closing(Journal.open(tmp_path / "journal.sqlite", "id", Clock())) as again:
        row = again._db.execute("select rule, units, grounds from entry").fetchone()
    assert row[:2] == ("two people", str(10 * ETHER))
    told = msgspec.json.decode(row[2], type=tuple[api.Order, list[api.Approval]])
    assert told == (order, proofs)


RULE = """
[[rules]]
name = "r"
class = "automatic"
networks = ["ethereum"]
assets = ["native"]
units_max = "1"
window = { hours = 1, units = "1" }
fee_max = "1"
fee_window = { hours = 1, units = "1" }
"""
LAST = '\n[[rules]]\nname = "end"\nclass = "block"\n'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "the last one must be"),
        (RULE, "the last one must be"),
        (RULE.replace('fee_max = "1"', "") + LAST, "rules.1.fee_max"),
        (RULE.replace('units_max = "1"', "") + LAST, "need units_max and a window"),
        (RULE.replace('networks = ["ethereum"]', "") + LAST, "rules.1.networks: exactly one"),
        (
            RULE.replace('["ethereum"]', '["ethereum", "base"]') + LAST,
            "rules.1.networks: exactly one",
        ),
        (RULE.replace('assets = ["native"]', "") + LAST, "rules.1.assets: exactly one"),
        (
            RULE.replace('fee_window = { hours = 1, units = "1" }', "") + LAST,
            "rules.1.fee_window",
        ),
        (RULE.replace("fee_window = { hours = 1", "fee_window = { hours = 0") + LAST, "hours"),
        (
            f'[[approvers]]\nname = "a"\nkey = "{"00" * 31}01"\n'
            + RULE.replace("automatic", "approved")
            + 'approvers = ["a"]\napprovals = 1\n'
            + LAST,
            "'a' has no subject",
        ),
        (RULE.replace('"ethereum"', '"moon"') + LAST, "'moon' is not in the settings"),
        (RULE.replace('units_max = "1"', 'units_max = "1.5"') + LAST, "rules.1.units_max"),
        (RULE.replace("automatic", "approved") + LAST, "rules.1.approvals"),
        (RULE + RULE + LAST, "two have the same name"),
        (RULE + "surprise = 1" + LAST, "surprise"),
        (LAST.replace('"block"', '"block"\nassets = ["native"]'), "the last one must be"),
        ('[[approvers]]\nname = "a"\nkey = "00"\n' + LAST, "approvers.1"),
    ],
)
def test_a_policy_with_a_hole_is_not_loaded(tmp_path: Path, text: str, fault: str) -> None:
    """The process stops with one line that names the place."""
    file = tmp_path / "policy.toml"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(Unfit, match=r"^policy\.toml: .*") as unfit:
        policy_file.load(file, frozenset({"ethereum", "base"}))
    assert fault in str(unfit.value)


def test_a_policy_that_others_may_write_is_not_loaded(tmp_path: Path) -> None:
    """Whoever may write it decides what leaves."""
    file = tmp_path / "policy.toml"
    file.write_text(LAST)
    file.chmod(0o666)
    with pytest.raises(Unfit, match="may be written by others"):
        policy_file.load(file, frozenset())


def test_one_key_under_two_names_is_not_loaded(tmp_path: Path) -> None:
    """Two names would be two voices of one person."""
    key = ALICE.public_key().public_bytes_raw().hex()
    file = tmp_path / "policy.toml"
    file.write_text(
        f'[[approvers]]\nname = "a"\nkey = "{key}"\n'
        f'[[approvers]]\nname = "b"\nkey = "{key.upper()}"\n' + LAST
    )
    file.chmod(0o600)
    with pytest.raises(Unfit, match="one person, one voice"):
        policy_file.load(file, frozenset())


def test_one_point_spelled_two_ways_is_one_key(tmp_path: Path) -> None:
    """Compressed or not, with spaces or without: the bytes are compared."""
    points = [
        CAROL.public_key().public_bytes(Encoding.X962, form).hex()
        for form in (PublicFormat.UncompressedPoint, PublicFormat.CompressedPoint)
    ]
    key = ALICE.public_key().public_bytes_raw()
    pairs = [("passkey", *points), ("key", key.hex(), key.hex(" "))]
    site = f'relying_party = "{SITE}"\norigin = "{ORIGIN}"\n'
    file = tmp_path / "policy.toml"
    for kind, *spellings in pairs:
        file.write_text(
            "".join(
                f'[[approvers]]\nname = "{place}"\n{kind} = "{text}"\n{site}'
                for place, text in enumerate(spellings)
            )
            + LAST
        )
        file.chmod(0o600)
        with pytest.raises(Unfit, match="one person, one voice"):
            policy_file.load(file, frozenset())


@dataclass(frozen=True)
class Gone:
    """Every rule has let the same units go, and no fees."""

    counted: int

    def units(self, _rule: str, _time: timedelta) -> int:
        """Return them."""
        return self.counted

    def fees(self, _rule: str, _time: timedelta, _slot: str = "") -> tuple[int, int]:
        """Return none."""
        return 0, 0


@given(amounts=st.lists(st.integers(1, 50), max_size=40))
def test_a_window_never_lets_more_than_its_units_go(amounts: list[int]) -> None:
    """Whatever is asked for in whatever order."""
    rules = (
        Rule("r", "automatic", units_max=30, window=Window(24, 100), fee_max=0),
        Rule("end", "block"),
    )
    gone = 0
    for units in amounts:
        payment = Payment("n", "native", "to", units, 0, units)
        try:
            decide(Policy(rules), payment, None, Gone(gone))
        except Refused:
            continue
        gone += units
    assert gone <= 100


def test_the_example_is_a_policy(tmp_path: Path) -> None:
    """What an operator starts from is read as it stands."""
    file = tmp_path / "policy.toml"
    file.write_text((ROOT / "policy.example.toml").read_text())
    file.chmod(0o600)
    loaded = policy_file.load(file, frozenset({"sepolia"}))
    kinds = [rule.kind for rule in loaded.rules]
    assert kinds == ["automatic", "approved", "sweep", "sweep", "block"]


def test_a_fee_bump_takes_nothing_from_the_window(keystore: Keystore) -> None:
    """Its amount was counted when the payment was first signed."""
    for nonce in range(2):
        sign(keystore, ethereum_intent(withdrawal_id=f"wdr_{nonce}", nonce=nonce))
    bumped = ethereum_intent(
        withdrawal_id="wdr_1",
        nonce=1,
        max_fee_per_gas="4000000000",
        max_priority_fee_per_gas="2000000000",
    )
    assert sign(keystore, bumped).number == 3
    another = ethereum_intent(withdrawal_id="wdr_2", nonce=2, units="1")
    assert refusal(keystore, another) == "approvals_missing"


def bumped(intent: api.EthereumIntent, factor: int = 2) -> api.EthereumIntent:
    """Return the intent with both fees so many times as high."""
    return msgspec.structs.replace(
        intent,
        max_fee_per_gas=str(factor * int(intent.max_fee_per_gas)),
        max_priority_fee_per_gas=str(factor * int(intent.max_priority_fee_per_gas)),
    )


def test_fees_are_limited_over_time(keystore: Keystore, clock: Clock) -> None:
    """By what each slot could cost at most: above it people decide, and tomorrow it goes again."""
    dear = {"units": "1", "max_fee_per_gas": str(ETHER // 100 // 21_000)}
    for nonce in range(2):
        sign(keystore, ethereum_intent(withdrawal_id=f"wdr_{nonce}", nonce=nonce, **dear))
    third = ethereum_intent(withdrawal_id="wdr_2", nonce=2, **dear)
    assert refusal(keystore, third) == "approvals_missing"
    clock.at += timedelta(hours=24)
    assert sign(keystore, third).raw


def test_a_bump_takes_only_its_difference_from_the_fees(keystore: Keystore) -> None:
    """Of the transactions in one slot one is paid."""
    most = ETHER // 100 // 21_000

    def payment(nonce: int, fee: int) -> api.EthereumIntent:
        fees = {"max_fee_per_gas": str(fee), "max_priority_fee_per_gas": "1"}
        return ethereum_intent(withdrawal_id=f"wdr_{nonce}", nonce=nonce, units="1", **fees)

    first = payment(1, most // 4)
    sign(keystore, first)
    sign(keystore, payment(2, 3 * most // 4))
    sign(keystore, bumped(first, 2))
    sign(keystore, bumped(first, 4))
    sign(keystore, payment(3, most // 4 - 1))
    assert refusal(keystore, payment(4, most // 100)) == "approvals_missing"


def test_a_bump_needs_no_second_approval(keystore: Keystore, clock: Clock) -> None:
    """Also after the order's expiry; what people let the network take stays the most."""
    fee = 21_000 * 2 * 10**9
    order = asked(big(), fee_ceiling=str(2 * fee))
    proofs = signed_by("alice", ALICE, order), signed_by("bob", BOB, order)
    sign(keystore, big(), order, *proofs)
    clock.at += timedelta(days=2)
    assert sign(keystore, bumped(big())).raw
    higher = asked(big(), fee_ceiling=str(5 * fee), expires_ms=4 * 10**12)
    again = signed_by("alice", ALICE, higher), signed_by("bob", BOB, higher)
    assert refusal(keystore, bumped(big(), 4), higher, *again) == "fee_above_limit"
    assert refusal(keystore, bumped(big(), 4)) == "fee_above_limit"


def test_a_bump_stays_under_the_rule_that_let_the_payment_go(tmp_path: Path) -> None:
    """Another rule's higher cap, or its approvals, are not for it."""
    caps = f'fee_max = "{ETHER // 100}"'
    low = POLICY.replace(caps, f'fee_max = "{ETHER // 10_000}"', 1)
    file = tmp_path / "policy.toml"
    file.write_text(low)
    file.chmod(0o600)
    Journal.create(tmp_path / "journal", "id")
    with contextlib.closing(Journal.open(tmp_path / "journal", "id", Clock())) as journal:
        keystore = Keystore(
            settings=NETWORKS,
            keyring=Keyring(Secrets(*(bytearray([n] * 32) for n in range(1, 5)))),
            journal=journal,
            log=Log(Clock()),
            rulebook=policy_file.load(file, frozenset(NETWORKS)),
        )
        sign(keystore, ethereum_intent())
        dear = bumped(ethereum_intent(), 4)
        order = asked(dear)
        proofs = signed_by("alice", ALICE, order), signed_by("bob", BOB, order)
        assert refusal(keystore, dear, order, *proofs) == "fee_above_limit"
