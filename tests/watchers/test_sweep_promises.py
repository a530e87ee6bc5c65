"""What the hot wallet has promised goes neither to the gas wallet nor to cold storage."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, update

from devnet import anvil
from devnet.anvil import AnvilChain
from gateway.db import CROSS_TENANT
from gateway.models import ApplicationWallet, Attempt, Withdrawal
from gateway.settings import AssetSettings, SweepSettings
from tests.conftest import FreshDatabase
from tests.keystore.house import House
from tests.watchers.sweep_world import SweepWorld, own_keystore, sweep_world
from tests.watchers.world import merchant_row
from watchers.network import NATIVE, PayoutOrder
from watchers.pay.promises import taken, wanted

ETHER = 10**18
FINAL_LAG = 4
TOKEN = "0xAbCd"

amounts = st.integers(1, 10**6)
payments = st.lists(st.tuples(st.sampled_from([NATIVE, TOKEN]), amounts), max_size=5)


def _order(asset: str, units: int, fee: int) -> PayoutOrder:
    return PayoutOrder("wdr_1", asset, 6, "0xto", units, "0xhot", fee)


@given(payments, st.tuples(st.sampled_from([NATIVE, TOKEN]), amounts), amounts)
def test_what_is_asked_of_the_wallet_pays_for_every_promise_and_the_new_one(
    before: list[tuple[str, int]], new: tuple[str, int], fee: int
) -> None:
    """Amounts and a fee ceiling each; a spelling of a contract is no other asset."""
    intents = [{"asset": asset, "units": str(units)} for asset, units in before]
    needs = wanted(_order(*new, fee), taken(intents, fee))
    everything = [*before, new]
    for asset, units in needs.items():
        paid = sum(each for name, each in everything if name.lower() == asset)
        fees = fee * len(everything) if asset == NATIVE else 0
        assert units == paid + fees
    promised = {NATIVE, *(name.lower() for name, _ in before)} if before else set()
    assert set(needs) == promised & {NATIVE, new[0].lower()}


def test_a_sweep_that_the_wallet_pays_for_promises_its_fee_alone() -> None:
    """Its sources pay the amounts."""
    intent = {"asset": NATIVE, "sources": [{"address": "a", "units": "5"}]}
    assert taken([intent, {"action": "stake", "units": "3"}], 7) == {NATIVE: 14}


@pytest.fixture
def keystore() -> Iterator[tuple[House, str]]:
    """Run a keystore process for the test, with its pool key."""
    with own_keystore() as made:
        yield made


@pytest.fixture
async def w(database: FreshDatabase, keystore: tuple[House, str]) -> AsyncIterator[SweepWorld]:
    """Give a network whose gas wallet is refilled by 0.5, and whose hot wallet keeps 2."""
    async with anvil.running() as chain:
        await chain.set_mining(on=False)
        await chain.rpc.call("evm_setAutomine", True)  # noqa: FBT003 - JSON
        async with sweep_world(
            database, chain, *keystore, final_lag=FINAL_LAG,
            sweeping=SweepSettings(gas_low="0.2", gas_high="0.6"),
            cold_address=await chain.fresh_address(), assets=_assets(chain),
        ) as world:  # fmt: skip
            await world.receive((await world.address("gas"), ETHER // 10, "native"))
            yield world


def _assets(chain: AnvilChain) -> list[AssetSettings]:
    return [
        AssetSettings(code="ETH", decimals=18, hot_ceiling="2", hot_target="1"),
        AssetSettings(code="TUSD", decimals=6, contract=chain.token),
    ]


async def _signed_payout(w: SweepWorld, units: int) -> None:
    """Let a payout of the hot wallet be signed that no block holds."""
    hot = await w.address("hot")
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(
            insert(Attempt).values(
                id="att_1", network_id=w.name, purpose="lost", order_id="wdr_1",
                intent={"asset": NATIVE, "units": str(units), "to": "0x" + "ab" * 20},
                sender=hot, nonce=0, state="signed", raw=b"-", tx_hash="0x" + "1" * 64,
                broadcasts=0, created_at=datetime.now(UTC),
            )
        )  # fmt: skip
        await session.execute(
            update(ApplicationWallet)
            .where(ApplicationWallet.address == hot)
            .values(next_nonce=1)
        )


async def _approved(w: SweepWorld, units: int) -> None:
    """Let a withdrawal wait for its turn."""
    at = datetime.now(UTC)
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        await session.execute(merchant_row())
        await session.execute(
            insert(Withdrawal).values(
                id="wdr_1", merchant_id="mer_1", livemode=False, currency_id=w.coin,
                network_id=w.name, units=units, fee_units=0, destination="0x" + "ab" * 20,
                metadata_={}, status="approved", created_by="key_1", created_at=at,
                approved_at=at, updated_at=at,
            )
        )  # fmt: skip


@pytest.mark.anyio
@pytest.mark.chain
@pytest.mark.parametrize(("payout", "refills"), [(8, 0), (4, 1)])
async def test_gas_is_refilled_from_what_no_signed_payout_needs(
    w: SweepWorld, payout: int, refills: int
) -> None:
    """One coin, 0.8 of it promised: a refill of 0.5 behind that could never be paid for."""
    await w.receive((await w.address("hot"), ETHER, "native"))
    await _signed_payout(w, payout * ETHER // 10)
    await w.sweeping.upkeep.round()
    assert len(await w.attempts("refill")) == refills


@pytest.mark.anyio
@pytest.mark.chain
@pytest.mark.parametrize(("waiting", "sent"), [(20, []), (4, [16])])
async def test_cold_storage_leaves_what_approved_withdrawals_wait_for(
    w: SweepWorld, waiting: int, sent: list[int]
) -> None:
    """Three coins above a ceiling of two: less what is approved, down to one coin."""
    await w.receive(
        (await w.address("hot"), 3 * ETHER, "native"),
        (await w.address("gas"), ETHER, "native"),
    )
    await _approved(w, waiting * ETHER // 10)
    await w.sweeping.upkeep.round()
    begun = [int(each.intent["units"]) for each in await w.attempts("cold")]
    assert begun == [units * ETHER // 10 for units in sent]
