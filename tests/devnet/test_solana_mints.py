"""Token-2022 mints on Surfpool: what the real program says of them and does with them."""

from collections.abc import AsyncIterator

import pytest
from solders.keypair import Keypair

from devnet import surfpool
from devnet.chain import TOKEN_SUPPLY_UNITS, ChainFault
from devnet.solana_mints import (
    DEFAULT_FROZEN,
    FEE_MINT,
    NON_TRANSFERABLE,
    Extension,
    close_authority,
    permanent_delegate,
    transfer_fee,
    transfer_hook,
)
from devnet.solana_token import TOKEN_2022_PROGRAM
from devnet.surfpool import SurfpoolChain

pytestmark = [pytest.mark.anyio, pytest.mark.chain]

SOMEBODY = Keypair.from_seed(bytes([3] * 32)).pubkey()
EXTENSIONS = {
    "transferFeeConfig": transfer_fee(250, 1_000),
    "permanentDelegate": permanent_delegate(SOMEBODY),
    "mintCloseAuthority": close_authority(SOMEBODY),
    "transferHook": transfer_hook(SOMEBODY, SOMEBODY),
    "defaultAccountState": DEFAULT_FROZEN,
    "nonTransferable": NON_TRANSFERABLE,
}


@pytest.fixture(scope="module")
async def chain(anyio_backend: str) -> AsyncIterator[SurfpoolChain]:  # noqa: ARG001 - its scope
    """Run one Surfpool for the whole module."""
    async with surfpool.running(slot_ms=50) as running:
        yield running


async def extensions_of(chain: SurfpoolChain, mint: str) -> list[str]:
    """Return the names that the node gives to a mint's extensions."""
    found = await chain.rpc.call("getAccountInfo", mint, {"encoding": "jsonParsed"})
    assert found["value"]["owner"] == str(TOKEN_2022_PROGRAM)
    info = found["value"]["data"]["parsed"]["info"]
    assert info["decimals"] == 6
    return [each["extension"] for each in info.get("extensions", [])]


async def test_a_fee_mint_stands_from_the_start(chain: SurfpoolChain) -> None:
    """One percent of what is sent stays with the issuer; the payer holds the supply."""
    assert await extensions_of(chain, FEE_MINT) == ["transferFeeConfig"]
    assert await chain.balance(chain.payer, FEE_MINT) == TOKEN_SUPPLY_UNITS
    to = await chain.fresh_address()
    await chain.pay(to, 10_000, FEE_MINT)
    assert await chain.balance(to, FEE_MINT) == 9_900


async def test_a_fee_ends_at_its_maximum(chain: SurfpoolChain) -> None:
    """2.5 percent, but never more than 1 000 units."""
    mint = await chain.new_mint(EXTENSIONS["transferFeeConfig"])
    to = await chain.fresh_address()
    await chain.pay(to, 10_000, mint)
    assert await chain.balance(to, mint) == 9_750
    await chain.pay(to, 1_000_000, mint)
    assert await chain.balance(to, mint) == 9_750 + 999_000


@pytest.mark.parametrize("name", EXTENSIONS)
async def test_each_extension_is_what_the_program_calls_it(
    chain: SurfpoolChain, name: str
) -> None:
    """The mint is created, and its supply with it."""
    extension: Extension = EXTENSIONS[name]
    mint = await chain.new_mint(extension, frozen=extension is DEFAULT_FROZEN)
    assert await extensions_of(chain, mint) == [name]
    assert await chain.balance(chain.payer, mint) == TOKEN_SUPPLY_UNITS


async def test_a_mint_may_have_several_or_none(chain: SurfpoolChain) -> None:
    """Sizes add up; without any it is as plain as an SPL mint."""
    two = await chain.new_mint(EXTENSIONS["transferFeeConfig"], EXTENSIONS["permanentDelegate"])
    assert sorted(await extensions_of(chain, two)) == ["permanentDelegate", "transferFeeConfig"]
    assert await extensions_of(chain, await chain.new_mint()) == []


async def test_an_unknown_mint_is_named(chain: SurfpoolChain) -> None:
    """Paying in a token that does not exist says so."""
    with pytest.raises(ChainFault, match=str(SOMEBODY)):
        await chain.pay(await chain.fresh_address(), 1, str(SOMEBODY))
