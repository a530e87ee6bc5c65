"""On which value a lane is taken back: its own, until nodes and our own scan speak against that."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from gateway.models import Attempt
from keystore.api import SolanaAdvanceIntent
from keystore.networks import solana_advance
from keystore.networks.solana import lane_account
from tests.conftest import FreshDatabase
from tests.watchers.test_pay_lanes import Accounts
from tests.watchers.test_sweep_bytes import HOT
from tests.watchers.world import NETWORK, world
from watchers.network import Incomplete
from watchers.networks.solana import advance
from watchers.pay.present import Present

LANE, SIGNED, HELD = "lane", "signed for", "held"
TRUE_VALUE = "11111111111111111111111111111112"


@dataclass
class Seen(Accounts):
    """Lanes of which a node tells, each time, up to where it looked."""

    height: int = 0

    async def nonce_account_seen(self, address: str) -> tuple[str | None, int]:
        """Return the value and the height."""
        return self.values.get(address), self.height


def order(passed: int | None = None, **intent: Any) -> list[Attempt]:
    """Return an order that was signed on one value of a lane."""
    return [
        Attempt(
            order_id="wdr_1", intent={"nonce_account": LANE, "nonce_value": SIGNED, **intent},
            nonce_account=LANE, nonce_value=SIGNED, passed_height=passed,
        )
    ]  # fmt: skip


@pytest.mark.anyio
async def test_another_value_is_taken_once_our_scan_has_come_to_where_it_was_seen(
    database: FreshDatabase,
) -> None:
    """Before that a payment may stand in a block that we have not read."""
    async with world(database) as w:
        await w.scan()
        lanes = Seen({LANE: SIGNED}, w.scanner.position.final_height + 1)
        present = Present(NETWORK, w.database, lanes)
        plain = order()
        assert await present.intent_of(plain) == plain[0].intent
        lanes.values[LANE] = HELD
        for _ in range(2):
            with pytest.raises(Incomplete, match="holds another value"):
                await present.intent_of(plain)
            lanes.height += 1
        assert await present.intent_of(order(passed=1)) == plain[0].intent, "taken over"
        await w.chain.mine(w.chain.final_lag + 1)
        await w.scan()
        named = {**plain[0].intent, "present_value": HELD}
        assert await present.intent_of(plain) == named, "from where it was seen first"
        assert await present.intent_of(order(present_value=HELD)) == named
        lanes.values[LANE] = SIGNED
        assert await present.intent_of(order(present_value=HELD)) == plain[0].intent
        present.keep(set())
        lanes.values[LANE], lanes.height = HELD, w.scanner.position.final_height + 1
        with pytest.raises(Incomplete, match="holds another value"):
            await present.intent_of(plain)
        del lanes.values[LANE]
        assert await present.intent_of(plain) == plain[0].intent, "no account to advance"


def test_bytes_on_another_value_are_read_back() -> None:
    """They must be on the one that the intent says is held."""
    hot = str(HOT.pubkey())
    intent = SolanaAdvanceIntent(
        withdrawal_id="wdr_1", network="solana", nonce_account=lane_account(hot, 3),
        nonce_value="EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N", compute_unit_limit=2_000,
        compute_unit_price_micro_lamports=2_000, present_value=TRUE_VALUE,
    )  # fmt: skip
    raw = solana_advance.draft(intent, hot).sign(bytes(HOT.secret())).raw
    assert advance.check(intent, raw)
    for false in ("", intent.nonce_value):
        with pytest.raises(ValueError, match="nonce_value"):
            advance.check(msgspec.structs.replace(intent, present_value=false), raw)
    again = advance.vacating(msgspec.to_builtins(intent), 1, ceiling_units=10_000)
    assert again["present_value"] == TRUE_VALUE, "a dearer one is on the same value"
