"""Pure: a `getBlock` answer -> `Block`, from balance differences alone.

Balances before and after each transaction cover every way value can move (inner instructions,
account creation and closing, transfer fees), so no instruction is ever parsed. All answer
shapes that carry balances decode: `accounts` (what the reader asks for) and `full` in the
encodings json, jsonParsed and base64.

Rules. A transaction counts when its `meta` exists and `err` is null. SOL: each account whose
lamports rose. Tokens: each (owner, mint) pair that gained over all of its token accounts, of a
listed mint, under the program pinned for it, and only what arrived in the owner's canonical
token account: an account made over to somebody by SetAuthority holds tokens, but is no payment.
`uiAmount` is a float that some mints scale at will; it is not read. Block rewards are no payment.

Solana gives no root over a block's transactions: that none is missing rests on the node. What
can be checked is (shape, one balance per account, unique signatures), else `Incomplete`.
"""

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from solders.transaction import VersionedTransaction

from watchers.network import NATIVE, Block, BlockRef, Incomplete, Outcome, Transfer
from watchers.networks.solana.accounts import associated_token_account

_NOTHING = msgspec.Raw(b"[]")


class _Key(msgspec.Struct, gc=False):
    pubkey: str


class _Units(msgspec.Struct, gc=False):
    amount: str


class _TokenBalance(msgspec.Struct, gc=False):
    accountIndex: int  # noqa: N815 - the chain's own field names throughout
    mint: str
    uiTokenAmount: _Units  # noqa: N815
    owner: str | None = None
    programId: str | None = None  # noqa: N815


class _LoadedAddresses(msgspec.Struct, gc=False):
    writable: list[str] = []
    readonly: list[str] = []


class _Meta(msgspec.Struct, gc=False):
    err: Any
    preBalances: list[int]  # noqa: N815
    postBalances: list[int]  # noqa: N815
    preTokenBalances: msgspec.Raw = _NOTHING  # noqa: N815
    postTokenBalances: msgspec.Raw = _NOTHING  # noqa: N815
    loadedAddresses: _LoadedAddresses | None = None  # noqa: N815


class _Message(msgspec.Struct, gc=False):
    accountKeys: list[str | _Key]  # noqa: N815


class _Parts(msgspec.Struct, gc=False):
    """Named parts: keys beside the signatures in `accounts`, inside the message in `full`."""

    signatures: list[str]
    accountKeys: msgspec.Raw = msgspec.Raw()  # noqa: N815
    message: msgspec.Raw = msgspec.Raw()


class _Transaction(msgspec.Struct, gc=False):
    # An array is `[bytes, encoding]`. The heavy parts stay raw: most transactions are votes,
    # and only those in which something rose need their keys.
    transaction: _Parts | list[str]
    meta: _Meta | None = None


class BlockDocument(msgspec.Struct, gc=False):
    """A `getBlock` result as it came; `decode` proves what it can and reads it."""

    blockhash: str
    previousBlockhash: str  # noqa: N815
    blockTime: int | None = None  # noqa: N815
    transactions: list[_Transaction] | None = None


_KEYS = msgspec.json.Decoder(list[_Key])
_MESSAGE = msgspec.json.Decoder(_Message)
_TOKEN_BALANCES = msgspec.json.Decoder(list[_TokenBalance] | None)


def block_ref(document: BlockDocument, slot: int) -> BlockRef:
    """Return the identity of the block at `slot`; `Incomplete` where the time is unknown."""
    if document.blockTime is None:
        raise Incomplete(f"slot {slot}: block time is not known yet")
    time = datetime.fromtimestamp(document.blockTime, UTC)
    return BlockRef(slot, document.blockhash, document.previousBlockhash, time)


def decode(document: BlockDocument, slot: int, tokens: Mapping[str, str]) -> Block:
    """Read one block; `tokens` maps each listed mint to the token program pinned for it.

    Raises `Incomplete` naming the slot, and the transaction, whose answer is short or disagrees
    with itself.
    """
    ref = block_ref(document, slot)
    if document.transactions is None:
        raise Incomplete(f"slot {slot}: no transactions in the answer")
    mints = [mint.encode() for mint in tokens]
    transfers: list[Transfer] = []
    outcomes: dict[str, Outcome] = {}
    for transaction in document.transactions:
        tx_hash, meta = _identified(transaction, slot)
        try:
            transfers += _transfers(tx_hash, transaction, meta, tokens, mints)
        except (Incomplete, msgspec.MsgspecError, ValueError) as trouble:
            raise Incomplete(f"slot {slot}, transaction {tx_hash}: {trouble}") from trouble
        spent = meta.preBalances[0] - meta.postBalances[0]
        outcomes[tx_hash] = Outcome(meta.err is None, max(0, spent))
    if len(outcomes) != len(document.transactions):
        raise Incomplete(f"slot {slot}: a transaction is listed twice")
    return Block(ref, tuple(transfers), outcomes)


def _identified(transaction: _Transaction, slot: int) -> tuple[str, _Meta]:
    body, meta = transaction.transaction, transaction.meta
    if isinstance(body, _Parts):
        tx_hash = body.signatures[0] if body.signatures else ""
    else:
        tx_hash = str(_unpacked(body, slot).signatures[0])
    if not tx_hash:
        raise Incomplete(f"slot {slot}: a transaction without a signature")
    if meta is None:
        raise Incomplete(f"slot {slot}, transaction {tx_hash}: its result is not known yet")
    if not meta.preBalances or len(meta.preBalances) != len(meta.postBalances):
        raise Incomplete(f"slot {slot}, transaction {tx_hash}: balances do not pair up")
    return tx_hash, meta


def _transfers(
    tx_hash: str,
    transaction: _Transaction,
    meta: _Meta,
    tokens: Mapping[str, str],
    mints: Sequence[bytes],
) -> list[Transfer]:
    if meta.err is not None or _only_fee(meta):
        return []
    rose = [
        index
        for index, after in enumerate(meta.postBalances)
        if after > meta.preBalances[index]
    ]
    holds_listed = _names_any(mints, meta.postTokenBalances)
    if not rose and not holds_listed:
        return []
    keys = _keys(transaction.transaction, meta)
    transfers = [
        Transfer(
            tx_hash,
            "native",
            index,
            NATIVE,
            "",
            keys[index],
            meta.postBalances[index] - meta.preBalances[index],
        )
        for index in rose
    ]
    if holds_listed:
        transfers += _token_transfers(tx_hash, keys, meta, tokens)
    return transfers


def _only_fee(meta: _Meta) -> bool:
    """Tell a vote, as most transactions are, before any loop: nothing but the payer moved."""
    before, after = meta.preBalances, meta.postBalances
    if after[0] > before[0] or after[1:] != before[1:]:
        return False
    return bytes(meta.preTokenBalances) == bytes(meta.postTokenBalances)


def _names_any(mints: Sequence[bytes], balances: msgspec.Raw) -> bool:
    """Look for the mints' text before anything is parsed."""
    text = bytes(balances)
    return any(mint in text for mint in mints)


def _token_transfers(
    tx_hash: str, keys: Sequence[str], meta: _Meta, tokens: Mapping[str, str]
) -> Iterator[Transfer]:
    moved = _moved(keys, meta, tokens)
    gained = sorted(pair for pair, accounts in moved.items() if sum(accounts.values()) > 0)
    for ordinal, (owner, mint) in enumerate(gained):
        program = tokens.get(mint)
        if program is None:
            continue
        account = associated_token_account(owner, mint, program)
        units = moved[owner, mint].get((account, program), 0)
        if units > 0:
            yield Transfer(tx_hash, "token", ordinal, mint, "", owner, units)


_Moved = dict[tuple[str, str], dict[tuple[str, str], int]]


def _moved(keys: Sequence[str], meta: _Meta, tokens: Mapping[str, str]) -> _Moved:
    """Return `(owner, mint) -> (account, program) -> difference`; an absent balance is 0."""
    moved: _Moved = {}
    for sign, raw in ((-1, meta.preTokenBalances), (1, meta.postTokenBalances)):
        for balance in _TOKEN_BALANCES.decode(raw) or ():
            amount = balance.uiTokenAmount.amount
            if not (amount.isascii() and amount.isdigit()):
                raise Incomplete(f"token amount {amount!r} is not a number")
            if not 0 <= balance.accountIndex < len(keys):
                raise Incomplete(f"token balance of unknown account {balance.accountIndex}")
            # Blocks from before 2022 do not name the program. There the account's address
            # stands for it: a canonical account commits to the program that made it.
            program = balance.programId or tokens.get(balance.mint, "")
            accounts = moved.setdefault((balance.owner or "", balance.mint), {})
            holder = (keys[balance.accountIndex], program)
            accounts[holder] = accounts.get(holder, 0) + sign * int(amount)
    return moved


def _keys(body: _Parts | list[str], meta: _Meta) -> list[str]:
    """Return the account keys in balance order: static, loaded writable, loaded readonly."""
    if not isinstance(body, _Parts):
        keys = [str(key) for key in _unpacked(body).message.account_keys]
    elif bytes(body.accountKeys):
        keys = [key.pubkey for key in _KEYS.decode(body.accountKeys)]
    else:
        listed = _MESSAGE.decode(body.message).accountKeys
        keys = [key if isinstance(key, str) else key.pubkey for key in listed]
    # The other shapes already list the loaded keys among the rest.
    if len(keys) < len(meta.preBalances) and meta.loadedAddresses is not None:
        keys += meta.loadedAddresses.writable + meta.loadedAddresses.readonly
    if len(keys) != len(meta.preBalances):
        raise Incomplete(f"{len(keys)} accounts but {len(meta.preBalances)} balances")
    return keys


def _unpacked(body: Sequence[str], slot: int | None = None) -> VersionedTransaction:
    where = "" if slot is None else f"slot {slot}: "
    if len(body) != 2 or body[1] != "base64":
        raise Incomplete(f"{where}a transaction in an unknown encoding")
    try:
        transaction = VersionedTransaction.from_bytes(b64decode(body[0], validate=True))
    except ValueError as trouble:
        raise Incomplete(f"{where}a transaction that cannot be read: {trouble}") from trouble
    if not transaction.signatures:
        raise Incomplete(f"{where}a transaction without a signature")
    return transaction
