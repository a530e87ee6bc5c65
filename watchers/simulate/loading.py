"""The one door to played payments: closed unless this network is local and for tests."""

import importlib

from gateway.db import Database
from gateway.settings import NetworkSettings
from watchers.chain import Chain
from watchers.families import FAMILIES
from watchers.simulate.faucet import Faucet
from watchers.simulate.player import Player
from watchers.store import Position


def player(
    name: str,
    settings: NetworkSettings,
    chain: Chain,
    database: Database,
    *,
    position: Position,
    public_url: str,
) -> Player:
    """Return the network's player, with its family's faucet."""
    return Player(
        name, settings, faucet(settings, chain), chain.reader, database, position, public_url
    )


def faucet(settings: NetworkSettings, chain: Chain) -> Faucet:
    """Return the faucet of a local chain."""
    module = importlib.import_module(FAMILIES[settings.family].replace(".connect", ".faucet"))
    made: Faucet = module.faucet(settings, chain.endpoints)
    return made
