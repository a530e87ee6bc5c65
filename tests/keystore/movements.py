"""A keystore with fixed keys, in process, and the house's own movements as intents."""

import contextlib
import io
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from keystore import api, policy_file
from keystore.journal import Journal
from keystore.keyring import Keyring
from keystore.logs import Log
from keystore.refusal import Refused
from keystore.service import Keystore
from keystore.settings import NetworkSettings
from keystore.vault import Secrets
from tests.keystore.house import ethereum_intent, solana_intent, tron_intent

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PLAY = {
    "ethereum": NetworkSettings("ethereum", 31337, test=True),
    "tron": NetworkSettings("tron", test=True),
    "solana": NetworkSettings("solana", test=True),
}
REAL = {
    "ethereum": NetworkSettings("ethereum", 31337),
    "base": NetworkSettings("ethereum", 8453),
    "tron": NetworkSettings("tron"),
    "solana": NetworkSettings("solana"),
}
TRC20 = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
SPL_TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"


@dataclass(frozen=True)
class Safe:
    """An unlocked keystore and its journal's path."""

    keystore: Keystore
    keyring: Keyring
    journal: Path

    def wallet(self, network: str, purpose: str = "hot") -> str:
        """Return the address of an application wallet."""
        answer = self.keystore.answer(api.WalletsRequest(network=network))
        assert isinstance(answer, api.Wallets)
        return next(each.address for each in answer.wallets if each.purpose == purpose)

    def pool(self, network: str, index: int) -> str:
        """Return the address at a place of the pool."""
        request = api.DerivePoolRequest(network=network, first=index, count=1)
        answer = self.keystore.answer(request)
        assert isinstance(answer, api.PoolRows)
        return answer.rows[0].address

    def sign(self, intent: api.Intent, **also: Any) -> api.Signed:
        """Ask for one signature."""
        answer = self.keystore.answer(api.SignRequest(intent=intent, **also))
        assert isinstance(answer, api.Signed)
        return answer

    def refusal(self, intent: api.Intent, **also: Any) -> str:
        """Return the code of a refusal, which must stand in the journal with the intent's id."""
        with pytest.raises(Refused) as refused:
            self.sign(intent, **also)
        code = refused.value.code
        assert (intent.withdrawal_id, code) in refusals(self.journal)
        return code

    def rules(self, network: str, after: int = 0) -> api.Rules:
        """Ask for the policy as others see it."""
        answer = self.keystore.answer(api.RulesRequest(network=network, after=after))
        assert isinstance(answer, api.Rules)
        return answer


@contextlib.contextmanager
def unlocked(
    folder: Path, policy: str | None = None, clock: Callable[[], datetime] = lambda: NOON
) -> Iterator[Safe]:
    """Open a keystore of play money, or of real money under a policy."""
    journal = folder / "journal.sqlite"
    Journal.create(journal, "id")
    rulebook = None
    if policy is not None:
        file = folder / "policy.toml"
        file.write_text(policy)
        file.chmod(0o600)
        rulebook = policy_file.load(file, frozenset(REAL))
    keyring = Keyring(Secrets(*(bytearray([n] * 32) for n in range(1, 5))))
    with contextlib.closing(Journal.open(journal, "id", clock)) as opened:
        keystore = Keystore(
            settings=PLAY if policy is None else REAL,
            keyring=keyring,
            journal=opened,
            log=Log(clock, io.StringIO()),
            rulebook=rulebook,
        )
        yield Safe(keystore, keyring, journal)


def refusals(journal: Path) -> list[tuple[str, str]]:
    """Return id and code of every refusal that was written down."""
    with contextlib.closing(sqlite3.connect(journal)) as db:
        query = "select subject, code from entry where kind = 'refused' order by seq"
        return db.execute(query).fetchall()


def evm_sweep(safe: Safe, index: int = 3, **changes: Any) -> api.EthereumIntent:
    """Return a native sweep of one pool address."""
    fields = {
        "withdrawal_id": "hou_1",
        "to": safe.wallet("ethereum"),
        "source": f"pool/{index}",
    }
    return ethereum_intent(**{**fields, **changes})


def evm_top_up(safe: Safe, index: int = 3, **changes: Any) -> api.EthereumIntent:
    """Return gas for one pool address."""
    fields: dict[str, Any] = {
        "withdrawal_id": "hou_1",
        "to": safe.pool("ethereum", index),
        "source": "gas",
        "pool_index": index,
    }
    return ethereum_intent(**{**fields, **changes})


def evm_cancel(safe: Safe, purpose: str = "hot", **changes: Any) -> api.EthereumIntent:
    """Return a cancel of the sound payment with both fees doubled."""
    fields: dict[str, Any] = {
        "to": safe.wallet("ethereum", purpose),
        "units": "0",
        "max_fee_per_gas": "4000000000",
        "max_priority_fee_per_gas": "2000000000",
        "source": purpose,
    }
    return ethereum_intent(**{**fields, **changes})


def tron_sweep(safe: Safe, index: int = 3, **changes: Any) -> api.TronIntent:
    """Return a token sweep of one pool address."""
    fields: dict[str, Any] = {
        "withdrawal_id": "hou_1",
        "to": safe.wallet("tron"),
        "source": f"pool/{index}",
        "asset": TRC20,
        "fee_limit": 1_000_000,
    }
    return tron_intent(**{**fields, **changes})


def tron_top_up(safe: Safe, index: int = 3, **changes: Any) -> api.TronIntent:
    """Return TRX for one pool address."""
    fields: dict[str, Any] = {
        "withdrawal_id": "hou_1",
        "to": safe.pool("tron", index),
        "source": "gas",
        "pool_index": index,
    }
    return tron_intent(**{**fields, **changes})


def tron_resource(safe: Safe, action: str, **changes: Any) -> api.TronResourceIntent:
    """Return a stake, or a loan of energy to a pool address, or its end."""
    stakes = action == "stake"
    fields: dict[str, Any] = {
        "withdrawal_id": f"hou_{action}",
        "network": "tron",
        "action": action,
        "resource": "ENERGY",
        "to": "" if stakes else safe.pool("tron", 3),
        "pool_index": None if stakes else 3,
        "units": "5000000",
        "ref_block_id": "00000000000004d2" + "1f" * 24,
        "expiration_ms": 1_700_000_000_000 + 4 * 3_600_000,
        "timestamp_ms": 1_700_000_000_000,
    }
    return api.TronResourceIntent(**{**fields, **changes})


def solana_sweep(safe: Safe, count: int = 2, **changes: Any) -> api.SolanaSweepIntent:
    """Return a native sweep of the first pool addresses."""
    fields: dict[str, Any] = {
        "withdrawal_id": "hou_1",
        "network": "solana",
        "asset": "native",
        "decimals": 0,
        "token_program": "",
        "sources": [
            api.SweepSource(index=index, address=safe.pool("solana", index), units="1000000")
            for index in range(count)
        ],
        "close": False,
        "nonce_account": safe.wallet("solana", "nonce"),
        "nonce_value": "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N",
        "compute_unit_limit": 20_000,
        "compute_unit_price_micro_lamports": 1_000,
    }
    return api.SolanaSweepIntent(**{**fields, **changes})


def spl_sweep(safe: Safe, count: int = 2, **changes: Any) -> api.SolanaSweepIntent:
    """Return a token sweep that closes the emptied accounts."""
    token: dict[str, Any] = {
        "asset": MINT,
        "decimals": 6,
        "token_program": SPL_TOKEN,
        "close": True,
    }
    return solana_sweep(safe, count, **{**token, **changes})


def solana_payment(safe: Safe, **changes: Any) -> api.SolanaIntent:
    """Return a sound native payment on the first lane."""
    return solana_intent(safe.wallet("solana", "nonce"), **changes)


def solana_cancel(safe: Safe, **changes: Any) -> api.SolanaAdvanceIntent:
    """Return what takes the sound payment's nonce value and moves nothing."""
    fields: dict[str, Any] = {
        "withdrawal_id": "wdr_1",
        "network": "solana",
        "nonce_account": safe.wallet("solana", "nonce"),
        "nonce_value": "EkSnNWid2cvwEVnVx9aBqawnmiCNiDgp3gUdkDPTKN1N",
        "compute_unit_limit": 2_000,
        "compute_unit_price_micro_lamports": 2_000,
    }
    return api.SolanaAdvanceIntent(**{**fields, **changes})
