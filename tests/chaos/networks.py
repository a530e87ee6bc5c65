"""A network's eyes as the watcher makes them, over any nodes of a local chain."""

import importlib
import time
from collections.abc import Sequence
from typing import Any

from devnet.chain import LocalChain
from gateway.models import Currency
from gateway.settings import AssetSettings, NetworkSettings
from watchers.chain import Chain
from watchers.families import FAMILIES
from watchers.rpc import Endpoints

SPL_TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
NATIVE_DECIMALS = {"ethereum": 18, "tron": 6, "solana": 9}
TOKEN_DECIMALS = 6


def currency(family: str, code: str, contract: str | None, decimals: int) -> Currency:
    """Return a listed asset that is in no database."""
    return Currency(
        fee_on_transfer=False,
        id=f"{code}-{family.upper()}",
        network_id=family,
        code=code,
        contract=contract,
        token_program=SPL_TOKEN_PROGRAM if contract and family == "solana" else None,
        decimals=decimals,
        minimum_deposit_units=0,
        withdrawal_fee_units=0,
        automatic_approval_below_units=0,
        enabled=True,
    )


def currencies(chain: LocalChain) -> list[Currency]:
    """Return the chain's coin and its test token."""
    return [
        currency(chain.family, "COIN", None, NATIVE_DECIMALS[chain.family]),
        currency(chain.family, "TUSD", chain.token, TOKEN_DECIMALS),
    ]


def settings(
    chain: LocalChain,
    urls: Sequence[str],
    *,
    identity: str | None = None,
    quorum_above: str | None = None,
    **changes: Any,
) -> NetworkSettings:
    """Return the configuration of a network with these nodes; one rule for all its assets."""
    assert chain.family in FAMILIES
    assets = [
        AssetSettings(
            code=each.code,
            decimals=each.decimals,
            contract=each.contract,
            token_program=each.token_program,
            quorum_above=quorum_above,
        )
        for each in currencies(chain)
    ]
    return NetworkSettings(
        family=chain.family,  # type: ignore[arg-type]
        display_name=chain.family,
        identity=chain.identity if identity is None else identity,
        rpc_urls=list(urls),
        assets=assets,
        test=True,
        local=True,
        **changes,
    )


def eyes(
    chain: LocalChain,
    urls: Sequence[str],
    *,
    identity: str | None = None,
    listed: Sequence[Currency] | None = None,
    haste: int = 1,
    **changes: Any,
) -> Chain:
    """Connect to these nodes as the watcher does; with `haste`, benches end that much sooner."""
    configured = settings(chain, urls, identity=identity, **changes)
    endpoints = Endpoints(urls, clock=lambda: time.monotonic() * haste)
    family = importlib.import_module(FAMILIES[chain.family])
    assets = currencies(chain) if listed is None else listed
    tokens = [each for each in assets if each.contract is not None]
    connected: Chain = family.connect(chain.family, configured, tokens, endpoints)
    return connected
