"""How the transactions of a block ended: what block and info say of each, taken together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from watchers.network import Incomplete, Outcome
from watchers.networks.tron.address import canonical
from watchers.networks.tron.wire import Info, Ret, Sent

SUCCESS = "SUCCESS"

_RET = msgspec.json.Decoder(tuple[Ret, ...])


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes(Mapping[str, Outcome]):
    """How every transaction ended, by id; made when it is asked, which few blocks are.

    Raises `Incomplete` for one that the block alone calls failed. It pays nobody; but taken for
    failed it would be paid again, were it a payout.
    """

    transactions: Sequence[Sent]
    infos: Sequence[Info]
    failed: frozenset[str]
    _places: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    def __getitem__(self, tx_hash: str) -> Outcome:
        if not self._places:
            self._places.update((info.id, place) for place, info in enumerate(self.infos))
        place = self._places[tx_hash]
        info, payer = self.infos[place], _payer(self.transactions[place])
        failed = tx_hash in self.failed
        if failed and not (info.result or info.receipt.result):
            raise Incomplete(f"{tx_hash}: block says that it failed, info does not")
        return Outcome(not failed, info.fee, payer=payer)

    def __iter__(self) -> Iterator[str]:
        return (info.id for info in self.infos)

    def __len__(self) -> int:
        return len(self.infos)


def _payer(transaction: Sent) -> str:
    """Return who signed; empty where an action of a type that we do not know says it otherwise."""
    parameter = transaction.raw_data.contract[0].parameter
    try:
        return canonical(parameter.value.owner_address) if parameter is not None else ""
    except ValueError:
        return ""


def succeeded(transaction: Sent, info: Info, *, doubtful_fails: bool) -> bool:
    """Tell whether it took effect; block and info must not contradict each other.

    Consensus makes both equal wherever the virtual machine ran. A node that shows only one of
    them as failed is not believed either way: a payout taken for failed would be paid again.
    """
    try:
        results = _RET.decode(transaction.ret)
    except msgspec.DecodeError as unreadable:
        raise Incomplete(f"{info.id}: ret: {unreadable}") from unreadable
    in_block = results[0].contract_ret if results else ""
    in_info = info.receipt.result
    ran = in_info or info.log or info.internal_transactions
    if (ran and in_info != in_block) or (info.result and in_block == SUCCESS):
        if doubtful_fails:
            return False
        raise Incomplete(
            f"{info.id}: block says {in_block or 'nothing'}, info says "
            f"{in_info or info.result or 'nothing'}"
        )
    return in_block == SUCCESS
