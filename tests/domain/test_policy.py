"""Which published rule a payout meets: the same answer as the keystore gives from its own file."""

from datetime import timedelta
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.policy import Payout, approvers_from, rules_from, standing
from keystore.api import Order
from keystore.approvals import Approver
from keystore.policy import decide
from keystore.policy_view import shown
from keystore.refusal import Refused
from keystore.rules import Payment, Policy, Proof, Rule, Window
from watchers.policy import approvers

NAMES = ("alice", "bob", "shop")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
PEOPLE = {name: Approver(name, KEY) for name in NAMES} | {
    "shop": Approver("shop", KEY, merchant="mer_1")
}
SPENT = 3
some = st.frozensets
RULES = st.builds(
    Rule,
    name=st.uuids().map(str),
    kind=st.sampled_from(["automatic", "approved", "merchant_signed", "sweep", "block"]),
    networks=some(st.sampled_from(["ethereum", "tron"])),
    assets=some(st.sampled_from(["native", "0xaa"]), max_size=1),
    destinations=some(st.sampled_from(["0x01", "0x02"]), max_size=1),
    units_max=st.none() | st.integers(0, 10),
    window=st.none() | st.builds(Window, hours=st.just(24), units=st.integers(0, 10)),
    approvals=st.integers(0, 3),
    approvers=some(st.sampled_from(NAMES)),
    sources=some(st.sampled_from(["hot", "gas", "pool"])),
)
LAST = Rule("everything else", "block")


class Spent:
    """Every window has let the same units go, and no fees."""

    def units(self, _rule: str, _time: timedelta) -> int:
        """Return them."""
        return SPENT

    def fees(self, _rule: str, _time: timedelta, _slot: str = "") -> tuple[int, int]:
        """Return none."""
        return 0, 0


def published(policy: Policy) -> list[Any]:
    """Return the rules as a snapshot has them."""
    rows: list[Any] = msgspec.to_builtins(shown(policy, "ethereum", 0, Spent()).rules)
    return rows


def payout(**changes: Any) -> Payout:
    """Return a payment of 5 units with `changes`."""
    fields = {"asset": "native", "to": "0x01", "units": 5, "merchant": "mer_1"}
    return Payout(**{**fields, **changes})


@given(
    rules=st.lists(RULES, max_size=5),
    asset=st.sampled_from(["native", "0xaa"]),
    to=st.sampled_from(["0x01", "0x02"]),
    units=st.integers(1, 12),
    proved=some(st.sampled_from(NAMES)),
    merchant=st.sampled_from(["mer_1", "mer_2"]),
)
def test_both_houses_come_to_the_same_rule(
    rules: list[Rule], asset: str, to: str, units: int, proved: frozenset[str], merchant: str
) -> None:
    """Whatever the policy: what is shown as allowed is signed, and nothing else is."""
    policy = Policy((*rules, LAST), PEOPLE)
    order = Order(
        withdrawal_id="wdr_1", network="ethereum", asset=asset, to=to, units=str(units),
        fee_ceiling="0", merchant=merchant, requested_by="key_1", expires_ms=1,
    )  # fmt: skip
    payment = Payment("ethereum", asset, to, units, 0, units)
    found = standing(
        rules_from(published(policy)),
        payout(asset=asset, to=to, units=units, merchant=merchant),
        proved,
    )
    assert found is not None
    try:
        rule = decide(policy, payment, Proof(order, proved), Spent())
    except Refused:
        assert not found.allowed
    else:
        assert (found.allowed, found.rule, found.need) == (True, rule.name, rule.approvals)


def test_nothing_published_asks_nobody() -> None:
    """A keystore without a policy has no rules; it decides alone."""
    assert standing([], payout(), frozenset()) is None


def test_a_list_that_was_cut_short_is_not_guessed_at() -> None:
    """The destination may be among those that were not told."""
    many = frozenset(f"0x{number:04x}" for number in range(150))
    rules = rules_from(
        published(Policy((Rule("many", "approved", destinations=many), LAST), PEOPLE))
    )
    assert standing(rules, payout(to="0xffff"), frozenset()) is None
    named = standing(rules, payout(to=min(many)), frozenset())
    assert named is not None
    assert named.rule == "many"


def test_a_merchants_word_that_could_let_it_go_is_named() -> None:
    """Blocked without it, but not for good: somebody is asked."""
    shop = Rule(
        "own word", "merchant_signed", approvals=1, approvers=frozenset({"shop", "bob"})
    )
    rules = rules_from(published(Policy((shop, LAST), PEOPLE)))
    for proved, have, allowed in ((set(), 0, False), ({"bob"}, 1, False), ({"shop"}, 1, True)):
        found = standing(rules, payout(), frozenset(proved))
        assert found is not None
        assert (found.rule, found.have, found.need) == ("own word", have, 1)
        assert found.allowed is allowed
    other = standing(rules, payout(merchant="mer_2"), frozenset())
    assert other is not None
    assert other.kind == "block"


def test_everybody_whom_the_rules_name_is_published_once() -> None:
    """By name; each knows its own request."""
    rule = Rule("two", "approved", approvals=1, approvers=frozenset(NAMES))
    policy = Policy((rule, Rule("more", "approved", approvers=frozenset(NAMES)), LAST), PEOPLE)
    known = approvers_from(approvers(shown(policy, "ethereum", 0, Spent())))
    assert list(known) == ["alice", "bob", "shop"]
    assert known["alice"].asked("alice")
    assert not known["alice"].asked("key_1")


def test_nobody_approves_what_one_of_his_keys_asked_for() -> None:
    """A person may have several ids in the gateway; each of them is that person."""
    [bob] = approvers_from(
        [{"name": "bob", "kind": "key", "public_key": "00", "subjects": ["key_1", "key_2"]}]
    ).values()
    assert [bob.asked(name) for name in ("key_1", "key_2", "bob", "key_3")] == [True] * 3 + [
        False
    ]
