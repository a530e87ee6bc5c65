"""Solana on Surfpool: what mints may do to us, and tokens that are taken back."""

import struct
from collections.abc import AsyncIterator

import pytest
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address

from devnet import surfpool
from devnet.solana_ledger import FINALITY_SLOTS
from devnet.solana_mints import (
    DEFAULT_FROZEN,
    FEE_MINT,
    NON_TRANSFERABLE,
    Extension,
    close_authority,
    permanent_delegate,
    transfer_hook,
)
from devnet.solana_token import TOKEN_2022_PROGRAM, move
from devnet.surfpool import PAYER, SurfpoolChain
from tests.conftest import FreshDatabase
from tests.watchers.recon_world import Eyes, counted
from tests.watchers.world import ETH, USDC
from watchers.assets.rules import Inspection, Terms, judged
from watchers.networks.solana.balances import SolanaBalances
from watchers.networks.solana.extensions import findings, fingerprint, read_mint
from watchers.networks.solana.listing import SolanaInspector
from watchers.networks.solana.reader import SolanaReader
from watchers.rpc import Endpoints, JsonRpc

pytestmark = [pytest.mark.anyio, pytest.mark.chain]
LAMPORTS, UNITS = 2_000_000_000, 5_000_000
KEY = bytes(range(1, 33))
STRANGER = Pubkey.from_bytes(KEY)


@pytest.fixture(scope="module")
async def chain() -> AsyncIterator[SurfpoolChain]:
    """Run one Surfpool for the module."""
    async with surfpool.running(slot_ms=50) as started:
        yield started


def eyes(chain: SurfpoolChain, token: str, program: str) -> Eyes:
    """Read Surfpool."""
    rpc = JsonRpc(Endpoints([chain.url]))
    tokens = {token: program}
    reader = SolanaReader(rpc, chain.identity, tokens)
    return Eyes(reader, SolanaBalances(rpc, tokens), rpc.endpoints, dense=False)


async def inspected(chain: SurfpoolChain, mint: str, *holders: str) -> Inspection:
    """Look at a mint."""
    rpc = JsonRpc(Endpoints([chain.url]))
    try:
        return await SolanaInspector(rpc, {}).inspect(mint, holders)
    finally:
        await rpc.endpoints.aclose()


def refused(inspection: Inspection, *allowed: str) -> set[str]:
    """Return what refuses a mint under these overrides."""
    terms = Terms(6, allowed_extensions=frozenset(allowed))
    return {each.code for each in judged(inspection, terms) if each.refuses}


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("permanentDelegate", permanent_delegate(STRANGER)),
        ("transferHook", transfer_hook(STRANGER, STRANGER)),
        ("mintCloseAuthority", close_authority(STRANGER)),
        ("defaultAccountState", DEFAULT_FROZEN),
        ("nonTransferable", NON_TRANSFERABLE),
    ],
)
async def test_case_64_dangerous_extension_of_a_real_mint_is_refused(
    chain: SurfpoolChain, name: str, extension: Extension
) -> None:
    """Each by itself, and accepted only where the configuration names it."""
    mint = await chain.new_mint(extension, frozen=extension is DEFAULT_FROZEN)
    found = await inspected(chain, mint)
    assert found.decimals == 6
    assert refused(found) == {f"extension:{name}"}
    assert refused(found, name) == set()


async def test_case_63_transfer_fee_needs_the_flag(chain: SurfpoolChain) -> None:
    """The credit is net in any case; whoever lists it has to know."""
    found = await inspected(chain, FEE_MINT)
    assert refused(found) == {"fee_on_transfer"}
    assert not [e for e in judged(found, Terms(6, fee_on_transfer=True)) if e.refuses]


async def test_plain_mint_may_be_listed_and_a_stranger_is_none(chain: SurfpoolChain) -> None:
    """SPL Token without a freeze authority, an account that is no mint, and nothing at all."""
    found = await inspected(chain, chain.token, chain.payer)
    assert (refused(found), list(found.findings), found.frozen) == (set(), [], frozenset())
    assert refused(await inspected(chain, chain.payer)) == {"no_mint", "decimals"}
    nothing = await chain.fresh_address()
    assert refused(await inspected(chain, nothing)) == {"no_mint", "decimals"}


async def test_case_64_tokens_taken_back_by_a_delegate_are_a_drift(
    database: FreshDatabase, chain: SurfpoolChain
) -> None:
    """The reconciler alarms on what went missing; nobody is debited."""
    mint = await chain.new_mint(permanent_delegate(PAYER.pubkey()))
    reading = eyes(chain, mint, str(TOKEN_2022_PROGRAM))
    async with counted(database, chain, token=mint, eyes=reading) as w:
        await chain.pay(w.assigned, LAMPORTS)
        await chain.pay(w.assigned, UNITS, mint)
        await chain.mine(FINALITY_SLOTS + 2)
        await w.settle()
        await w.settle()
        assert await w.holds() == []
        assert (await w.figures(USDC)).chain_units == UNITS
        assert (await w.figures(ETH)).chain_units == LAMPORTS
        accounts = [
            get_associated_token_address(
                Pubkey.from_string(owner), Pubkey.from_string(mint), TOKEN_2022_PROGRAM
            )
            for owner in (w.assigned, chain.payer)
        ]
        taken = move(
            accounts[0],
            Pubkey.from_string(mint),
            accounts[1],
            PAYER.pubkey(),
            7,
            program=TOKEN_2022_PROGRAM,
        )
        before = await w.journals()
        await chain.included(await chain.send([taken], [PAYER]))
        await chain.mine(FINALITY_SLOTS + 2)
        await w.settle()
        await w.settle()
        assert await w.drifts() == [(USDC, w.assigned, -7)]
        assert await w.holds() == [(USDC, "drift", "")]
        assert await w.journals() == before


def mint_bytes(*entries: tuple[int, bytes], freezer: bytes | None = None) -> bytes:
    """Lay out a Token-2022 mint with these extensions."""
    authority = struct.pack("<I", 1) + KEY
    state = struct.pack("<QBB", 10**9, 6, 1)
    freeze = struct.pack("<I", freezer is not None) + (freezer or bytes(32))
    head = (authority + state + freeze).ljust(165, b"\0") + b"\1"
    return head + b"".join(struct.pack("<HH", kind, len(v)) + v for kind, v in entries)


def codes(data: bytes) -> set[str]:
    """Return what refuses a mint with these bytes."""
    mint = read_mint(data)
    assert mint is not None
    return {finding.code for finding in findings(mint) if finding.refuses}


@pytest.mark.parametrize(
    ("kind", "value", "name"),
    [
        (4, bytes(65), "confidentialTransfer"),
        (26, KEY + b"\0", "pausable"),
        (28, KEY, "permissionedBurn"),
        (24, bytes(196), "confidentialMintBurn"),
        (99, b"?", "unknown99"),
    ],
)
def test_case_64_extension_that_no_local_program_makes_is_refused(
    kind: int, value: bytes, name: str
) -> None:
    """By its number in the layout; one that nobody knows too."""
    assert codes(mint_bytes((18, bytes(64)), (kind, value))) == {f"extension:{name}"}


def test_harmless_extensions_and_absent_authorities_pass() -> None:
    """Metadata and display change no units; a delegate of nobody takes nothing."""
    data = mint_bytes((18, bytes(64)), (19, b"name"), (10, bytes(52)), (12, bytes(32)))
    assert codes(data) == set()
    assert codes(mint_bytes((6, b"\1"))) == set()


def test_pause_and_freeze_authority_are_read() -> None:
    """A pause is a fact of the moment; a freeze authority is a warning."""
    paused = read_mint(mint_bytes((26, KEY + b"\1"), freezer=KEY))
    running = read_mint(mint_bytes((26, KEY + b"\0"), freezer=KEY))
    assert paused is not None
    assert running is not None
    assert (paused.paused, running.paused) == (True, False)
    assert fingerprint(paused) == fingerprint(running)
    warned = [each.code for each in findings(running) if not each.refuses]
    assert warned == ["freeze_authority"]
    assert paused.freeze_authority == str(STRANGER)


def test_broken_layout_is_no_mint() -> None:
    """An entry that runs over the end, a token account, an uninitialised mint."""
    assert read_mint(mint_bytes((12, KEY))[:-1]) is None
    assert read_mint(bytes(165)) is None
    assert read_mint(bytes(82)) is None
