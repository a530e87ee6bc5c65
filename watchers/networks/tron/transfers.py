"""What a successful transaction moved, each kind with the ordinal that names it for good.

`native` is 0; `token` is the log's place in the list, or 0 for a TRC-10 transfer, which has no
logs; `internal` is what `inner_values` counts. Inside a contract only TRX is a payment: a TRC-10
amount is a stray there, its id listed or not.
"""

from binascii import unhexlify
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from watchers.network import NATIVE, Incomplete, Transfer
from watchers.networks.tron.address import (
    BASE58,
    BASE58_LENGTH,
    PREFIX,
    Remembered,
    canonical,
    to_base58,
)
from watchers.networks.tron.inner import NEXT_VALUE, ends, inner_values
from watchers.networks.tron.outcomes import SUCCESS, succeeded
from watchers.networks.tron.wire import (
    SENDS_ASSET,
    SENDS_TRX,
    SUCCEEDED,
    Contract,
    ContractValue,
    Info,
    Log,
    Parameter,
    Sent,
)

TRANSFER_TOPIC = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
TRANSFER_TOPICS = (TRANSFER_TOPIC, TRANSFER_TOPIC.upper())
WORD = 64  # hex digits of 32 bytes
ADDRESS_PADDING = ("0" * 24, "0" * 22 + "41")  # some compilers keep the 41 of an address


@dataclass(slots=True)
class Found:
    """What the transactions of a block did.

    `failed` are the ids of those that did nothing; `internal` tells whether the node keeps what
    contracts do inside.
    """

    transfers: list[Transfer] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    internal: bool = False


def find_transfers(
    transactions: Sequence[Sent],
    infos: Sequence[Info],
    tokens: Mapping[str, str],
    *,
    doubtful_fails: bool = False,
) -> Found:
    """Return what the transactions moved: TRX, listed tokens, TRX inside contracts.

    `infos` are in the order of `transactions`. `tokens` maps every spelling of a listed contract
    to base58, and a TRC-10 id to itself. Raises `Incomplete` for a payment that cannot be read,
    and where it is in doubt whether a transaction took effect, unless `doubtful_fails`.
    """
    found = Found()
    moved = found.transfers
    for transaction, info in zip(transactions, infos, strict=True):
        said, logs, inner = info.receipt.result, info.log, info.internal_transactions
        if inner:
            found.internal = True
        if (
            transaction.ret != SUCCEEDED
            or info.result
            or (said != SUCCESS and (said or logs or inner))
        ) and not succeeded(transaction, info, doubtful_fails=doubtful_fails):
            found.failed.append(info.id)
            continue
        try:
            contract = transaction.raw_data.contract[0]
            if contract.type == SENDS_TRX:
                _add_native(info.id, contract, moved)
            elif contract.type == SENDS_ASSET:
                _add_asset(info.id, contract, tokens, moved)
            if logs:
                _add_logs(info, tokens, moved)
            if inner:
                _add_inner(info, moved)
        except ValueError as unreadable:
            raise Incomplete(f"{info.id}: {unreadable}") from unreadable
    return found


@dataclass(frozen=True, slots=True)
class Strays:
    """Called, yields well-formed transfers that are no payment.

    They are of TRC-20 contracts and TRC-10 ids not listed, and of every TRC-10 id inside a contract
    call, whose place is after the logs. The fields are those of `find_transfers`. Two are equal
    where they would yield the same.
    """

    transactions: Sequence[Sent]
    infos: Sequence[Info]
    failed: frozenset[str]
    tokens: Mapping[str, str]

    def __call__(self) -> Iterator[Transfer]:
        """Decode now; most blocks are never asked. What cannot be read is no transfer."""
        for transaction, info in zip(self.transactions, self.infos, strict=True):
            contract = transaction.raw_data.contract[0]
            assets = contract.type == SENDS_ASSET or info.internal_transactions
            if not (info.log or assets) or info.id in self.failed:
                continue
            with suppress(ValueError):
                yield from self._logged(info)
            if assets:
                with suppress(ValueError):
                    yield from self._assets(contract, info)

    def _logged(self, info: Info) -> list[Transfer]:
        found: list[Transfer] = []
        for ordinal, log in enumerate(info.log):
            topic = log.topics[0] if log.topics else ""
            if log.address not in self.tokens and topic in TRANSFER_TOPICS:
                _add_logged(info.id, ordinal, canonical(log.address), log, found)
        return found

    def _assets(self, contract: Contract[Parameter], info: Info) -> Iterator[Transfer]:
        if contract.type == SENDS_ASSET:
            sent = _sent(info.id, contract)
            if sent is not None and sent.asset not in self.tokens:
                yield sent
        for ordinal, internal, asset, units in inner_values(info):
            if asset != NATIVE:
                place = NEXT_VALUE + ordinal
                yield Transfer(info.id, "token", place, asset, *ends(internal), units)


def _add_native(tx_hash: str, contract: Contract[Parameter], found: list[Transfer]) -> None:
    value = _value(contract)
    units = value.amount
    if units > 0:
        sender, recipient = BASE58[value.owner_address], BASE58[value.to_address]
        found.append(Transfer(tx_hash, "native", 0, NATIVE, sender, recipient, units))


def _add_asset(
    tx_hash: str,
    contract: Contract[Parameter],
    tokens: Mapping[str, str],
    found: list[Transfer],
) -> None:
    sent = _sent(tx_hash, contract)
    if sent is not None and sent.asset in tokens:
        found.append(sent)


def _sent(tx_hash: str, contract: Contract[Parameter]) -> Transfer | None:
    """Return what a TRC-10 transfer moved; None where its asset has a mere name."""
    value = _value(contract)
    asset = _asset_id(value)
    if not asset or value.amount <= 0:
        return None
    ends = canonical(value.owner_address), canonical(value.to_address)
    return Transfer(tx_hash, "token", 0, asset, *ends, value.amount)


def _value(contract: Contract[Parameter]) -> ContractValue:
    if contract.parameter is None:
        raise ValueError(f"a {contract.type} without its parameter")
    return contract.parameter.value


def _asset_id(value: ContractValue) -> str:
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
    if len(topics) == 3 and topics[0] in TRANSFER_TOPICS and len(log.data) == WORD:
        units = int.from_bytes(unhexlify(log.data))
        sender, recipient = TOPICS[topics[1]], TOPICS[topics[2]]
        if units > 0 and recipient:
            found.append(Transfer(tx_hash, "token", ordinal, token, sender, recipient, units))


def _in_topic(topic: str) -> str:
    """Return the address in a topic; empty where the topic holds something else."""
    if len(topic) != WORD or not topic.startswith(ADDRESS_PADDING):
        return ""
    return to_base58(PREFIX + bytes.fromhex(topic[24:]))


TOPICS = Remembered(_in_topic)


def _add_inner(info: Info, found: list[Transfer]) -> None:
    for ordinal, internal, asset, units in inner_values(info):
        if asset == NATIVE:
            found.append(Transfer(info.id, "internal", ordinal, asset, *ends(internal), units))
