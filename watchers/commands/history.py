"""Commands that judge a wallet's transactions have to know everything that the keystore signed."""

from gateway.db import Database
from gateway.settings import Settings
from keystore.client import KeystoreClient, KeystoreRefused, KeystoreUnavailable
from watchers.pay.numbers import unread


class Unread(Exception):
    """Why the keystore's history is not known to its end, in one line."""


async def require_history(settings: Settings, database: Database, network: str) -> None:
    """Raise `Unread` while the keystore signed what the rows do not know."""
    try:
        async with KeystoreClient(settings.keystore.socket) as keystore:
            news = await unread(database, keystore, network)
    except (KeystoreUnavailable, KeystoreRefused) as trouble:
        raise Unread(f"keystore: {trouble}") from trouble
    if news:
        raise Unread(f"{network}: the watcher has to take over what the keystore signed first")
