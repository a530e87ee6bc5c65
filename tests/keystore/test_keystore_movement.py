"""The house's own movements on play money: what each is allowed to be, and every refusal."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from msgspec import structs

from keystore import api
from keystore.entries import Answer, Ground
from keystore.journal import Journal
from keystore.movement import GAS, HOT, Source, source_of
from keystore.networks.solana import lane_account
from keystore.refusal import Refused
from tests.keystore.house import ethereum_intent, tron_intent
from tests.keystore.movements import (
    MINT,
    NOON,
    TRC20,
    Safe,
    evm_cancel,
    evm_sweep,
    evm_top_up,
    solana_cancel,
    solana_payment,
    solana_sweep,
    spl_sweep,
    tron_resource,
    tron_sweep,
    tron_top_up,
    unlocked,
)

STRANGER = "0x" + "cd" * 20
TOKEN = "0x" + "ee" * 20
OLD_ETHEREUM = (
    b'{"asset":"native","chain_id":31337,"family":"ethereum","gas_limit":21000,'
    b'"max_fee_per_gas":"2000000000","max_priority_fee_per_gas":"1000000000",'
    b'"network":"ethereum","nonce":0,"to":"0xabababababababababababababababababababab",'
    b'"units":"1000000000000000000","withdrawal_id":"wdr_1"}'
)
OLD_TRON = (
    b'{"asset":"native","expiration_ms":1700014400000,"family":"tron","fee_limit":0,'
    b'"network":"tron","ref_block_id":'
    b'"00000000000004d21f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f",'
    b'"timestamp_ms":1700000000000,"to":"TJRabPrwbZy45sbavfcjinPJC18kjpRTv8",'
    b'"units":"1000000","withdrawal_id":"wdr_2"}'
)
"""As keystores spelled them that knew no other source than the hot wallet."""


@pytest.fixture
def safe(tmp_path: Path) -> Iterator[Safe]:
    """Yield a keystore of play money."""
    with unlocked(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("hot", HOT),
        ("gas", GAS),
        ("pool/0", Source("pool", 0)),
        ("pool/2147483647", Source("pool", 2**31 - 1)),
    ],
)
def test_a_source_is_read(text: str, source: Source) -> None:
    """Hot, gas, or a place of the pool."""
    assert source_of(text) == source


@pytest.mark.parametrize(
    "text",
    [
        *("", "Hot", "pool", "pool/", "pool/01", "pool/-1", "pool/+1", "pool/1 ", "pool/1\n"),
        *("pool/2147483648", "pool/99999999999", "pool/\u0663", "gas/0", "pool/1.0"),
    ],
)
def test_a_source_has_one_spelling(safe: Safe, text: str) -> None:
    """Anything else is refused and written down."""
    with pytest.raises(Refused):
        source_of(text)
    assert safe.refusal(ethereum_intent(source=text)) == "bad_source"


def test_a_journal_of_older_intents_is_recalled(safe: Safe) -> None:
    """The new fields leave the bytes of a payment as they were."""
    intents: tuple[api.Intent, ...] = (
        ethereum_intent(),
        tron_intent(withdrawal_id="wdr_2"),
    )
    olds = zip(("wdr_1", "wdr_2"), (OLD_ETHEREUM, OLD_TRON), intents, strict=True)
    with contextlib.closing(Journal.open(safe.journal, "id", lambda: NOON)) as journal:
        for name, old, intent in olds:
            journal.sign_once(
                name,
                intent.network,
                intent=b"gw/withdrawal/v1\n" + old,
                slot="slot-" + name,
                allow=lambda _: Ground("", 1),
                sign=partial(Answer, name.encode(), "hash-" + name, "sender"),
            )

            assert safe.sign(intent).raw == name.encode().hex()


def test_each_movement_is_signed_by_its_source(safe: Safe) -> None:
    """The sender that is answered is the wallet that the source names."""
    hot, gas = safe.wallet("ethereum"), safe.wallet("ethereum", "gas")
    movements = [
        (evm_sweep(safe), safe.pool("ethereum", 3)),
        (evm_sweep(safe, 4, asset=TOKEN), safe.pool("ethereum", 4)),
        (evm_top_up(safe), gas),
        (ethereum_intent(source="gas", to=hot, nonce=1), gas),
        (ethereum_intent(to=gas), hot),
    ]
    for number, (intent, sender) in enumerate(movements):
        signed = safe.sign(structs.replace(intent, withdrawal_id=f"hou_{number}"))
        assert signed.sender == sender
        assert Account.recover_transaction(bytes.fromhex(signed.raw)).lower() == sender
    tron_gas = safe.wallet("tron", "gas")
    assert safe.sign(tron_sweep(safe, withdrawal_id="t1")).sender == safe.pool("tron", 3)
    assert safe.sign(tron_top_up(safe, withdrawal_id="t2")).sender == tron_gas
    for action in ("stake", "delegate", "undelegate"):
        assert safe.sign(tron_resource(safe, action)).sender == tron_gas
    assert safe.sign(solana_sweep(safe, withdrawal_id="s1")).sender == safe.wallet("solana")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"source": "pool/3"}, "bad_source"),
        ({"source": "gas"}, "bad_source"),
        ({"source": "pool/3", "to": STRANGER, "asset": TOKEN}, "bad_source"),
        ({"source": "gas", "to": STRANGER, "pool_index": 3}, "not_our_pool_address"),
        ({"source": "gas", "to": STRANGER, "pool_index": -1}, "not_our_pool_address"),
        ({"source": "gas", "to": STRANGER, "pool_index": 2**31}, "not_our_pool_address"),
        ({"source": "gas", "to": STRANGER, "pool_index": 3, "asset": TOKEN}, "bad_source"),
        ({"source": "hot", "to": STRANGER, "pool_index": 3}, "bad_source"),
        ({"source": "pool/3", "to": STRANGER, "pool_index": 3}, "bad_source"),
        ({"source": "pool/3", "units": "0"}, "bad_amount"),
    ],
)
def test_pool_and_gas_pay_the_house_and_nobody(
    safe: Safe, changes: dict[str, Any], code: str
) -> None:
    """Also where there is no policy: a hostile database cannot send them anywhere."""
    assert safe.refusal(ethereum_intent(**changes)) == code


def test_a_pool_address_is_paid_from_gas_at_its_own_index_only(safe: Safe) -> None:
    """The right address under another index is a lie; from pool or hot it is no top-up."""
    third = safe.pool("ethereum", 3)

    assert safe.refusal(evm_top_up(safe, to=third, pool_index=4)) == "not_our_pool_address"
    assert safe.refusal(evm_top_up(safe, source="hot")) == "bad_source"
    assert safe.refusal(evm_sweep(safe, 5, to=third)) == "bad_source"
    gas = safe.wallet("ethereum", "gas")
    assert safe.refusal(evm_sweep(safe, to=gas)) == "bad_source"
    assert safe.refusal(tron_top_up(safe, pool_index=4)) == "not_our_pool_address"
    assert safe.refusal(tron_sweep(safe, to=safe.pool("tron", 4))) == "bad_source"


def test_own_wallets_are_paid_by_a_refill_only(safe: Safe) -> None:
    """Tokens have no business in the gas wallet, and nobody pays himself."""
    for network, pay in (("ethereum", ethereum_intent), ("tron", tron_intent)):
        hot, gas = safe.wallet(network), safe.wallet(network, "gas")
        token = {"asset": TOKEN} if network == "ethereum" else {"asset": TRC20, "fee_limit": 9}
        assert safe.refusal(pay(to=gas, **token)) == "own_destination"
        assert safe.refusal(pay(to=hot)) == "own_destination"
        assert safe.refusal(pay(to=gas, source="gas")) == "bad_source"
    refill = solana_payment(safe, to=safe.wallet("solana", "gas"), withdrawal_id="hou_1")
    assert safe.sign(refill).raw


@pytest.mark.parametrize("action", ["delegate", "undelegate"])
def test_energy_is_lent_to_the_pool_only(safe: Safe, action: str) -> None:
    """The keystore derives the borrower itself."""
    for lie in ({"to": tron_intent().to}, {"pool_index": 4}, {"pool_index": None}):
        code = safe.refusal(tron_resource(safe, action, **lie))
        assert code == "not_our_pool_address"
    assert safe.refusal(tron_resource(safe, action, units="0")) == "bad_amount"


def test_a_stake_names_nobody(safe: Safe) -> None:
    """What would be a loan is refused under that name."""
    for lie in ({"to": safe.pool("tron", 3)}, {"pool_index": 3}):
        assert safe.refusal(tron_resource(safe, "stake", **lie)) == "bad_field"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("stranger", "not_our_pool_address"),
        ("index", "not_our_pool_address"),
        ("below", "not_our_pool_address"),
        ("zero", "bad_amount"),
        ("twice", "bad_field"),
        ("none", "bad_field"),
        ("many", "too_large"),
    ],
)
def test_a_sweep_takes_from_the_pool_only(safe: Safe, change: str, code: str) -> None:
    """Each source is derived and compared; none is empty or there twice."""
    own = safe.pool("solana", 0)
    one = api.SweepSource(index=0, address=own, units="5")
    sources = {
        "stranger": [one, api.SweepSource(index=1, address=MINT, units="5")],
        "index": [api.SweepSource(index=1, address=own, units="5")],
        "below": [api.SweepSource(index=-1, address=own, units="5")],
        "zero": [api.SweepSource(index=0, address=own, units="0")],
        "twice": [one, one],
        "none": [],
        "many": [api.SweepSource(index=index, address=own, units="5") for index in range(11)],
    }
    assert safe.refusal(solana_sweep(safe, sources=sources[change])) == code


def test_what_lies_beside_a_canonical_account_goes_alone_and_nowhere_else(safe: Safe) -> None:
    """Its tokens stay at their address: no second source, no coins, no address of somebody else."""
    own, other = safe.pool("solana", 0), safe.pool("solana", 1)
    beside = api.SweepSource(index=0, address=own, units="5", account=MINT)
    plain = api.SweepSource(index=1, address=other, units="5")
    foreign = api.SweepSource(index=1, address=own, units="5", account=MINT)
    assert safe.refusal(spl_sweep(safe, sources=[beside, plain])) == "bad_field"
    assert safe.refusal(spl_sweep(safe, sources=[foreign])) == "not_our_pool_address"
    assert safe.refusal(solana_sweep(safe, sources=[beside])) == "bad_field"
    assert safe.sign(spl_sweep(safe, sources=[beside])).raw


@pytest.mark.parametrize(("make", "most"), [(solana_sweep, 8), (spl_sweep, 5)])
def test_a_sweep_that_no_transaction_holds_is_refused(
    safe: Safe, make: Callable[..., api.SolanaSweepIntent], most: int
) -> None:
    """1,232 bytes hold eight native sources, or five whose token accounts are closed."""
    assert safe.refusal(make(safe, most + 1)) == "too_large"
    assert len(bytes.fromhex(safe.sign(make(safe, most)).raw)) <= 1_232


def test_a_cancel_takes_the_place_of_a_payment(safe: Safe) -> None:
    """Same order, sender and nonce; afterwards the payment is repeated and never bumped."""
    paid = safe.sign(ethereum_intent(asset=TOKEN, gas_limit=90_000))
    canceled = safe.sign(evm_cancel(safe))

    assert canceled.sender == paid.sender
    assert (paid.number, canceled.number) == (1, 2)
    assert safe.sign(evm_cancel(safe)) == canceled
    assert safe.sign(ethereum_intent(asset=TOKEN, gas_limit=90_000)) == paid
    dear = {"max_fee_per_gas": "9000000000", "max_priority_fee_per_gas": "4500000000"}
    back = ethereum_intent(asset=TOKEN, gas_limit=90_000, **dear)
    assert safe.refusal(back) == "intent_conflict"
    assert safe.sign(evm_cancel(safe, **dear)).number == 3
    dearest = {"max_fee_per_gas": "18000000000", "max_priority_fee_per_gas": "9000000000"}
    assert safe.refusal(evm_cancel(safe, **dearest, gas_limit=22_000)) == "intent_conflict"
    assert safe.sign(evm_cancel(safe, **dearest)).number == 4


@pytest.mark.parametrize("source", ["pool/3", "gas"])
def test_a_sweep_and_a_top_up_can_be_canceled(safe: Safe, source: str) -> None:
    """Each by a payment of nothing from its own sender to itself."""
    made = evm_sweep(safe) if source == "pool/3" else evm_top_up(safe)
    own = safe.pool("ethereum", 3) if source == "pool/3" else safe.wallet("ethereum", "gas")
    paid = safe.sign(made)

    cancel = evm_cancel(safe, source=source, to=own, withdrawal_id="hou_1")
    assert safe.sign(cancel).sender == paid.sender


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"max_fee_per_gas": "2249999999"}, "intent_conflict"),
        ({"max_priority_fee_per_gas": "1124999999"}, "intent_conflict"),
        ({"nonce": 1}, "intent_conflict"),
        ({"source": "gas"}, "intent_conflict"),
        ({"withdrawal_id": "wdr_9"}, "slot_taken"),
        ({"withdrawal_id": "wdr_9", "nonce": 7}, "nothing_to_cancel"),
        ({"to": STRANGER}, "bad_amount"),
        ({"asset": TOKEN}, "intent_conflict"),
    ],
    ids=["fee", "tip", "nonce", "source", "another order", "no order", "payee", "asset"],
)
def test_a_cancel_cancels_one_signed_payment(
    safe: Safe, changes: dict[str, Any], code: str
) -> None:
    """Both fees an eighth up, the same order, nonce and source; nothing else is a cancel."""
    safe.sign(ethereum_intent())

    assert safe.refusal(evm_cancel(safe, **changes)) == code


def test_nothing_is_canceled_before_it_is_signed(safe: Safe) -> None:
    """A cancel that came first would be a transaction of its own."""
    assert safe.refusal(evm_cancel(safe)) == "nothing_to_cancel"
    assert safe.sign(ethereum_intent()).number == 1


@pytest.mark.parametrize("order", ["wdr_1", "hou_1"])
def test_a_nonce_is_advanced_for_nothing_in_the_place_of_what_was_signed_on_it(
    safe: Safe, order: str
) -> None:
    """A payment or a sweep: the same order, lane and value; again only an eighth dearer."""
    first = solana_payment(safe) if order == "wdr_1" else solana_sweep(safe)
    paid = safe.sign(first)
    canceled = safe.sign(solana_cancel(safe, withdrawal_id=order))

    assert (paid.number, canceled.number) == (1, 2)
    assert canceled.sender == paid.sender == safe.wallet("solana")
    assert safe.sign(solana_cancel(safe, withdrawal_id=order)) == canceled
    assert safe.sign(first) == paid
    price = "compute_unit_price_micro_lamports"
    for changes in ({price: 2_249}, {price: 2_250, "compute_unit_limit": 3_000}):
        again = solana_cancel(safe, withdrawal_id=order, **changes)
        assert safe.refusal(again) == "intent_conflict"
    dearer = solana_cancel(safe, withdrawal_id=order, **{price: 2_250})
    assert safe.sign(dearer).number == 3
    assert safe.refusal(structs.replace(first, **{price: 9_000})) == "intent_conflict"


def test_nothing_is_signed_beside_a_cancel_for_nothing(safe: Safe) -> None:
    """A price of 0 is no better than another 0: else one slot would be signed for without end."""
    safe.sign(solana_payment(safe))
    free = {"compute_unit_price_micro_lamports": 0}
    assert safe.sign(solana_cancel(safe, **free)).number == 2
    longer = solana_cancel(safe, **free, compute_unit_limit=2_001)
    assert safe.refusal(longer) == "intent_conflict"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"nonce_value": "11111111111111111111111111111112"}, "intent_conflict"),
        ({"nonce_account": "lane 1"}, "intent_conflict"),
        ({"withdrawal_id": "wdr_9"}, "slot_taken"),
        ({"withdrawal_id": "wdr_9", "nonce_account": "lane 1"}, "nothing_to_cancel"),
        ({"withdrawal_id": "wdr_9", "nonce_account": MINT}, "bad_field"),
        ({"compute_unit_limit": 1_400_001}, "bad_field"),
    ],
    ids=["value", "lane", "another order", "no order", "no lane", "limit"],
)
def test_an_advance_cancels_what_was_signed_on_its_value_and_nothing_else(
    safe: Safe, changes: dict[str, Any], code: str
) -> None:
    """A lane that nobody signed for is never moved: what waits there would be lost."""
    safe.sign(solana_payment(safe))
    if changes.get("nonce_account") == "lane 1":
        changes = {**changes, "nonce_account": lane_account(safe.wallet("solana"), 1)}
    assert safe.refusal(solana_cancel(safe, **changes)) == code


def test_a_replacement_keeps_its_slot_whatever_the_intents_say(safe: Safe) -> None:
    """The journal itself refuses a second place on the chain for one order."""
    with contextlib.closing(Journal.open(safe.journal, "id", lambda: NOON)) as journal:
        seen: list[Ground | None] = []

        def sign(slot: str) -> Answer:
            def allow(held: Ground | None) -> Ground:
                seen.append(held)
                return Ground("rule", 1)

            return journal.sign_once(
                "wdr_1",
                "ethereum",
                intent=f"{slot} {len(seen)}".encode(),
                slot=slot,
                replaces=lambda _: True,
                allow=allow,
                sign=partial(Answer, b"raw", f"hash-{len(seen)}", "sender"),
            )

        sign("slot-1")
        sign("slot-1")
        with pytest.raises(Refused, match="has its slot already"):
            sign("slot-2")
    assert seen == [None, Ground("rule", 1)]


def test_lanes_are_listed_as_far_as_asked(safe: Safe) -> None:
    """In order, up to sixteen; other families have none."""

    def lanes(network: str, count: int) -> list[str]:
        answer = safe.keystore.answer(api.WalletsRequest(network=network, lanes=count))
        assert isinstance(answer, api.Wallets)
        return [each.address for each in answer.wallets if each.purpose == "nonce"]

    assert len(set(lanes("solana", 16))) == 16
    assert lanes("solana", 16)[:1] == lanes("solana", 1)
    assert lanes("tron", 16) == []
    for count in (0, 17, -1):
        with pytest.raises(Refused, match="lanes"):
            lanes("solana", count)
