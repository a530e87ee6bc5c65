"""Whether bytes are what this keystore signs for an intent: it makes them again, and compares.

Signatures are deterministic (RFC 6979, RFC 8032), so one intent and one key have one spelling.
Nothing is decoded, and nothing that is said beside the bytes is believed: chain id, asset,
destination, amount, fees, nonce, sender and signature hold, or the bytes come out otherwise. What is
made here never leaves: it is the same as what came, or it is dropped.

What the bytes do not hold is taken on the word of who brings them: the withdrawal's id; which network
of ours it was, where two are Tron's or Solana's or share a chain id; of Tron's `ref_block_id` all but
the bytes 6 to 16; and of an advance on a `present_value` the `nonce_value` that its order was signed
on.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from keystore import api, movement, networks, policy
from keystore.entries import Answer
from keystore.facts import (
    ORDER_ID,
    WITHDRAWAL,
    Facts,
    known,
    require_payee,
    require_right_chain,
)
from keystore.keyring import Keyring
from keystore.movement import House, Kind, Movement
from keystore.refusal import Refused
from keystore.rules import Policy
from keystore.spending import INTENT_MARK

NUMBER_MAX = 2**53


@dataclass(frozen=True, slots=True)
class Proved:
    """A transaction that this keystore signed, in the journal's spelling.

    `units` leave their source; the answer's `number` is the bringer's word, 0 for none.
    """

    intent: api.Intent
    canonical: bytes
    slot: str
    kind: Kind
    units: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class Prover:
    """Makes signed bytes again. `rulebook` says which addresses are cold ones."""

    keyring: Keyring
    facts: Mapping[str, Facts]
    rulebook: Policy | None

    def proved(self, told: api.Remembered) -> Proved:
        """Return what was signed.

        Raises `Refused`: `not_signed_here` where the bytes come out otherwise, and whatever else
        keeps this intent from ever having been signed.
        """
        intent, said = networks.normal(told.intent), told.signed
        if ORDER_ID.fullmatch(intent.withdrawal_id) is None:
            raise Refused("bad_field", "withdrawal_id: up to 64 of A-Z, a-z, 0-9, - and _")
        if not 0 <= said.number <= NUMBER_MAX:
            raise Refused("bad_field", f"number: must lie between 0 and {NUMBER_MAX}")
        facts = known(self.facts.get(intent.network))
        if networks.family_of(intent) != facts.family:
            raise Refused("wrong_family", f"family: {intent.network} is {facts.family}")
        require_right_chain(intent, facts)
        moved = self._understood(intent, facts)
        require_payee(moved, intent.withdrawal_id)
        draft = networks.draft(intent, moved.sender)
        signed = draft.sign(
            *(
                self.keyring.key(each.purpose, facts.family, each.index)
                for each in moved.signers
            )
        )
        same = hmac.compare_digest(signed.raw.hex().encode(), said.raw.encode())
        if not same or (signed.tx_hash, moved.sender) != (said.tx_hash, said.sender):
            raise Refused(
                "not_signed_here", "raw: not what this keystore signs for this intent"
            )
        return Proved(
            intent=intent,
            canonical=INTENT_MARK + msgspec.json.encode(intent, order="sorted"),
            slot=draft.slot,
            kind=moved.kind,
            units=moved.units,
            answer=Answer(signed.raw, signed.tx_hash, moved.sender, said.number),
        )

    def proved_row(self, row: api.PoolRow) -> api.PoolRow:
        """Return a pool row of this keystore's own; raise `Refused` where it is none."""
        facts = known(self.facts.get(row.network))
        if not 0 <= row.index < api.POOL_INDEX_END:
            raise Refused("bad_range", "index: outside the pool")
        (again,) = self.keyring.pool_rows(row.network, facts.family, row.index, 1)
        if again != row:
            raise Refused("not_signed_here", "rows: not a pool row of this keystore")
        return row

    def _understood(self, intent: api.Intent, facts: Facts) -> Movement:
        def pool(index: int) -> str:
            return self.keyring.pool_address(facts.family, index)

        def cold(asset: str, to: str) -> bool:
            # What a withdrawal paid before the policy listed its address was a payout.
            house = not intent.withdrawal_id.startswith(WITHDRAWAL)
            return house and policy.lists_cold(self.rulebook, intent.network, asset, to)

        return movement.understood(intent, House(facts.hot, facts.gas, facts.own, pool), cold)
