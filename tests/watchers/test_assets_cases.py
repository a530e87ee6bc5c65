"""Which tokens may be listed, and what happens to one that changes, freezes or keeps a fee."""

import argparse
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from devnet import anvil
from devnet.anvil import AnvilChain
from devnet.contracts import cases
from devnet.contracts.assembly import assemble, creation
from gateway.catalog.repository import causes_of_holds
from gateway.db import CROSS_TENANT
from gateway.models import AssetCheck, AuditLog, Currency
from gateway.settings import AssetSettings, NetworkSettings, SettingsError, load
from tests.conftest import FreshDatabase
from tests.watchers.recon_world import Counted, counted
from tests.watchers.test_command import config, run
from tests.watchers.world import NETWORK, USDC
from watchers.assets import checks as asset_checks
from watchers.assets.checks import AssetChecks
from watchers.assets.rules import Inspection, Terms, judged, refusals
from watchers.commands import check_asset as asset_command
from watchers.families import connect
from watchers.network import NodeUnavailable, Transfer
from watchers.networks.ethereum.listing import PROBE, EthereumInspector
from watchers.networks.ethereum.measured import corrected
from watchers.pay import holds
from watchers.reconcile.balances import Holding
from watchers.rpc import Endpoints, JsonRpc

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
SUPPLY = 10**15
TERMS = Terms(6)
PROBE_SOURCE = """
    #balanceOf(address) 224 SHL 0 MSTORE 32 CALLDATALOAD 4 MSTORE
    32 128 36 0 0 CALLDATALOAD GAS STATICCALL POP
    #transfer(address,uint256) 224 SHL 0 MSTORE 32 CALLDATALOAD 4 MSTORE 64 CALLDATALOAD 36 MSTORE
    0 0 68 0 0 0 CALLDATALOAD GAS CALL 192 MSTORE
    #balanceOf(address) 224 SHL 0 MSTORE 32 CALLDATALOAD 4 MSTORE
    32 160 36 0 0 CALLDATALOAD GAS STATICCALL POP
    96 128 RETURN
"""


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[AnvilChain]:
    """Run one anvil for the module."""
    async with anvil.running() as running:
        yield running


async def inspected(chain: AnvilChain, asset: str, *holders: str) -> Inspection:
    """Look at a contract."""
    endpoints = Endpoints([chain.url])
    try:
        return await EthereumInspector(JsonRpc(endpoints)).inspect(asset, holders)
    finally:
        await endpoints.aclose()


def codes(inspection: Inspection, terms: Terms = TERMS) -> set[str]:
    """Return what refuses an asset."""
    return {finding.code for finding in judged(inspection, terms) if finding.refuses}


def checks(w: Counted) -> AssetChecks:
    """Return the hourly check of a world's token, with its configuration."""
    [token] = [each for each in w.scanner.currencies if each.id == USDC]
    return AssetChecks(
        NETWORK, network(w.chain, str(token.contract)), EthereumInspector(JsonRpc(w.endpoints)),
        w.database, w.scanner.currencies,
    )  # fmt: skip


def network(chain: AnvilChain, token: str, *, fee: bool = False) -> NetworkSettings:
    """Return the configuration of a network with one token."""
    return NetworkSettings(
        family="ethereum", display_name="E", identity=chain.identity, rpc_urls=[chain.url],
        test=True,
        assets=[
            AssetSettings(code="ETH", decimals=18),
            AssetSettings(code="USDC", decimals=6, contract=token, fee_on_transfer=fee),
        ],
    )  # fmt: skip


def test_probe_is_what_its_source_says() -> None:
    """The code that stands in for a holder is no secret."""
    assert assemble(PROBE_SOURCE).hex() == PROBE


async def test_plain_token_may_be_listed(chain: AnvilChain) -> None:
    """The whole of a simulated transfer arrives, and nothing speaks against it."""
    found = await inspected(chain, chain.token)
    assert (found.decimals, list(found.findings), found.paused) == (6, [], False)
    assert refusals(judged(found, TERMS)) == ""
    assert codes(found, Terms(18)) == {"decimals"}


async def test_nothing_and_everything_are_refused(chain: AnvilChain) -> None:
    """An address without code, and a contract that says yes to any question."""
    assert codes(await inspected(chain, await chain.fresh_address())) == {
        "no_contract", "decimals",
    }  # fmt: skip
    yes = await chain.create(creation(assemble("1 0 MSTORE 32 0 RETURN")))
    assert "answers_everything" in codes(await inspected(chain, yes))


async def test_case_09_fee_on_transfer_is_refused_without_the_flag(chain: AnvilChain) -> None:
    """A simulated transfer shows the fee that its log hides."""
    token = await chain.create(cases.fee_token(chain.payer, SUPPLY, basis_points=200))
    await chain.pay(await chain.fresh_address(), 10**9, token)
    found = await inspected(chain, token)
    assert codes(found) == {"fee_on_transfer"}
    assert codes(found, Terms(6, fee_on_transfer=True)) == set()


async def test_case_09_fee_on_transfer_with_the_flag_credits_what_arrived(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """By the balance before and after the block, however many transfers it holds."""
    token = await chain.create(cases.fee_token(chain.payer, SUPPLY, basis_points=200))
    async with counted(database, chain, token=token) as w:
        measuring = connect(
            NETWORK, network(chain, token, fee=True), list(w.scanner.currencies)
        )
        try:
            w.scanner.reader = measuring.reader
            await chain.set_mining(False)
            for units in (100, 1001):
                await chain.send(w.assigned, units, token)
            await chain.mine()
            await chain.set_mining(True)
            await w.settle()
            await w.scan()
        finally:
            await measuring.endpoints.aclose()
        arrived = await chain.balance(w.assigned, token)
        assert 1079 <= arrived < 1101
        assert sum(each.units for each in await w.deposits()) == arrived
        assert await w.wallet("mer_1", USDC) == (arrived, 0)
        await w.turn()
        assert await w.holds() == []


def test_measured_units_are_shared_out_and_never_exceed_the_log() -> None:
    """What is left over goes to the last transfer; own sending in the block is added again."""
    at, token = "0xa", "0xt"

    def moved(units: int, to: str = at, sender: str = "0xb") -> Transfer:
        return Transfer("tx", "token", units, token, sender, to, units)

    def shared(gained: int, *transfers: Transfer) -> list[int]:
        found = corrected(transfers, {Holding(at, token): gained})
        return [transfer.units for transfer in found if transfer.recipient == at]

    assert shared(98, moved(100)) == [98]
    assert shared(147, moved(50), moved(100)) == [49, 98]
    assert shared(500, moved(100)) == [100]
    assert shared(0, moved(100)) == []
    assert shared(-2, moved(100), moved(100, to="0xc", sender=at)) == [98]


async def test_case_10_rebasing_token_is_refused(chain: AnvilChain) -> None:
    """By the share functions that such tokens have."""
    token = await chain.create(cases.rebasing_token(chain.payer, SUPPLY))
    assert codes(await inspected(chain, token)) == {"rebasing"}


@pytest.mark.parametrize("by_beacon", [False, True], ids=["proxy", "beacon"])
async def test_case_11_changed_implementation_suspends_the_asset(
    database: FreshDatabase, chain: AnvilChain, *, by_beacon: bool
) -> None:
    """New logic with other decimals: not offered, payouts wait, until an operator accepts it."""
    logic = await chain.create(cases.token(chain.payer, 0))
    other = await chain.create(cases.token(chain.payer, 0, decimals=18))
    same = await chain.create(cases.freezable_token(chain.payer, 0))
    upgraded = await chain.create((cases.beacon if by_beacon else cases.proxy)(logic))
    token = await chain.create(cases.beacon_proxy(upgraded)) if by_beacon else upgraded
    async with counted(database, chain, token=token) as w:
        hourly = checks(w)
        await hourly.round()
        assert await w.holds() == []
        await chain.call(upgraded, "upgradeTo(address)", other)
        await hourly.round()
        assert await w.holds() == [(USDC, "changed", ""), (USDC, "refused", "")]
        async with w.database.unit_of_work(CROSS_TENANT) as session:
            reason = await holds.reason_against(session, USDC, w.hot)
            assert await causes_of_holds(session) == {USDC: {"changed", "refused"}}
        assert reason is not None
        assert "decimals" in reason
        await chain.call(upgraded, "upgradeTo(address)", same)
        await hourly.round()
        assert await w.holds() == [(USDC, "changed", "")]
        await chain.call(upgraded, "upgradeTo(address)", logic)
        await hourly.round()
        assert await w.holds() == [(USDC, "changed", "")]


async def test_case_12_frozen_address_keeps_its_credit_and_is_not_paid_from(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """A pool address is noted; the hot wallet's freeze and a pause hold payouts."""
    token = await chain.create(cases.freezable_token(chain.payer, SUPPLY))
    async with counted(database, chain, token=token) as w:
        hourly = checks(w)
        await chain.pay(w.assigned, 3000 * 10**6, token)
        await w.settle()
        await w.scan()
        await chain.call(token, "addBlackList(address)", w.assigned)
        await hourly.round()
        assert await w.holds() == [(USDC, "frozen", w.assigned)]
        assert await w.wallet("mer_1", USDC) == (3000 * 10**6, 0)
        assert await against(w) is None
        await chain.call(token, "addBlackList(address)", w.hot)
        await hourly.round()
        assert "frozen" in str(await against(w))
        await chain.call(token, "removeBlackList(address)", w.hot)
        await chain.call(token, "pause()")
        await hourly.round()
        assert "paused" in str(await against(w))
        await chain.call(token, "unpause()")
        await chain.call(token, "removeBlackList(address)", w.assigned)
        await hourly.round()
        assert await w.holds() == []
        assert await w.wallet("mer_1", USDC) == (3000 * 10**6, 0)


class Torn(EthereumInspector):
    """Breaks at one contract."""

    broken = ""

    async def inspect(self, asset: str, holders: Sequence[str]) -> Inspection:
        """Look at another."""
        if asset == self.broken:
            raise NodeUnavailable("it breaks at this one")
        return await EthereumInspector.inspect(self, asset, holders)


async def listed_beside(w: Counted, contract: str) -> Currency:
    """List a second token, which is as the first but for its contract."""
    other = {"id": "DAI-ETHEREUM", "code": "DAI", "contract": contract}
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        copied = (
            "INSERT INTO currency SELECT (jsonb_populate_record(c, CAST(:other AS jsonb))).*"
            " FROM currency c WHERE id = :usdc"
        )
        await session.execute(text(copied), {"other": json.dumps(other), "usdc": USDC})
        return await session.get_one(Currency, other["id"])


async def test_one_token_that_cannot_be_looked_at_leaves_the_others_checked(
    database: FreshDatabase, chain: AnvilChain
) -> None:
    """One that nobody ever looked at is held until somebody can."""
    contract = await chain.create(cases.freezable_token(chain.payer, SUPPLY))
    async with counted(database, chain) as w:
        [usdc] = [each for each in w.scanner.currencies if each.id == USDC]
        dai = await listed_beside(w, contract)
        hourly = checks(w)
        hourly.currencies = [usdc, dai]
        hourly.inspector = torn = Torn(JsonRpc(w.endpoints))
        torn.broken = str(usdc.contract)
        with pytest.raises(NodeUnavailable, match="breaks"):
            await hourly.round()
        assert await w.holds() == [(USDC, "refused", "")]
        assert [row.currency_id for row in await w.rows_of(AssetCheck)] == [dai.id]
        torn.broken = ""
        await hourly.round()
        assert await w.holds() == []
        assert len(await w.rows_of(AssetCheck)) == 2


async def test_a_token_that_stays_broken_keeps_no_other_from_the_next_turn(
    database: FreshDatabase, chain: AnvilChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was looked at is left alone while the turn is tried again, and not for longer."""
    token = await chain.create(cases.freezable_token(chain.payer, SUPPLY))
    async with counted(database, chain, token=token) as w:
        hourly = checks(w)
        [usdc] = [each for each in w.scanner.currencies if each.id == USDC]
        broken = await listed_beside(w, "0x" + "da" * 20)
        hourly.currencies = [usdc, broken]
        hourly.inspector = torn = Torn(JsonRpc(w.endpoints))
        torn.broken = str(broken.contract)
        for paused in (False, True, True):
            with pytest.raises(NodeUnavailable, match="breaks"):
                await hourly.round()
            held = [cause for currency, cause, _ in await w.holds() if currency == USDC]
            assert held == ["paused"] * paused
            await chain.call(token, "pause()")
            monkeypatch.setattr(asset_checks, "TURN", timedelta(0))


async def test_a_freeze_is_not_lifted_by_looking_elsewhere(
    database: FreshDatabase, chain: AnvilChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Holders are looked at some at a time, and those that were frozen each time."""
    monkeypatch.setattr(asset_checks, "HOLDERS_MAX", 1)
    token = await chain.create(cases.freezable_token(chain.payer, SUPPLY))
    async with counted(database, chain, token=token) as w:
        hourly = checks(w)
        for address in (w.assigned, w.free):
            await chain.pay(address, 3000 * 10**6, token)
            await chain.call(token, "addBlackList(address)", address)
        await w.settle()
        await w.scan()
        frozen = [(USDC, "frozen", address) for address in (w.assigned, w.free)]
        await hourly.round()
        assert await w.holds() == frozen[:1]
        await hourly.round()
        assert await w.holds() == sorted(frozen)
        await hourly.round()
        assert await w.holds() == sorted(frozen)
        await chain.call(token, "removeBlackList(address)", w.assigned)
        await hourly.round()
        assert await w.holds() == frozen[1:]


async def against(w: Counted) -> str | None:
    """Return why the hot wallet may not pay the token."""
    async with w.database.unit_of_work(CROSS_TENANT) as session:
        return await holds.reason_against(session, USDC, w.hot)


TOKEN_CONFIG = """
[[networks.ethereum.assets]]
code = "USDC"
decimals = 6
contract = "{token}"
"""


async def looked(w: Counted, path: Path, *words: str) -> int:
    """Run `watchers check-asset ethereum` on this process's loop; return its exit code."""
    parser = argparse.ArgumentParser()
    asset_command.add_arguments(parser)
    args = parser.parse_args(["ethereum", *words])
    return await asset_command.command(load(path), w.database, args)


async def test_case_11_operator_accepts_what_changed(
    database: FreshDatabase,
    chain: AnvilChain,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`watchers check-asset` says what changed; `--accept` resumes and is written down."""
    logic = await chain.create(cases.token(chain.payer, 0))
    newer = await chain.create(cases.freezable_token(chain.payer, 0))
    token = await chain.create(cases.proxy(logic))
    async with counted(database, chain, token=token) as w:
        path = config(tmp_path, database, chain.url, chain.identity)
        path.write_text(path.read_text() + TOKEN_CONFIG.format(token=token))
        hourly = checks(w)
        await hourly.round()
        assert await looked(w, path, "USDC") == 0
        await chain.call(token, "upgradeTo(address)", newer)
        await hourly.round()
        capsys.readouterr()
        assert await looked(w, path, "USDC", "--json") == 1
        document = json.loads(capsys.readouterr().out)
        assert document["listable"]
        assert newer in document["changed"]
        with pytest.raises(SettingsError, match="--reason"):
            await looked(w, path, "USDC", "--accept")
        assert await w.holds() == [(USDC, "changed", "")]
        assert await looked(w, path, token, "--accept", "--reason", "reviewed") == 0
        assert await w.holds() == []
        await hourly.round()
        assert await w.holds() == []
        async with w.owner.unit_of_work(CROSS_TENANT) as session:
            [row] = await session.scalars(select(AuditLog))
        assert (row.action, row.subject) == ("asset.accept", USDC)


async def test_unlisted_contract_can_be_looked_at_before_it_is_listed(
    database: FreshDatabase,
    chain: AnvilChain,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit 1 and the reason for a token that keeps a fee; exit 0 for a plain one."""
    fee = await chain.create(cases.fee_token(chain.payer, SUPPLY, basis_points=10))
    await chain.pay(await chain.fresh_address(), 10**9, fee)
    async with counted(database, chain) as w:
        path = config(tmp_path, database, chain.url, chain.identity)
        refused = run("check-asset", "ethereum", fee, "--config", str(path))
        assert (refused.returncode, "fee_on_transfer" in refused.stdout) == (1, True)
        assert await looked(w, path, chain.token) == 0
        assert "may be listed" in capsys.readouterr().out
        with pytest.raises(SettingsError, match="ETH"):
            await looked(w, path, "ETH")
