"""What the keystore signs for sweeping is read back: any field that differs is named."""

import msgspec
import pytest
from coincurve import PrivateKey
from solders.keypair import Keypair

from devnet.tron import address
from keystore.api import (
    SolanaAdvanceIntent,
    SolanaSweepIntent,
    SweepSource,
    TronResourceIntent,
)
from keystore.networks import solana, solana_advance, solana_sweep, tron_resource
from keystore.networks.solana import lane_account
from tests.keystore.house import solana_intent
from tests.networks.writer_suite import altered
from watchers.network import Refused
from watchers.networks.solana import advance, gathered
from watchers.networks.solana.accounts import TOKEN_PROGRAM
from watchers.networks.solana.writer import SolanaWriter
from watchers.networks.tron import resource
from watchers.rpc import Endpoints, JsonRpc

HOT = Keypair.from_seed(bytes([0x42] * 32))
POOL = [Keypair.from_seed(bytes([n] * 32)) for n in range(1, 11)]
MINT = "TUSDmint11111111111111111111111111111111111"
OTHER = str(Keypair.from_seed(bytes([0x77] * 32)).pubkey())
NAMES = {"withdrawal_id", "network", "pool_index", "family"}
"""What bytes cannot show."""
KEY = PrivateKey(bytes([0x42] * 32))
GAS = address.base58_text(address.of_key(KEY))
BORROWER = address.base58_text(address.of_key(PrivateKey(bytes([0x43] * 32))))


def gathering(count: int, asset: str, *, close: bool) -> SolanaSweepIntent:
    """Return a sweep of so many addresses."""
    token = asset != "native"
    return SolanaSweepIntent(
        withdrawal_id="swo_1",
        network="solana",
        asset=asset,
        decimals=6 if token else 0,
        token_program=TOKEN_PROGRAM if token else "",
        sources=[
            SweepSource(index=n, address=str(key.pubkey()), units=str(2**63 + n))
            for n, key in enumerate(POOL[:count])
        ],
        close=close,
        nonce_account=lane_account(str(HOT.pubkey()), 0),
        nonce_value="EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N",
        compute_unit_limit=5_000,
        compute_unit_price_micro_lamports=1_000,
    )


def signed(intent: SolanaSweepIntent) -> bytes:
    """Sign as the keystore does."""
    draft = solana_sweep.draft(intent, str(HOT.pubkey()))
    keys = [bytes(key.secret()) for key in (HOT, *POOL[: len(intent.sources)])]
    return draft.sign(*keys).raw


@pytest.mark.parametrize(
    ("asset", "close", "holds"), [("native", False, 8), (MINT, True, 5), (MINT, False, 5)]
)
def test_a_transaction_holds_as_many_signers_as_its_bytes_allow(
    asset: str, holds: int, *, close: bool
) -> None:
    """The size that is reckoned with is the size to the byte."""
    assert gathered.fits(asset, close=close) == holds
    for count in range(1, holds + 1):
        raw = signed(gathering(count, asset, close=close))
        assert len(raw) == gathered.size(asset, count, close=close)
    assert gathered.size(asset, holds + 1, close=close) > gathered.BYTES_MAX


@pytest.mark.parametrize(("asset", "close"), [("native", False), (MINT, True)])
def test_a_sweep_of_several_is_read_back_field_by_field(asset: str, *, close: bool) -> None:
    """Another amount, source, asset, lane, value, budget, or an account left open."""
    intent = gathering(3, asset, close=close)
    raw = signed(intent)
    assert gathered.check(intent, raw)
    fields = msgspec.to_builtins(intent)
    sources = fields.pop("sources")
    for name, lie in altered(fields, address=OTHER, asset=OTHER):
        if name not in NAMES and not (
            asset == "native" and name in {"decimals", "token_program", "close"}
        ):
            with pytest.raises(ValueError, match=r"bytes|sign|lane|none|instructions"):
                gathered.check(
                    msgspec.convert({**lie, "sources": sources}, SolanaSweepIntent), raw
                )
    for change in ({"units": "1"}, {"address": OTHER}):
        wrong = [{**sources[0], **change}, *sources[1:]]
        with pytest.raises(ValueError, match="sources"):
            gathered.check(
                msgspec.convert({**fields, "sources": wrong}, SolanaSweepIntent), raw
            )
    with pytest.raises(ValueError, match="signers"):
        gathered.check(gathering(2, asset, close=close), raw)


def test_what_is_brought_into_the_canonical_account_is_read_back() -> None:
    """Another account, an amount, or a sweep of the canonical one are other bytes."""
    plain = gathering(1, MINT, close=True)
    beside = msgspec.structs.replace(plain.sources[0], account=OTHER)
    intent = msgspec.structs.replace(plain, sources=[beside])
    raw = signed(intent)
    assert gathered.check(intent, raw)
    for change in ({"account": MINT}, {"account": ""}, {"units": "1"}):
        wrong = msgspec.structs.replace(beside, **change)
        with pytest.raises(ValueError, match=r"sources|instructions"):
            gathered.check(msgspec.structs.replace(plain, sources=[wrong]), raw)
    with pytest.raises(ValueError, match=r"sources|instructions"):
        gathered.check(intent, signed(plain))


def test_a_cancel_is_read_back_field_by_field_and_moves_nothing() -> None:
    """Another lane, value, budget, or a transfer beside it; a payment is no cancel."""
    hot = str(HOT.pubkey())
    intent = SolanaAdvanceIntent(
        withdrawal_id="wdr_1",
        network="solana",
        nonce_account=lane_account(hot, 3),
        nonce_value="EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N",
        compute_unit_limit=2_000,
        compute_unit_price_micro_lamports=2_000,
    )
    key = bytes(HOT.secret())
    raw = solana_advance.draft(intent, hot).sign(key).raw
    writer = SolanaWriter(JsonRpc(Endpoints(["http://127.0.0.1:1"])), "solana", {})
    fields = msgspec.to_builtins(intent)
    assert writer.verify(fields, raw) == advance.check(intent, raw)
    for name, lie in altered(fields, address=OTHER, asset=OTHER):
        if name not in NAMES:
            with pytest.raises(ValueError, match=r"bytes|lane"):
                writer.verify(lie, raw)
    elsewhere = {**fields, "nonce_account": lane_account(hot, 2)}
    with pytest.raises(ValueError, match="bytes"):
        writer.verify(elsewhere, raw)
    payment = solana_intent(intent.nonce_account, compute_unit_limit=2_000)
    paying = solana.draft(payment, hot).sign(key).raw
    price = payment.compute_unit_price_micro_lamports
    with pytest.raises(ValueError, match="bytes"):
        writer.verify({**fields, "compute_unit_price_micro_lamports": price}, paying)


def test_a_cancel_offers_more_than_what_it_takes_back_and_no_more_than_the_ceiling() -> None:
    """An eighth more, or what the market asks; a price of nothing is outbid too."""
    payment = msgspec.to_builtins(solana_intent(lane_account(str(HOT.pubkey()), 0)))
    price = "compute_unit_price_micro_lamports"
    for offered, market, wanted in (
        (1_000, 1, 1_125),
        (1_001, 1, 1_127),
        (0, 0, 1),
        (8, 50, 50),
    ):
        made = advance.vacating({**payment, price: offered}, market, ceiling_units=5_003)
        assert made[price] == wanted
        assert (made["family"], made["withdrawal_id"]) == ("solana_advance", "wdr_1")
    with pytest.raises(Refused, match="ceiling is 5002"):
        advance.vacating(payment, 1, ceiling_units=5_002)


@pytest.mark.parametrize("action", ["stake", "delegate", "undelegate"])
def test_staked_and_lent_resources_are_read_back_field_by_field(action: str) -> None:
    """Another amount, borrower, resource, action, block or time is named."""
    stake = action == "stake"
    intent = TronResourceIntent(
        withdrawal_id="swo_1",
        network="tron",
        action=action,  # type: ignore[arg-type]
        resource="ENERGY",
        to="" if stake else BORROWER,
        pool_index=None if stake else 3,
        units="5000000",
        ref_block_id="00000000000004d2" + "1f" * 24,
        expiration_ms=1_800_000_000_000 + 3_600_000,
        timestamp_ms=1_800_000_000_000,
    )
    raw = tron_resource.draft(intent, GAS).sign(KEY.secret).raw
    fields = msgspec.to_builtins(intent)
    assert resource.verify(fields, raw)
    lies: dict[str, dict[str, object]] = {
        "action": {"action": "undelegate" if action == "delegate" else "delegate"},
        "resource": {"resource": "BANDWIDTH"},
        "to": {"to": GAS},
        "units": {"units": "5000001"},
        "ref_block_id": {"ref_block_id": "00000000000004d3" + "1f" * 24},
        "expiration_ms": {"expiration_ms": intent.expiration_ms + 1},
        "timestamp_ms": {"timestamp_ms": intent.timestamp_ms + 1},
    }
    for name, lie in lies.items():
        with pytest.raises(ValueError, match=name):
            resource.verify({**fields, **lie}, raw)
    with pytest.raises(ValueError, match=r"."):
        resource.verify(fields, raw[:-1])
