"""Rules for the house's own movements on real money, and the policy as others may see it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import structs
from solders.hash import Hash

from keystore import api, policy_file, policy_view, wire
from keystore.refusal import Refused, Unfit
from tests.keystore.house import ROOT, ethereum_intent
from tests.keystore.movements import (
    NOON,
    Safe,
    evm_cancel,
    evm_sweep,
    evm_top_up,
    solana_cancel,
    solana_sweep,
    spl_sweep,
    tron_resource,
    tron_sweep,
    unlocked,
)

ETHER = 10**18
FEE = ETHER // 100
COLD, STRANGER, TOKEN = "0x" + "c0" * 20, "0x" + "cd" * 20, "0x" + "ee" * 20
ALICE = Ed25519PrivateKey.from_private_bytes(bytes([7] * 32)).public_key().public_bytes_raw()
CAROL = ec.derive_private_key(1234567, ec.SECP256R1()).public_key()
POINT = CAROL.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
PEOPLE = f"""
[[approvers]]
name = "alice"
subject = "usr_alice"
key = "{ALICE.hex()}"

[[approvers]]
name = "carol"
subject = "usr_carol"
merchant = "mer_1"
passkey = "{POINT.hex()}"
relying_party = "pay.example.com"
origin = "https://pay.example.com"
"""
PAYOUTS = f"""
[[rules]]
name = "payouts"
class = "automatic"
networks = ["ethereum"]
assets = ["native"]
units_max = "{ETHER}"
window = {{ hours = 24, units = "{3 * ETHER}" }}
fee_max = "{FEE}"
fee_window = {{ hours = 24, units = "{FEE}" }}
"""
PAIRS = f"""
[[rules]]
name = "two people"
class = "approved"
networks = ["ethereum"]
fee_max = "{FEE}"
approvals = 2
approvers = ["carol", "alice"]
"""
LAST = '\n[[rules]]\nname = "end"\nclass = "block"\n'


def sweeps(network: str) -> str:
    """Return a rule for everything that the house moves on a network, cold transfers apart."""
    return f"""
[[rules]]
name = "sweeps on {network}"
class = "sweep"
networks = ["{network}"]
fee_max = "{FEE}"
fee_window = {{ hours = 24, units = "{FEE}" }}
"""


SWEEPS = sweeps("ethereum") + sweeps("tron") + sweeps("solana")
STAKES = f"""
[[rules]]
name = "stakes"
class = "sweep"
networks = ["tron"]
assets = ["native"]
sources = ["gas"]
units_max = "5000000"
window = {{ hours = 24, units = "5000000" }}
fee_max = "{FEE}"
fee_window = {{ hours = 24, units = "{FEE}" }}
"""


def cold(**changes: str) -> str:
    """Return a rule for the cold address, with `changes` of its lines."""
    lines = {
        "name": '"cold"',
        "class": '"sweep"',
        "networks": '["ethereum"]',
        "assets": '["native"]',
        "destinations": f'["{COLD}"]',
        "sources": '["hot"]',
        "window": f'{{ hours = 24, units = "{2 * ETHER}" }}',
        "fee_max": f'"{FEE}"',
        "fee_window": f'{{ hours = 24, units = "{FEE}" }}',
        **changes,
    }
    return "\n[[rules]]\n" + "".join(f"{name} = {text}\n" for name, text in lines.items())


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> Any:
        """Return the time."""
        return self.at


@pytest.fixture
def safe(tmp_path: Path) -> Iterator[Safe]:
    """Yield a keystore for real money that sweeps, pays, and knows a cold address."""
    with unlocked(tmp_path, cold() + STAKES + SWEEPS + PAYOUTS + LAST) as opened:
        yield opened


def test_every_movement_of_the_house_goes_without_a_person(safe: Safe) -> None:
    """Sweep, top-up, refill, stake, loan: no proof; the rule is written beside each."""
    hot, gas = safe.wallet("ethereum"), safe.wallet("ethereum", "gas")
    intents: list[api.Intent] = [
        evm_sweep(safe),
        evm_top_up(safe),
        ethereum_intent(to=gas),
        ethereum_intent(to=hot, source="gas", nonce=1),
        tron_sweep(safe),
        solana_sweep(safe),
        *(tron_resource(safe, action) for action in ("stake", "delegate", "undelegate")),
    ]
    for number, intent in enumerate(intents):
        assert safe.sign(structs.replace(intent, withdrawal_id=f"hou_{number}")).raw


@pytest.mark.parametrize("policy", [PAYOUTS + LAST, PEOPLE + PAIRS + LAST, LAST])
def test_no_other_class_lets_the_house_move(tmp_path: Path, policy: str) -> None:
    """Without a rule of class sweep nothing of it is signed."""
    with unlocked(tmp_path, policy) as safe:
        for intent in (evm_sweep(safe), evm_top_up(safe), spl_sweep(safe)):
            assert safe.refusal(intent) == "blocked"
        assert safe.refusal(tron_resource(safe, "stake")) == "blocked"


def test_a_sweep_rule_pays_nobody(tmp_path: Path) -> None:
    """A payout never fits it, whatever it lists; what cold is not listed is a payout."""
    with unlocked(tmp_path, cold() + SWEEPS + LAST) as safe:
        assert safe.refusal(ethereum_intent(to=STRANGER)) == "blocked"
        assert safe.refusal(ethereum_intent(to=COLD, asset=TOKEN)) == "blocked"
        assert safe.sign(ethereum_intent(to=COLD, withdrawal_id="hou_1")).raw


def test_pool_and_gas_never_reach_the_cold_address(safe: Safe) -> None:
    """Its rule is for the hot wallet: everything else goes there first."""
    for source in ("pool/3", "gas"):
        assert safe.refusal(ethereum_intent(to=COLD, source=source)) == "bad_source"


def test_a_cold_address_is_paid_within_its_window_only(tmp_path: Path) -> None:
    """A payout rule does not help out, nor a sweep rule that does not list the address."""
    clock = Clock()
    with unlocked(tmp_path, cold() + SWEEPS + PAYOUTS + LAST, clock) as safe:
        for nonce in range(2):
            safe.sign(ethereum_intent(to=COLD, nonce=nonce, withdrawal_id=f"hou_{nonce}"))
        third = ethereum_intent(to=COLD, nonce=2, withdrawal_id="hou_2")
        assert safe.refusal(third) == "blocked"
        clock.at += timedelta(hours=24)
        assert safe.sign(third).raw


def test_an_address_is_cold_for_its_own_network_and_asset_only(tmp_path: Path) -> None:
    """Elsewhere it is anybody's, and payout rules decide."""
    elsewhere = (
        PAYOUTS.replace("payouts", "tokens").replace("native", TOKEN),
        PAYOUTS.replace("payouts", "base").replace('"ethereum"', '"base"'),
    )
    with unlocked(tmp_path, cold() + "".join(elsewhere) + LAST) as safe:
        safe.sign(ethereum_intent(to=COLD, asset=TOKEN, withdrawal_id="w1"))
        safe.sign(ethereum_intent(to=COLD, network="base", chain_id=8453, withdrawal_id="w2"))
        spent = [
            rule.window.spent
            for network in ("ethereum", "base")
            for rule in safe.rules(network).rules
            if rule.window is not None
        ]
    assert spent == ["0", str(ETHER), str(ETHER)]


def test_a_rule_may_be_for_some_sources(tmp_path: Path) -> None:
    """The first rule caps what gas gives away; sweeps and loans fall through to the next."""
    caps = {
        "name": '"gas"',
        "sources": '["gas"]',
        "destinations": "[]",
        "window": f'{{ hours = 24, units = "{ETHER}" }}',
    }
    with unlocked(tmp_path, cold(**caps) + SWEEPS + LAST) as safe:
        safe.sign(evm_top_up(safe))
        safe.sign(evm_sweep(safe, withdrawal_id="hou_s"))
        shown = {rule.name: rule for rule in safe.rules("ethereum").rules}
        assert shown["gas"].window is not None
        assert shown["gas"].window.spent == str(ETHER)
        only_gas = cold(**caps) + LAST
    folder = tmp_path / "other"
    folder.mkdir()
    with unlocked(folder, only_gas) as safe:
        assert safe.refusal(evm_sweep(safe)) == "blocked"
        safe.sign(evm_top_up(safe))
        more = evm_top_up(safe, nonce=1, withdrawal_id="hou_2", units="1")
        assert safe.refusal(more) == "blocked"


def test_lent_energy_takes_nothing_from_a_window(tmp_path: Path) -> None:
    """A stake does: its TRX are locked. What is lent stays the gas wallet's own."""
    limits = {
        "networks": '["tron"]',
        "destinations": "[]",
        "sources": '["gas"]',
        "units_max": '"5000000"',
        "window": '{ hours = 24, units = "5000000" }',
    }
    with unlocked(tmp_path, cold(**limits) + LAST) as safe:
        safe.sign(tron_resource(safe, "stake"))
        safe.sign(tron_resource(safe, "delegate"))
        safe.sign(tron_resource(safe, "undelegate"))
        again = tron_resource(safe, "stake", withdrawal_id="hou_2", units="1")
        assert safe.refusal(again) == "blocked"


def test_a_stake_needs_a_rule_that_says_how_much(tmp_path: Path) -> None:
    """It is away for days and earns the house nothing: a rule without amounts is for the rest."""
    with unlocked(tmp_path, SWEEPS + LAST) as safe:
        assert safe.refusal(tron_resource(safe, "stake")) == "blocked"
        assert safe.sign(tron_resource(safe, "delegate")).raw


def test_a_refill_takes_nothing_from_the_window_of_cold_transfers(safe: Safe) -> None:
    """A rule with destinations is for them alone."""
    gas = safe.wallet("ethereum", "gas")
    safe.sign(ethereum_intent(to=gas, withdrawal_id="hou_1"))
    shown = {rule.name: rule for rule in safe.rules("ethereum").rules}
    assert shown["cold"].window is not None
    assert shown["cold"].window.spent == "0"
    assert shown["sweeps on ethereum"].fee_window is not None
    assert shown["sweeps on ethereum"].fee_window.spent == str(21_000 * 2 * 10**9)


def test_a_withdrawal_never_moves_the_houses_own_money(safe: Safe) -> None:
    """Nor does a movement of the house use up a withdrawal's id."""
    gas = safe.wallet("ethereum", "gas")
    for intent in (
        ethereum_intent(to=gas),
        ethereum_intent(to=COLD),
        evm_sweep(safe, withdrawal_id="wdr_1"),
        evm_top_up(safe, withdrawal_id="wdr_1"),
        solana_sweep(safe, withdrawal_id="wdr_1"),
        tron_resource(safe, "stake", withdrawal_id="wdr_1"),
    ):
        assert safe.refusal(intent) == "own_destination"
    assert safe.sign(ethereum_intent()).raw


def test_fees_of_the_house_are_limited_over_time(tmp_path: Path) -> None:
    """Any number of sweeps within the cap of each would burn the pool."""
    clock, fee = Clock(), 21_000 * 2 * 10**9
    text = sweeps("ethereum").replace(f'units = "{FEE}"', f'units = "{3 * fee}"')
    with unlocked(tmp_path, text + LAST, clock) as safe:
        for index in range(3):
            safe.sign(evm_sweep(safe, index, withdrawal_id=f"hou_{index}"))
        fourth = evm_sweep(safe, 3, withdrawal_id="hou_3")
        assert safe.refusal(fourth) == "fee_window"
        raised = {"max_fee_per_gas": "4000000000", "max_priority_fee_per_gas": "2000000000"}
        bump = evm_sweep(safe, 2, withdrawal_id="hou_2", **raised)
        assert safe.refusal(bump) == "fee_window"
        clock.at += timedelta(hours=24)
        assert safe.sign(bump).raw
        assert safe.sign(fourth).raw
        assert safe.refusal(evm_sweep(safe, 4, withdrawal_id="hou_4")) == "fee_window"


def test_a_nonce_account_is_made_under_a_rule_for_the_house(tmp_path: Path) -> None:
    """Its rent and fee are limited like those of a sweep, and so is how often it is made."""
    clock, rent = Clock(), 1_447_680
    units = 11 * (rent + 5_000)
    solana = sweeps("solana").replace(f'units = "{FEE}"', f'units = "{units}"')

    def ask(safe: Safe, number: int, lane: int = 0, lamports: int = rent) -> api.Signed:
        blockhash = str(Hash(bytes([number]) * 32))
        request = api.SignNonceSetupRequest(
            network="solana", lane=lane, blockhash=blockhash, lamports=lamports
        )
        answer = safe.keystore.answer(request)
        assert isinstance(answer, api.Signed)
        return answer

    def code(safe: Safe, number: int, **changes: int) -> str:
        with pytest.raises(Refused) as refused:
            ask(safe, number, **changes)
        return refused.value.code

    with unlocked(tmp_path, solana + LAST, clock) as safe:
        first = [ask(safe, number) for number in range(10)]
        assert [ask(safe, number) for number in range(10)] == first
        assert code(safe, 10) == "too_many_setups"
        assert ask(safe, 10, lane=1).raw
        assert code(safe, 11, lane=1) == "fee_window"
        clock.at += timedelta(hours=24)
        assert ask(safe, 11).raw
    for name, text, expected in (
        ("none", sweeps("ethereum"), "blocked"),
        ("pool", sweeps("solana") + 'sources = ["pool"]\n', "blocked"),
        ("low", solana.replace(f'fee_max = "{FEE}"', f'fee_max = "{rent}"'), "fee_above_limit"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        with unlocked(folder, text + LAST) as safe:
            assert code(safe, 1) == expected


def test_a_sweep_dearer_than_its_rule_is_refused(safe: Safe) -> None:
    """Fees are the one way that money could leave through a sweep."""
    dear = evm_sweep(safe, max_fee_per_gas=str(ETHER // 1000))
    assert safe.refusal(dear) == "fee_above_limit"
    price = {"compute_unit_limit": 1_400_000, "compute_unit_price_micro_lamports": 10**16}
    assert safe.refusal(solana_sweep(safe, **price)) == "fee_above_limit"


def test_a_cancel_stands_under_the_rule_that_paid_and_counts_nothing(safe: Safe) -> None:
    """No approval is asked for giving a payment up; the fee cap of its rule holds."""
    safe.sign(ethereum_intent())
    dear = str(ETHER // 1000)
    cancel = evm_cancel(safe, max_fee_per_gas=dear, max_priority_fee_per_gas=dear)
    assert safe.refusal(cancel) == "fee_above_limit"
    assert safe.sign(evm_cancel(safe)).raw
    for nonce in (1, 2):
        safe.sign(ethereum_intent(nonce=nonce, withdrawal_id=f"wdr_{nonce}x"))
    one = ethereum_intent(nonce=3, withdrawal_id="wdr_3x", units="1")
    assert safe.refusal(one) == "blocked"


def test_an_advanced_nonce_stands_under_the_rule_that_let_its_order_go(safe: Safe) -> None:
    """It counts no units, and what it may cost is what its order might have cost."""
    safe.sign(solana_sweep(safe))
    dear = {"compute_unit_limit": 1_400_000, "compute_unit_price_micro_lamports": 10**16}
    assert safe.refusal(solana_cancel(safe, withdrawal_id="hou_1", **dear)) == "fee_above_limit"
    assert safe.sign(solana_cancel(safe, withdrawal_id="hou_1")).raw


def test_a_cancel_whose_rule_is_gone_needs_another_one(tmp_path: Path) -> None:
    """It moves nothing: any rule of its network lets it go for what that allows. No bump does."""
    with unlocked(tmp_path, PAYOUTS + LAST) as safe:
        safe.sign(ethereum_intent())
        bump = ethereum_intent(
            max_fee_per_gas="4000000000", max_priority_fee_per_gas="2000000000"
        )
        for rules, expected in ((sweeps("base"), "blocked"), (sweeps("ethereum"), None)):
            file = _written(tmp_path, rules + LAST)
            rulebook = policy_file.load(file, frozenset({"ethereum", "base"}))
            safe.keystore._signer = replace(safe.keystore._signer, rulebook=rulebook)
            assert safe.refusal(bump) == "blocked"
            if expected is not None:
                assert safe.refusal(evm_cancel(safe)) == expected
        dear = {"max_fee_per_gas": str(ETHER), "max_priority_fee_per_gas": str(ETHER)}
        assert safe.refusal(evm_cancel(safe, **dear)) == "fee_above_limit"
        assert safe.sign(evm_cancel(safe)).raw


def _written(folder: Path, text: str) -> Path:
    file = folder / "other.toml"
    file.write_text(text)
    file.chmod(0o600)
    return file


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (cold(fee_max='"1"', approvals="1") + LAST, "rules.1.approvals"),
        (PEOPLE + cold(approvers='["alice"]') + LAST, "rules.1.approvals"),
        (cold().replace(f'fee_max = "{FEE}"\n', "") + LAST, "rules.1.fee_max"),
        (cold(sources='["pool"]') + LAST, "rules.1.destinations"),
        (cold(sources='["cold"]') + LAST, "sources"),
        (cold(networks="[]") + LAST, "rules.1.networks"),
        (cold(name='""') + LAST, "name"),
        (cold(name=f'"{"n" * 65}"') + LAST, "name"),
        (cold(destinations='["0xc0 ffee"]') + LAST, "destinations"),
        (PAYOUTS + 'sources = ["hot"]\n' + LAST, "rules.1.sources"),
        (
            cold() + PAYOUTS + f'destinations = ["{COLD}"]\n' + LAST,
            "rules.2.destinations",
        ),
        (cold() + LAST + 'sources = ["pool"]\n', "the last one must be"),
        (PEOPLE + PAIRS.replace("approvals = 2", "approvals = 3") + LAST, "rules.1.approvals"),
    ],
)
def test_a_contradiction_is_named_by_its_key(tmp_path: Path, text: str, fault: str) -> None:
    """The process stops with one line."""
    with pytest.raises(Unfit, match=r"^other\.toml: .*") as unfit:
        policy_file.load(_written(tmp_path, text), frozenset({"ethereum"}))
    assert fault in str(unfit.value)


def test_the_rules_of_a_network_are_shown_in_order(tmp_path: Path) -> None:
    """With what each let go, and the public half of whom it asks; other networks' are not."""
    text = PEOPLE + cold() + sweeps("tron") + PAYOUTS + PAIRS + LAST
    with unlocked(tmp_path, text) as safe:
        safe.sign(ethereum_intent())
        shown = safe.rules("ethereum")
        status = safe.keystore.answer(api.StatusRequest())

    assert isinstance(status, api.Status)
    assert (shown.policy, shown.more) == (status.policy, False)
    assert [rule.name for rule in shown.rules] == ["cold", "payouts", "two people", "end"]
    frozen, paid, pair, end = shown.rules
    assert (frozen.kind, frozen.destinations, frozen.destinations_count) == (
        "sweep",
        [COLD],
        1,
    )
    assert frozen.sources == ["hot"]
    assert paid.window == api.PublishedWindow(hours=24, units=str(3 * ETHER), spent=str(ETHER))
    assert (paid.units_max, paid.fee_max, paid.assets) == (str(ETHER), str(FEE), ["native"])
    assert (pair.approvals, pair.units_max, pair.window) == (2, None, None)
    assert pair.approvers == [
        api.PublishedApprover(
            name="alice",
            kind="key",
            public_key=ALICE.hex(),
            subject="usr_alice",
            subjects=["usr_alice"],
            merchant=None,
        ),
        api.PublishedApprover(
            name="carol",
            kind="passkey",
            public_key=POINT.hex(),
            subject="usr_carol",
            subjects=["usr_carol"],
            merchant="mer_1",
        ),
    ]
    assert (end.kind, end.approvers) == ("block", [])


def test_play_money_has_no_rules_to_show(tmp_path: Path) -> None:
    """An empty answer, not a refusal; an unknown network is one."""
    with unlocked(tmp_path) as safe:
        assert safe.rules("ethereum") == api.Rules(policy="", rules=[], more=False)


def test_the_longest_policy_is_shown_in_lines_that_fit(tmp_path: Path) -> None:
    """Rules at every bound of the file: several answers, nothing lost, each within a line."""
    people = "".join(
        f'[[approvers]]\nname = "{_wide(n)}"\nsubject = "{_wide(n)}"\n'
        f'subjects = ["{_wide(n + 20)}", "{_wide(n + 40)}", "{_wide(n + 60)}"]\nmerchant = "{_wide(n)}"\n'
        f'key = "{Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)).public_key().public_bytes_raw().hex()}"\n'
        for n in range(20)
    )
    places = ", ".join(f'"{n:064}"' for n in range(100))
    more = ", ".join(f'"{n:064}"' for n in range(150))
    named = ", ".join(f'"{_wide(n)}"' for n in range(20))
    rules = "".join(
        f'[[rules]]\nname = "{n:064}"\nclass = "approved"\nnetworks = ["ethereum"]\nassets = [{places}]\n'
        f'destinations = [{more}]\nfee_max = "1"\napprovals = 8\napprovers = [{named}]\n'
        for n in range(5)
    )
    policy = policy_file.load(
        _written(tmp_path, people + rules + LAST), frozenset({"ethereum"})
    )

    names: list[str] = []
    while True:
        answer = policy_view.shown(policy, "ethereum", len(names), NOTHING)
        assert len(wire.result_line(answer)) <= api.LINE_BYTES_MAX
        assert answer.rules
        names += [rule.name for rule in answer.rules]
        if not answer.more:
            break
    assert names == [f"{n:064}" for n in range(5)] + ["end"]


class _Nothing:
    """A journal in which no rule has let anything go."""

    def units(self, _rule: str, _time: timedelta) -> int:
        """Return no units."""
        return 0

    def fees(self, _rule: str, _time: timedelta, _slot: str = "") -> tuple[int, int]:
        """Return no fees."""
        return 0, 0


NOTHING = _Nothing()


def _wide(number: int) -> str:
    """Return a name of 64 characters that takes four bytes for each."""
    return "\U0001f600" * 62 + f"{number:02}"


def test_the_example_lists_sweeps(tmp_path: Path) -> None:
    """An operator finds both kinds of house rule in it."""
    text = (ROOT / "policy.example.toml").read_text()
    loaded = policy_file.load(_written(tmp_path, text), frozenset({"sepolia"}))
    sweeps = [rule for rule in loaded.rules if rule.kind == "sweep"]
    assert [bool(rule.destinations) for rule in sweeps] == [True, False]
