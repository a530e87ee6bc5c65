"""`getBlock` answers made by hand, in the shape a node gives for `transactionDetails: accounts`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature

from watchers.network import Block
from watchers.networks.solana.accounts import TOKEN_PROGRAM, associated_token_account
from watchers.networks.solana.decode import decode
from watchers.networks.solana.document import BlockDocument

SLOT = 400_000_000
BLOCK_TIME = 1_790_000_000


def address(number: int) -> str:
    """Return the same address for the same number."""
    return str(Pubkey.from_bytes(bytes([7] * 31 + [number])))


def tx_hash(number: int) -> str:
    """Return the same signature for the same number."""
    return str(Signature.from_bytes(bytes([9] * 63 + [number])))


def block_hash(number: int) -> str:
    """Return the same block hash for the same number."""
    return str(Hash.from_bytes(bytes([5] * 31 + [number % 256])))


PAYER, POOL, OTHER, THIRD = (address(number) for number in range(1, 5))
MINT, FOREIGN_MINT = address(20), address(21)
TOKENS = {MINT: TOKEN_PROGRAM}


@dataclass(frozen=True, slots=True)
class Held:
    """Tokens in one token account, before and after; None where the account does not exist."""

    account: str
    owner: str
    before: int | None
    after: int | None
    mint: str = MINT
    program: str | None = TOKEN_PROGRAM
    owner_before: str | None = None


def ata(owner: str, before: int | None, after: int | None, mint: str = MINT) -> Held:
    """Return the owner's canonical token account."""
    return Held(
        associated_token_account(owner, mint, TOKEN_PROGRAM), owner, before, after, mint
    )


@dataclass(frozen=True, slots=True)
class Tx:
    """One transaction: lamports per account as (before, after), and token accounts."""

    lamports: Mapping[str, tuple[int, int]]
    held: Sequence[Held] = ()
    err: Any = None
    number: int = 1
    version: int | str = 0
    extra: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the entry as a node lists it."""
        accounts = dict(self.lamports)
        for each in self.held:
            accounts.setdefault(each.account, (2_039_280, 2_039_280))
        keys = list(accounts)
        return {
            "transaction": {
                "signatures": [tx_hash(self.number)],
                "accountKeys": [
                    {"pubkey": key, "signer": key == PAYER, "writable": True} for key in keys
                ],
            },
            "meta": {
                "err": self.err,
                "fee": 5000,
                "preBalances": [accounts[key][0] for key in keys],
                "postBalances": [accounts[key][1] for key in keys],
                "preTokenBalances": self._balances(keys, before=True),
                "postTokenBalances": self._balances(keys, before=False),
                **self.extra,
            },
            "version": self.version,
        }

    def _balances(self, keys: Sequence[str], *, before: bool) -> list[dict[str, Any]]:
        listed = []
        for each in self.held:
            amount = each.before if before else each.after
            owner = (each.owner_before or each.owner) if before else each.owner
            if amount is None:
                continue
            entry = {
                "accountIndex": keys.index(each.account),
                "mint": each.mint,
                "owner": owner,
                # A float that lies by a factor: nothing may ever read it.
                "uiTokenAmount": {
                    "amount": str(amount),
                    "decimals": 6,
                    "uiAmount": amount * 3.5,
                },
            }
            listed.append(
                entry if each.program is None else {**entry, "programId": each.program}
            )
        return listed


FEE_ONLY: Mapping[str, tuple[int, int]] = {PAYER: (10**9, 10**9 - 5000)}


def sol(units: int, before: int = 0) -> dict[str, tuple[int, int]]:
    """Return the lamports of a plain payment from PAYER to POOL."""
    return {PAYER: (10**10, 10**10 - units - 5000), POOL: (before, before + units)}


def block(*transactions: Tx, slot: int = SLOT, **changes: Any) -> dict[str, Any]:
    """Return a whole answer; a change to None removes that key."""
    document = {
        "blockhash": block_hash(slot),
        "previousBlockhash": block_hash(slot - 1),
        "parentSlot": slot - 1,
        "blockHeight": slot - 1000,
        "blockTime": BLOCK_TIME,
        "transactions": [each.document() for each in transactions],
        **changes,
    }
    return {key: value for key, value in document.items() if value is not None}


def contents(whole: Block) -> tuple[object, ...]:
    """Return everything that a block says, to compare two of them."""
    return whole.ref, whole.transfers, dict(whole.outcomes), list(whole.strays())


def decoded(document: Mapping[str, Any], tokens: Mapping[str, str] = TOKENS) -> Block:
    """Decode an answer through JSON bytes, as it arrives."""
    body = msgspec.json.encode(document)
    return decode(msgspec.json.decode(body, type=BlockDocument), SLOT, tokens)
