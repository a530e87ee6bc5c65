"""What a successful transaction moved, each kind with the ordinal that names it for good.

`native` is 0; `token` is the log's place in the list, or 0 for a TRC-10 transfer, which has no
logs; `internal` is the internal transaction's place in the list. One internal transaction may
move TRX and several TRC-10 assets at once: what comes after the first value that is not zero
(TRX, then the assets in the order named) is set apart by `NEXT_VALUE`.
"""

from binascii import unhexlify
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec

from watchers.network import NATIVE, Incomplete, Outcome, Transfer
from watchers.networks.tron.address import BASE58_LENGTH, CACHED, PREFIX, canonical, to_base58
from watchers.networks.tron.wire import (
    Contract,
    Info,
    InternalTransaction,
    Log,
    OwnerParameter,
    Transaction,
    TransferParameter,
    TransferValue,
)

TRANSFER_TOPIC = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
WORD = 64  # hex digits of 32 bytes
ADDRESS_PADDING = ("0" * 24, "0" * 22 + "41")  # some compilers keep the 41 of an address
VALUE_NOTES = ("call", "create", "suicide")
MOVES_VALUE = frozenset((*VALUE_NOTES, *(note.encode().hex() for note in VALUE_NOTES)))
"""Other operations (`delegateResourceOfEnergy`, `freezeFor...`) state an amount that stays put."""
SENDS_TRX, SENDS_ASSET = "TransferContract", "TransferAssetContract"
NEXT_VALUE = 1 << 20
"""More than a transaction's energy buys of logs or internal transactions."""

_parameter = msgspec.json.Decoder(TransferParameter).decode
_owned = msgspec.json.Decoder(OwnerParameter).decode


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes(Mapping[str, Outcome]):
    """How every transaction ended, by id; made when it is asked, which few blocks are."""

    transactions: Sequence[Transaction]
    infos: Sequence[Info]
    failed: frozenset[str]
    _places: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def __getitem__(self, tx_hash: str) -> Outcome:
        if not self._places:
            self._places.update((info.id, place) for place, info in enumerate(self.infos))
        place = self._places[tx_hash]
        payer = _owner(self.transactions[place].raw_data.contract[0])
        return Outcome(tx_hash not in self.failed, self.infos[place].fee, payer=payer)

    def __iter__(self) -> Iterator[str]:
        return (info.id for info in self.infos)

    def __len__(self) -> int:
        return len(self.infos)


def find_transfers(
    transactions: Sequence[Transaction],
    infos: Sequence[Info],
    failed: frozenset[str],
    tokens: Mapping[str, str],
) -> list[Transfer]:
    """Return what the transactions moved: TRX, listed tokens, both inside contracts.

    `infos` are in the order of `transactions`; those whose id is in `failed` moved nothing.
    `tokens` maps every spelling of a listed contract to base58, and a TRC-10 id to itself.
    Raises `Incomplete` for a payment that cannot be read.
    """
    found: list[Transfer] = []
    for transaction, info in zip(transactions, infos, strict=True):
        if failed and info.id in failed:
            continue
        try:
            (contract,) = transaction.raw_data.contract
            if contract.type == SENDS_TRX:
                value = _parameter(contract.parameter).value
                if value.amount > 0:
                    ends = canonical(value.owner_address), canonical(value.to_address)
                    found.append(Transfer(info.id, "native", 0, NATIVE, *ends, value.amount))
            elif contract.type == SENDS_ASSET:
                _add_asset(info.id, contract, tokens, found)
            if info.log:
                _add_logs(info, tokens, found)
            if info.internal_transactions:
                _add_inner(info, tokens, found)
        except (ValueError, msgspec.DecodeError) as unreadable:
            raise Incomplete(f"{info.id}: {unreadable}") from unreadable
    return found


@dataclass(frozen=True, slots=True)
class Strays:
    """Called, yields well-formed transfers of TRC-20 contracts and TRC-10 ids not listed.

    The fields are those of `find_transfers`. Two are equal where they would yield the same. A
    TRC-10 amount inside a contract call counts after the logs.
    """

    transactions: Sequence[Transaction]
    infos: Sequence[Info]
    failed: frozenset[str]
    tokens: Mapping[str, str]

    def __call__(self) -> Iterator[Transfer]:
        """Decode now; most blocks are never asked. What cannot be read is no transfer."""
        for transaction, info in zip(self.transactions, self.infos, strict=True):
            if info.id not in self.failed:
                with suppress(ValueError):
                    yield from self._logged(info)
                with suppress(ValueError):
                    yield from self._assets(transaction, info)

    def _logged(self, info: Info) -> list[Transfer]:
        found: list[Transfer] = []
        for ordinal, log in enumerate(info.log):
            if log.address not in self.tokens and log.topics[:1] == (TRANSFER_TOPIC,):
                _add_logged(info.id, ordinal, canonical(log.address), log, found)
        return found

    def _assets(self, transaction: Transaction, info: Info) -> Iterator[Transfer]:
        contract = transaction.raw_data.contract[0]
        if contract.type == SENDS_ASSET:
            value = _parameter(contract.parameter).value
            asset = _asset_id(value)
            if asset and asset not in self.tokens and value.amount > 0:
                ends = canonical(value.owner_address), canonical(value.to_address)
                yield Transfer(info.id, "token", 0, asset, *ends, value.amount)
        for index, internal in enumerate(info.internal_transactions):
            for ordinal, asset, units in _values(index, internal):
                if asset != NATIVE and asset not in self.tokens:
                    sender, recipient = _ends(internal)
                    place = NEXT_VALUE + ordinal
                    yield Transfer(info.id, "token", place, asset, sender, recipient, units)


def _add_asset(
    tx_hash: str, contract: Contract, tokens: Mapping[str, str], found: list[Transfer]
) -> None:
    value = _parameter(contract.parameter).value
    asset = _asset_id(value)
    if asset in tokens and value.amount > 0:
        ends = canonical(value.owner_address), canonical(value.to_address)
        found.append(Transfer(tx_hash, "token", 0, asset, *ends, value.amount))


def _owner(contract: Contract) -> str:
    """Return who signed; empty where an action of a type that we do not know says it otherwise."""
    try:
        return canonical(_owned(contract.parameter).value.owner_address)
    except (msgspec.DecodeError, ValueError):
        return ""


def _asset_id(value: TransferValue) -> str:
    """Return the numeric id of the TRC-10 asset that moves, empty where it has a mere name."""
    name = value.asset_name
    if len(value.owner_address) != BASE58_LENGTH:
        name = bytes.fromhex(name).decode("latin-1") if is_hex(name) else ""
    return name if name.isascii() and name.isdecimal() else ""


def is_hex(text: str) -> bool:
    """Tell whether a text is nothing but octets in hex."""
    return len(text) % 2 == 0 and not text.strip("0123456789abcdefABCDEF")


def _add_logs(info: Info, tokens: Mapping[str, str], found: list[Transfer]) -> None:
    for ordinal, log in enumerate(info.log):
        token = tokens.get(log.address)
        if token is not None:
            _add_logged(info.id, ordinal, token, log, found)


def _add_logged(
    tx_hash: str, ordinal: int, token: str, log: Log, found: list[Transfer]
) -> None:
    topics = log.topics
    if len(topics) == 3 and topics[0] == TRANSFER_TOPIC and len(log.data) == WORD:
        units = int.from_bytes(unhexlify(log.data))
        sender, recipient = topic_address(topics[1]), topic_address(topics[2])
        if units > 0 and recipient:
            found.append(Transfer(tx_hash, "token", ordinal, token, sender, recipient, units))


@lru_cache(maxsize=CACHED)
def topic_address(topic: str) -> str:
    """Return the address in a topic; empty where the topic holds something else."""
    if len(topic) != WORD or not topic.startswith(ADDRESS_PADDING):
        return ""
    return to_base58(PREFIX + bytes.fromhex(topic[24:]))


def _values(index: int, internal: InternalTransaction) -> Iterator[tuple[int, str, int]]:
    """Yield (ordinal, asset, units) of every asset that an internal transaction moved."""
    if internal.rejected or internal.note not in MOVES_VALUE:
        return
    sums = {NATIVE: 0}
    for value in internal.call_values:
        asset = str(value.token_id) if value.token_id else NATIVE
        if value.token_id and not asset.isdecimal():
            continue
        sums[asset] = sums.get(asset, 0) + value.call_value
    moved = [(asset, units) for asset, units in sums.items() if units > 0]
    for rank, (asset, units) in enumerate(moved):
        yield index + rank * NEXT_VALUE, asset, units


def _add_inner(info: Info, tokens: Mapping[str, str], found: list[Transfer]) -> None:
    for index, internal in enumerate(info.internal_transactions):
        for ordinal, asset, units in _values(index, internal):
            if asset == NATIVE or asset in tokens:
                ends = _ends(internal)
                found.append(Transfer(info.id, "internal", ordinal, asset, *ends, units))


def _ends(internal: InternalTransaction) -> tuple[str, str]:
    return canonical(internal.caller_address), canonical(internal.transfer_to)
