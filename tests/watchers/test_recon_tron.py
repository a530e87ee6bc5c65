"""Tron on the emulator: silent payments where a node keeps no internal transactions, and freezes."""

from collections.abc import AsyncIterator

import pytest

from devnet.contracts import cases
from devnet.contracts.assembly import creation
from devnet.tron import TronChain, address, running
from devnet.tron.genesis import PAYER, described
from devnet.tron.local import DEPLOY_FEE_LIMIT, call_data
from gateway.models import Stray
from tests.conftest import FreshDatabase
from tests.watchers.recon_world import Eyes, counted
from tests.watchers.world import DUE_UNITS, ETH, USDC
from watchers.assets.rules import Terms, judged
from watchers.networks.tron.balances import TronBalances
from watchers.networks.tron.listing import TronInspector
from watchers.networks.tron.node import TronNode
from watchers.networks.tron.reader import TronReader
from watchers.rpc import Endpoints

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
UNITS = 12_345_678


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[TronChain]:
    """Run one emulator for the module; blocks come only when a test asks for them."""
    async with running(0, solid_lag=3) as started:
        await started.mine(5)
        yield started


def eyes(chain: TronChain, token: str) -> Eyes:
    """Read the emulator."""
    endpoints = Endpoints([chain.url])
    reader = TronReader(endpoints, chain.identity, frozenset({token}))
    return Eyes(reader, TronBalances(TronNode(endpoints)), endpoints)


def evm(base58: str) -> str:
    """Return an address as contracts know it."""
    return address.evm(address.parse(base58, visible=True))


async def created(chain: TronChain, code: bytes) -> str:
    """Deploy creation code; return the contract's address."""
    value = {"new_contract": described("Case", PAYER, code, [])}
    tx_id = await chain.transact("CreateSmartContract", value, fee_limit=DEPLOY_FEE_LIMIT)
    info = await chain.mined(tx_id)
    return address.base58_text(bytes.fromhex(info["contract_address"]))


@pytest.mark.parametrize("internal", [True, False], ids=["internal", "reconciler"])
@pytest.mark.parametrize("place", ["calldata", "code", "storage", "destruction"])
async def test_case_13_14_15_49_value_from_inside_a_contract_counts_on_tron(
    database: FreshDatabase, chain: TronChain, place: str, *, internal: bool
) -> None:
    """By the node's internal transactions, or by the balance of the solid state."""
    await chain.set_up(save_internal=internal)
    async with counted(database, chain, eyes=eyes(chain, chain.token)) as w:
        recipient = evm(w.assigned)
        code = {
            "calldata": cases.forwarder(),
            "code": cases.fixed_forwarder(recipient),
            "storage": cases.stored_forwarder(recipient),
            "destruction": cases.self_destructor(recipient),
        }[place]
        contract = await created(chain, code)
        data = bytes.fromhex(recipient[2:]).rjust(32, b"\0") if place == "calldata" else b""
        await chain.mined(await chain.trigger(contract, data, UNITS))
        for _ in range(2):
            await w.settle()
        await w.scan()
        [deposit] = await w.deposits()
        assert deposit.kind == ("internal" if internal else "balance")
        assert (deposit.units, deposit.status) == (UNITS, "confirmed")
        assert await w.wallet("mer_1") == (UNITS, 0)
        assert await w.holds() == []
        assert (await w.figures()).chain_units == UNITS
    await chain.set_up(save_internal=True)


async def test_tokens_and_coins_agree_on_tron(
    database: FreshDatabase, chain: TronChain
) -> None:
    """Plain payments leave nothing to find."""
    async with counted(database, chain, eyes=eyes(chain, chain.token)) as w:
        await chain.mine()
        for asset in ("native", chain.token):
            await chain.mined(await chain.send(w.assigned, UNITS, asset))
        await w.settle()
        await w.settle()
        assert sorted(each.kind for each in await w.deposits()) == ["native", "token"]
        assert (await w.figures(ETH)).chain_units == (await w.figures(USDC)).chain_units
        assert (await w.figures(USDC)).chain_units == UNITS
        assert await w.holds() == []
        assert DUE_UNITS > UNITS


async def test_case_54_an_invoice_waits_while_tron_does_not_solidify(
    database: FreshDatabase, chain: TronChain
) -> None:
    """Blocks come and are scanned, nothing is credited; it goes on by itself when they are solid."""
    async with counted(database, chain, eyes=eyes(chain, chain.token)) as w:
        await w.settle()
        solid = (await w.scanner.reader.tip()).final
        await chain.set_faults(solid_at=solid)
        try:
            await chain.mined(await chain.send(w.assigned, DUE_UNITS // 10**9))
            await w.bury()
            head = w.scanner.position.height
            assert (head > solid + 4, w.scanner.position.final_height) == (True, solid)
            [deposit] = await w.deposits()
            assert (deposit.status, await w.wallet("mer_1")) == ("pending", (0, 0))
        finally:
            await chain.set_faults()
        await w.bury()
        assert [each.status for each in await w.deposits()] == ["confirmed"]
        assert await w.wallet("mer_1") == (DUE_UNITS // 10**9, 0)


async def test_case_12_issuer_freeze_is_seen_on_tron(chain: TronChain) -> None:
    """USDT's `isBlackListed` there has the same shape."""
    token = await created(chain, cases.freezable_token(address.evm(PAYER), 10**12))
    held = await chain.fresh_address()
    endpoints = Endpoints([chain.url])
    inspector = TronInspector(TronNode(endpoints))
    before = await inspector.inspect(token, [held])
    assert (before.decimals, before.frozen, before.paused) == (6, frozenset(), False)
    assert judged(before, Terms(6)) == []
    frozen = call_data("addBlackList(address)", evm(held))
    await chain.mined(await chain.trigger(token, frozen))
    await chain.mined(await chain.trigger(token, call_data("pause()")))
    after = await inspector.inspect(token, [chain.payer, held])
    assert (after.frozen, after.paused) == (frozenset({held}), True)
    assert after.fingerprint == before.fingerprint
    await endpoints.aclose()


async def test_case_10_rebasing_token_is_refused_on_tron(chain: TronChain) -> None:
    """And so is an address without a contract, and one that answers to everything."""
    rebasing = await created(chain, cases.rebasing_token(address.evm(PAYER), 10**12))
    yes = await created(chain, creation(bytes.fromhex("600160005260206000f3")))
    endpoints = Endpoints([chain.url])
    inspector = TronInspector(TronNode(endpoints))
    expected = {rebasing: "rebasing", yes: "answers_everything", chain.payer: "no_contract"}
    for asset, code in expected.items():
        found = judged(await inspector.inspect(asset, []), Terms(6))
        assert code in {finding.code for finding in found if finding.refuses}
    await endpoints.aclose()


async def test_case_46_an_asset_of_a_mere_number_that_came_to_an_invoice_is_a_row(
    database: FreshDatabase, chain: TronChain
) -> None:
    """TRC-10 is not listed, so it credits nobody, whatever its name; it is shown as a stray."""
    number = await chain.issue("USDT", 10**9)
    async with counted(database, chain, eyes=eyes(chain, chain.token)) as w:
        to = address.parse(w.assigned, visible=True)
        value = {"asset_name": number.encode(), "to_address": to, "amount": 7}
        tx_hash = await chain.transact("TransferAssetContract", value)
        await w.settle()
        [stray] = await w.rows_of(Stray)
        assert (stray.tx_hash, stray.asset, stray.units) == (tx_hash, number, 7)
        assert (stray.reason, stray.status) == ("asset_not_listed", "confirmed")
        assert await w.deposits() == []
