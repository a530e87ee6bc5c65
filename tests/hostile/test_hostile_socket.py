"""Somebody has the gateway, the database and the socket, and asks the keystore for money.

Every request is well formed. Each is refused with its code in the keystore's journal, what was
approved is paid, and the chain shows that nobody else has a unit.
"""

import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from devnet import anvil
from devnet.anvil import AnvilChain
from keystore import api
from keystore.client import KeystoreClient, KeystoreRefused
from tests.hostile.policy import MALLORY, order_for, policy_text, said_yes
from tests.hostile.report import Report
from tests.keystore.house import House, build, ethereum_intent, init, serving

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
NETWORKS = '\n[networks.ethereum]\nfamily = "ethereum"\nchain_id = 31337\ntest = true\n'
ATTACKER = "0x" + "66" * 20
FRIEND = "0x" + "77" * 20
UNITS = 10**15
FEE_MAX = 10**16
FREE_NONCE = 2

Ask = tuple[api.EthereumIntent, api.Order | None, list[api.Approval]]


@dataclass(frozen=True)
class Rig:
    """A funded keystore under a policy, and a chain that would take its bytes."""

    house: House
    keystore: KeystoreClient
    chain: AnvilChain
    hot: str
    gas: str
    pool: list[api.PoolRow]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """Serve a keystore with a policy; pay its hot, gas and first pool wallet."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        house = build(Path(folder), extra='policy = "policy.toml"\n', networks=NETWORKS)
        (house.home / "policy.toml").write_text(policy_text("ethereum", FEE_MAX))
        (house.home / "policy.toml").chmod(0o600)
        init(house)
        with serving(house):
            async with anvil.running() as chain, KeystoreClient(house.socket) as keystore:
                wallets = {w.purpose: w.address for w in await keystore.wallets("ethereum")}
                pool = await keystore.derive_pool("ethereum", 0, 2)
                for address in (wallets["hot"], wallets["gas"], pool[0].address):
                    await chain.pay(address, 10**18)
                yield Rig(house, keystore, chain, wallets["hot"], wallets["gas"], pool)


def honest(**changes: Any) -> Ask:
    """Return a payment to a friend that Alice approved, with `changes` to the intent first."""
    intent = ethereum_intent(
        **{"to": FRIEND, "units": str(UNITS), "nonce": FREE_NONCE, **changes}
    )
    order = order_for(intent)
    return intent, order, [said_yes(order)]


def twisted(ask: Ask, **changes: Any) -> Ask:
    """Change the intent after the approval."""
    return msgspec.structs.replace(ask[0], **changes), ask[1], ask[2]


def reordered(ask: Ask, **changes: Any) -> Ask:
    """Change intent and order alike after the approval, which stays what it was."""
    intent, order, approvals = ask
    assert order is not None
    return (
        msgspec.structs.replace(intent, **changes),
        msgspec.structs.replace(order, **changes),
        approvals,
    )


def unasked(**changes: Any) -> Ask:
    """Return an intent that nobody approved."""
    fields = {"to": ATTACKER, "units": str(UNITS), "nonce": FREE_NONCE, **changes}
    return ethereum_intent(**fields), None, []


def by(order: api.Order, approval: api.Approval, ask: Ask) -> Ask:
    """Return the intent of `ask` with another order and approval."""
    return ask[0], order, [approval]


def _cases(rig: Rig) -> dict[str, tuple[Callable[[], Ask], str]]:
    own = honest(withdrawal_id="wdr_own")
    mine = order_for(own[0], requested_by="usr_alice")
    late = order_for(own[0], expires_ms=1)
    cheap = order_for(own[0], fee_ceiling="1")
    return {
        "withdrawal that nobody asked for": (unasked, "approvals_missing"),
        "another amount than was approved": (
            lambda: twisted(honest(withdrawal_id="wdr_a"), units=str(2 * UNITS)),
            "not_what_was_approved",
        ),
        "another destination than was approved": (
            lambda: twisted(honest(withdrawal_id="wdr_b"), to=ATTACKER),
            "not_what_was_approved",
        ),
        "an approval replayed for another withdrawal": (
            lambda: reordered(honest(withdrawal_id="wdr_c"), withdrawal_id="wdr_d"),
            "bad_approval",
        ),
        "an order edited after its approval": (
            lambda: reordered(honest(withdrawal_id="wdr_e"), to=ATTACKER),
            "bad_approval",
        ),
        "an approval by who asked": (lambda: by(mine, said_yes(mine), own), "own_request"),
        "an approval by nobody of the policy": (
            lambda: by(mine, said_yes(mine, MALLORY, "mallory"), own),
            "unknown_approver",
        ),
        "somebody's name under another's signature": (
            lambda: by(mine, said_yes(mine, MALLORY, "bob"), own),
            "bad_approval",
        ),
        "an approval that has expired": (
            lambda: by(late, said_yes(late), own),
            "approval_expired",
        ),
        "a fee above what was approved": (
            lambda: by(cheap, said_yes(cheap), own),
            "fee_above_limit",
        ),
        "a fee above the policy's": (
            lambda: honest(withdrawal_id="wdr_f", max_fee_per_gas=str(10**15)),
            "fee_above_limit",
        ),
        "a second nonce for what was paid": (
            lambda: twisted(honest(withdrawal_id="wdr_paid", nonce=0), nonce=1),
            "intent_conflict",
        ),
        "another withdrawal in a taken nonce": (
            lambda: honest(withdrawal_id="wdr_g", nonce=0),
            "slot_taken",
        ),
        "a pool address to a stranger": (
            lambda: unasked(withdrawal_id="wdr_h", source="pool/0"),
            "bad_source",
        ),
        "gas to a stranger": (
            lambda: unasked(withdrawal_id="wdr_i", source="gas"),
            "bad_source",
        ),
        "a top-up of an address that is not ours": (
            lambda: unasked(withdrawal_id="wdr_j", source="gas", pool_index=0),
            "not_our_pool_address",
        ),
        "a sweep to a cold address that no rule lists": (
            lambda: unasked(withdrawal_id="wdr_k", nonce=4),
            "approvals_missing",
        ),
        "a source that is no wallet": (
            lambda: unasked(withdrawal_id="wdr_l", source="pool/00"),
            "bad_source",
        ),
        "a cancel of nothing": (
            lambda: unasked(withdrawal_id="wdr_m", to=rig.hot, units="0", nonce=5),
            "nothing_to_cancel",
        ),
        "another chain": (
            lambda: honest(withdrawal_id="wdr_n", chain_id=1, nonce=6),
            "wrong_chain_id",
        ),
    }


async def test_what_was_not_approved_is_refused_with_its_code_and_moves_nothing(
    rig: Rig,
) -> None:
    """Twenty ways to ask for money: twenty codes in the journal, 0 units on the chain."""
    report = Report("keystore socket in hostile hands")
    intent, order, approvals = honest(withdrawal_id="wdr_paid", nonce=0)
    signed = await rig.keystore.sign(intent, order=order, approvals=approvals)
    await rig.chain.included(
        await rig.chain.rpc.call("eth_sendRawTransaction", f"0x{signed.raw}")
    )
    for case, (build_ask, code) in _cases(rig).items():
        asked, order, approvals = build_ask()
        with pytest.raises(KeystoreRefused) as refusal:
            await rig.keystore.sign(asked, order=order, approvals=approvals)
        assert refusal.value.code == code, case
        assert code in _codes(rig.house, asked.withdrawal_id), case
        report.add(case, str(refusal.value), await rig.chain.balance(ATTACKER))
    await _pool_rows_are_our_own(rig, report)
    report.show()
    assert await rig.chain.balance(FRIEND) == UNITS
    assert (await rig.keystore.status()).signatures == 1


async def _pool_rows_are_our_own(rig: Rig, report: Report) -> None:
    """Nobody can have an address of his own signed into the pool: the call takes none."""
    for first, network in ((0, "elsewhere"), (2**31, "ethereum"), (-1, "ethereum")):
        with pytest.raises(KeystoreRefused) as refusal:
            await rig.keystore.derive_pool(network, first, 1)
        moved = await rig.chain.balance(ATTACKER)
        report.add(f"derive_pool of {network}, {first}", str(refusal.value), moved)
    again = await rig.keystore.derive_pool("ethereum", 0, 2)
    assert again == rig.pool


def _codes(house: House, withdrawal_id: str) -> set[str]:
    """Return the refusals that the journal remembers of a withdrawal, read from its file."""
    with sqlite3.connect(f"file:{house.journal}?mode=ro", uri=True) as journal:
        rows = journal.execute(
            "select code from entry where kind = 'refused' and subject = ?", (withdrawal_id,)
        )
        return {code for (code,) in rows}
