"""Tokens in an account that no sweep reaches: brought into the canonical one, where they count."""

import argparse
from pathlib import Path

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address
from sqlalchemy import select

from devnet import solana_token
from devnet.surfpool import SurfpoolChain
from gateway.db import CROSS_TENANT
from gateway.desk.beside import STAYS
from gateway.models import AuditLog, Stray
from gateway.settings import KeystoreSettings, Settings, SettingsError
from tests.watchers.sweep_world import SweepWorld
from tests.watchers.test_sweep_solana import RENT, SOL, TOKENS, keystore, w
from watchers.commands import sweeps

__all__ = ["keystore", "w"]

pytestmark = [pytest.mark.anyio, pytest.mark.chain]


async def made_over(w: SweepWorld, owner: str, units: int) -> None:
    """Give an address somebody else's token account, with what is in it."""
    assert isinstance(w.chain, SurfpoolChain)
    stranger = Keypair()
    payer, mint = stranger.pubkey(), Pubkey.from_string(w.chain.token)
    await w.chain.pay(str(payer), SOL)
    await w.chain.pay(str(payer), units, w.chain.token)
    account = get_associated_token_address(payer, mint)
    given = solana_token.make_over(account, payer, Pubkey.from_string(owner))
    await w.chain.included(await w.chain.send([given], [stranger]))
    await w.bury()


async def gather(w: SweepWorld, deposit: str, reason: str = "ticket 7") -> int:
    """Run `watchers sweeps --gather`."""
    settings = Settings(
        networks={w.name: w.settings},
        keystore=KeystoreSettings(socket=Path("none"), pool_public_key=w.public_key),
    )
    parser = argparse.ArgumentParser()
    sweeps.add_arguments(parser)
    args = parser.parse_args([w.name, "--gather", deposit, "--reason", reason])
    return await sweeps.command(settings, w.database, args)


async def test_case_62_what_lies_beside_the_canonical_account_is_brought_home_and_counts(
    w: SweepWorld,
) -> None:
    """A stray in no book becomes a deposit of its address, is swept like one, and its rent returns."""
    [first, second, *_] = await w.pool()
    await made_over(w, first, 70 * TOKENS)
    await made_over(w, second, 5 * TOKENS)
    strays = {each.address: each for each in await w.rows(Stray)}
    assert {each.reason for each in strays.values()} == {"account_not_canonical"}
    assert all(each.address not in strays for each in await w.deposits())
    await w.agreed()
    with pytest.raises(SettingsError, match="--reason"):
        await gather(w, strays[first].id, " ")
    with pytest.raises(SettingsError, match="is no deposit"):
        await gather(w, (await w.deposits())[0].id)
    assert await gather(w, strays[first].id) == 0
    with pytest.raises(SettingsError, match="under way"):
        await gather(w, strays[first].id)

    found = await w.swept(2)
    [home, sweep] = sorted(found, key=lambda each: each.id)
    assert (home.state, home.destination, home.units) == ("done", first, 70 * TOKENS)
    assert (sweep.state, sweep.destination) == ("done", await w.address("hot"))
    [deposit] = [each for each in await w.deposits() if each.address == first]
    assert (deposit.units, deposit.status, deposit.purpose, deposit.reason) == (
        70 * TOKENS,
        "confirmed",
        "unattributed",
        "address_not_assigned",
    )
    states = {each.address: each.status for each in await w.rows(Stray)}
    assert states == {first: "counted", second: "confirmed"}
    hot = await w.address("hot")
    assert await w.chain.balance(hot, w.chain.token) == 71 * TOKENS
    assert await w.wallet("suspense", w.token) == 70 * TOKENS
    assert (home.returned_units, sweep.returned_units) == (0, RENT)
    await w.agreed()
    async with w.owner.unit_of_work(CROSS_TENANT) as session:
        rows = select(AuditLog).where(AuditLog.action == "stray.gather")
        [audited] = (await session.scalars(rows)).all()
    assert (audited.subject, audited.after) == (
        strays[first].id,
        {"sweep": home.id, "reason": "ticket 7"},
    )


async def test_what_lies_beside_an_account_of_the_hot_wallet_is_not_gathered(
    w: SweepWorld,
) -> None:
    """The keystore takes a source from the pool alone: the refusal says what is left to do."""
    hot = await w.address("hot")
    await made_over(w, hot, 3 * TOKENS)
    [stray] = [each for each in await w.rows(Stray) if each.address == hot]
    assert stray.reason == "account_not_canonical"
    with pytest.raises(SettingsError, match=f"{hot} is no pool address: {STAYS}"):
        await gather(w, stray.id)
