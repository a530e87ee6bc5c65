"""Money goes back only where the chain's own witnesses signed blocks that bear the end out."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from gateway.models import Attempt
from tests.watchers.sealed_chain import OURS, WITNESSES, SealedChain, Silent
from watchers.pay.proof import Proof
from watchers.pay.sealed import ROUNDS, Doubt, Link, doubt, holds, missing, needed, window_of

pytestmark = pytest.mark.anyio
ANCHOR, LIFE = 60, 10
LANDED, OVER = 65, ANCHOR + LIFE
MOST = 19
STRANGER = "ff" * 32


def chain(*, ours: bool | None = None, above: int = MOST) -> SealedChain:
    """Return a chain past the expiration; `ours` is how our transaction ended in block 65."""
    made = SealedChain()
    made.mine(LANDED)
    made.mine(ends={STRANGER: True} if ours is None else {STRANGER: True, OURS: ours})
    made.mine(OVER - LANDED + above - 1)
    return made


async def doubts(
    served: SealedChain, attempt: Attempt, *, final: int | None = None
) -> Doubt | None:
    """Look until everything is read."""
    proof = Proof(served)
    top = len(served.blocks) - 1 if final is None else final
    while True:
        proof.begin([attempt])
        found = await proof.doubt(attempt, top)
        if found is None or "being read again" not in found.reason:
            return found


def test_more_than_two_thirds_are_needed() -> None:
    """Nineteen of Tron's 27; the only one where there is one."""
    assert [needed(frozenset(WITNESSES[:many])) for many in (1, 2, 3, 27)] == [1, 2, 3, MOST]


async def test_what_stands_in_no_block_until_it_expired_has_expired() -> None:
    """Each block in which it may stand was hashed; nineteen witnesses signed blocks above."""
    served = chain()
    assert await doubts(served, served.attempt(ANCHOR, LIFE)) is None
    assert {height for height, whole in served.asked if whole} >= set(
        range(ANCHOR + 1, OVER + 1)
    )


async def test_fewer_witnesses_than_two_thirds_are_waited_for() -> None:
    """Solid by a node's word is not enough; the count is told."""
    served = chain(above=MOST - 1)
    found = await doubts(served, served.attempt(ANCHOR, LIFE))
    assert found == Doubt("18 of 19 witnesses signed blocks above 70")


async def test_a_payment_in_a_block_that_our_scan_was_shown_without_it_keeps_its_hold() -> None:
    """The node cannot leave it out of a block that is hashed, whoever else agrees with it."""
    served = chain(ours=True)
    found = await doubts(served, served.attempt(ANCHOR, LIFE))
    assert found == Doubt("it stands in block 65, which our scan was shown without it")


async def test_a_late_block_may_hold_what_expires_before_it() -> None:
    """Only its parent's time counts for the chain: missed slots lie between the two."""
    served = SealedChain()
    served.mine(OVER)
    served.mine(ends={OURS: True}, late=timedelta(minutes=1))
    served.mine(MOST)
    found = await doubts(served, served.attempt(ANCHOR, LIFE + 1))
    assert found is not None
    assert "it stands in block 70" in found.reason


@pytest.mark.parametrize("signed", [True, False], ids=["with the right keys", "without keys"])
async def test_blocks_that_a_node_makes_up_are_not_signed_by_the_chain_s_witnesses(
    *, signed: bool
) -> None:
    """They hash, they link, they lack the payment: whoever makes them has nobody's key."""
    honest = chain(ours=True)
    forged = honest.branch(LANDED)
    forged.mine(OVER - LANDED + 2 * ROUNDS, signed=False)
    if signed:
        others = [
            replace(
                each, seal=replace(each.seal, witness=f"X{each.seal.ref.height}", signed=True)
            )
            for each in forged.blocks[LANDED:]
        ]
        forged.blocks[LANDED:] = others
    found = await doubts(forged, honest.attempt(ANCHOR, LIFE))
    assert found is not None
    assert "0 of 19 witnesses" in found.reason


async def test_a_chain_made_up_from_before_the_reference_is_another_chain() -> None:
    """The bytes name a block that it has not; nobody takes its witnesses for the chain's."""
    honest = chain(ours=True)
    forged = honest.branch(ANCHOR - 5)
    forged.mine(ends={STRANGER: None})
    forged.mine(2 * ROUNDS)
    found = await doubts(forged, honest.attempt(ANCHOR, LIFE))
    assert found == Doubt("block 60 is not the one that it refers to")


async def test_blocks_of_two_chains_prove_nothing_and_are_all_read_again() -> None:
    """A hole may lie where they meet."""
    honest = chain()
    other = honest.branch(LANDED)
    other.mine(ends={STRANGER: None})
    other.mine(OVER)
    attempt = honest.attempt(ANCHOR, LIFE)
    mixed = SealedChain([*honest.blocks[: LANDED + 2], *other.blocks[LANDED + 2 :]])
    proof = Proof(mixed)
    proof.begin([attempt])
    found = await proof.doubt(attempt, len(mixed.blocks) - 1)
    assert found is not None
    assert "of another chain" in found.reason
    mixed.blocks = honest.blocks
    proof.begin([attempt])
    assert await proof.doubt(attempt, len(honest.blocks) - 1) is None


async def test_what_cannot_be_hashed_is_left_to_enough_other_nodes() -> None:
    """Anybody may put such a transaction into a block: it must hold up no hold for good."""
    served = chain()
    served.untold = frozenset({LANDED})
    found = await doubts(served, served.attempt(ANCHOR, LIFE))
    assert found is not None
    assert (found.others, "block 65 cannot be hashed" in found.reason) == (True, True)
    hidden = chain(ours=True)
    hidden.untold = frozenset({LANDED - 1})
    found = await doubts(hidden, hidden.attempt(ANCHOR, LIFE))
    assert found is not None
    assert not found.others, "what is seen is seen, whatever else cannot be"
    found = await doubts(Silent(served.blocks), served.attempt(ANCHOR, LIFE))
    assert found is not None
    assert found.others


@pytest.mark.parametrize("otherwise", [8, 9])
async def test_a_third_of_the_witnesses_may_sign_with_other_keys_and_are_named(
    otherwise: int,
) -> None:
    """A witness permission: the account alone says whose key that is, and no block its account."""
    served = chain().branch(OVER)
    for height in range(OVER, OVER + ROUNDS + 1):
        served.mine(signed=height % len(WITNESSES) >= otherwise)
    found = await doubts(served, served.attempt(ANCHOR, LIFE))
    if otherwise <= len(WITNESSES) - MOST:
        assert found is None
        return
    assert found is not None
    assert found.others
    assert found.reason.startswith(
        "18 of 19 witnesses signed blocks above 70, 9 had theirs signed with another key; "
    )


async def test_witnesses_that_sign_otherwise_are_left_to_enough_other_nodes() -> None:
    """After two rounds nobody else will come."""
    served = chain().branch(OVER)
    served.mine(ROUNDS + 1, signed=False)
    attempt = served.attempt(ANCHOR, LIFE)
    early = await doubts(served, attempt, final=OVER + ROUNDS - 1)
    late = await doubts(served, attempt)
    assert early is not None
    assert late is not None
    assert (early.others, late.others) == (False, True)


def test_signatures_above_a_hole_say_nothing_about_the_blocks_below_it() -> None:
    """They were read for another payment, whose window begins later."""
    served = chain().branch(OVER)
    served.mine(ROUNDS + 1, signed=False)
    served.mine(3 * ROUNDS)
    attempt = served.attempt(ANCHOR, LIFE)
    window = window_of(attempt.intent, attempt.block_height)
    kept = [each.seal for each in served.blocks]
    assert window is not None
    links = {each.ref.height: Link(each.ref, each.witness, each.signed, b"") for each in kept}
    for height in range(OVER + ROUNDS + 1, OVER + 2 * ROUNDS):
        del links[height]
    assert list(missing(window, links, len(kept) - 1)) == []
    found = doubt(window, links, len(kept) - 1, OURS)
    assert found is not None
    assert "0 of 19 witnesses" in found.reason


@pytest.mark.parametrize(
    "intent",
    [
        {},
        {"ref_block_id": "00"},
        {"ref_block_id": None},
        {"ref_block_id": "zz" * 32},
        {"ref_block_id": "00" * 32, "expiration_ms": 10**20},
    ],
)
async def test_an_intent_without_its_reference_is_left_to_others(
    intent: dict[str, object],
) -> None:
    """Nothing says which chain it can land on."""
    served = chain()
    attempt = served.attempt(ANCHOR, LIFE)
    attempt.intent = {"expiration_ms": attempt.intent["expiration_ms"], **intent}
    found = await doubts(served, attempt)
    assert found is not None
    assert found.others
    assert served.asked == []


async def test_a_long_window_is_read_in_several_looks_and_each_block_once() -> None:
    """The scan goes on between them; what was read is kept for whoever expires with it."""
    served = chain()
    attempt, other = served.attempt(ANCHOR, LIFE), served.attempt(ANCHOR + 1, LIFE - 1)
    other.tx_hash = "ab" * 32
    other.raw = msgspec.json.encode(
        replace(served.terms(other.raw or b""), tx_hash=other.tx_hash)
    )
    proof, looks = Proof(served, blocks_per_look=10), 0
    final = len(served.blocks) - 1
    proof.begin([attempt, other])
    while (found := await proof.doubt(attempt, final)) is not None:
        assert "being read again" in found.reason
        looks += 1
        proof.begin([attempt, other])
    assert looks > 5
    assert len(served.asked) == len(set(served.asked))
    before = len(served.asked)
    proof.begin([attempt, other])
    assert await proof.doubt(other, final) is None
    assert len(served.asked) <= before + 1
    proof.begin([])
    assert not proof._links


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (False, None),
        (True, "block 65 does not say that it failed"),
        (None, "does not say how it ended"),
    ],
)
async def test_a_failure_is_what_the_hashed_block_says(
    ended: bool | None, reason: str | None
) -> None:
    """Infos are in no hash: a node may write into them what it likes."""
    served = chain()
    real = served.branch(LANDED)
    real.mine(ends={OURS: ended})
    real.mine(MOST)
    found = await doubts(real, real.attempt(ANCHOR, LIFE, landed=LANDED))
    assert (found and reason in found.reason if reason else found is None) is True
    assert not any(whole for height, whole in real.asked if height != LANDED)


async def test_a_failure_is_waited_for_until_witnesses_signed_above_it() -> None:
    """A block that a node made up says what the node likes."""
    forged = chain().branch(LANDED)
    forged.mine(ends={OURS: False}, signed=False)
    forged.mine(MOST, signed=False)
    found = await doubts(forged, forged.attempt(ANCHOR, LIFE, landed=LANDED))
    assert found == Doubt("0 of 19 witnesses signed blocks above 65")


async def test_a_failure_below_its_reference_or_in_another_block_is_none() -> None:
    """The chain could not have taken it there."""
    served = chain(ours=False)
    below = await doubts(served, served.attempt(ANCHOR + 8, LIFE, landed=LANDED))
    assert below == Doubt("block 65 is not above the one that it refers to")
    attempt = served.attempt(ANCHOR, LIFE, landed=LANDED)
    attempt.block_hash = "00" * 32
    assert await doubts(served, attempt) == Doubt("block 65 is another one than ours")
    missing = await doubts(served, served.attempt(ANCHOR, LIFE, landed=LANDED + 1))
    assert missing == Doubt("block 66 does not say that it failed")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"expiration_ms": 1}, "another expiration"),
        ({"ref_block_id": f"{ANCHOR - 1:016x}" + "00" * 24}, "another reference block"),
    ],
)
async def test_a_row_that_is_not_its_signed_bytes_gives_nothing_back(
    changed: dict[str, object], reason: str
) -> None:
    """Bytes land as they were signed, whatever became of the row."""
    served = chain()
    attempt = served.attempt(ANCHOR, LIFE)
    honest = attempt.intent
    attempt.intent = {**honest, **changed}
    found = await doubts(served, attempt)
    assert found is not None
    assert (reason in found.reason, found.others, served.asked) == (True, False, [])
    attempt.intent, attempt.tx_hash = honest, STRANGER
    found = await doubts(served, attempt)
    assert found is not None
    assert "another hash" in found.reason
    attempt.raw = None
    found = await doubts(served, attempt)
    assert found is not None
    assert "cannot be read" in found.reason


async def test_who_waits_for_a_person_keeps_no_blocks_but_his_own() -> None:
    """Others come and go above him for weeks."""
    served = chain()
    served.untold = frozenset({LANDED})
    stuck = served.attempt(ANCHOR, LIFE)
    served.mine(2_000)
    final = len(served.blocks) - 1
    proof = Proof(served, blocks_per_look=10_000)
    later = served.attempt(ANCHOR + 1_000, LIFE)
    proof.begin([stuck, later])
    found = [await proof.doubt(each, final) for each in (stuck, later)]
    assert [each is None for each in found] == [False, True]
    proof.begin([stuck])
    assert max(proof._links) < ANCHOR + 1_000
    asked = len(served.asked)
    assert await proof.doubt(stuck, final) == found[0]
    assert len(served.asked) == asked


def test_a_name_is_no_piece_of_two() -> None:
    """Names stand one after the other; where two meet is none."""
    first, second = bytes(range(1, 9)), bytes(range(9, 17))
    across = first[4:] + second[:4]
    assert not holds(first + second, across)
    assert holds(first + second + across, across)
    assert holds(first + second, second)
    assert not holds(b"", first)
