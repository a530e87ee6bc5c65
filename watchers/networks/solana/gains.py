"""Pure: what each owner gained of each mint in one transaction, over all of his token accounts.

Differences of balances cover every way tokens move (inner instructions, transfer fees, accounts
created, closed or made over), so no instruction is ever parsed. `uiAmount` is a float that some
mints scale at will; it is not read.
"""

from collections.abc import Collection, Iterator, Sequence

import msgspec

from watchers.network import Incomplete, Transfer
from watchers.networks.solana.accounts import associated_token_account
from watchers.networks.solana.document import TOKEN_BALANCES, TokenBalance
from watchers.networks.solana.landed import Landed

Pair = tuple[str, str]
"""Owner and mint."""


class Gain(msgspec.Struct, frozen=True, gc=False):
    """One (owner, mint) pair that gained `units` in total.

    `ordinal` is its rank among all pairs that gained in the transaction, listed or not, so that
    listing a token later renames nothing. Behind those stand all that did not gain: where an owner
    moved tokens between accounts of his, `units` are 0. `before` and `after` are every token
    balance of the transaction.
    """

    transaction: Landed
    ordinal: int
    owner: str
    mint: str
    units: int
    before: Sequence[TokenBalance]
    after: Sequence[TokenBalance]

    def transfer(self, kind: str, units: int) -> Transfer:
        """Return `units` of this gain as a transfer of one kind.

        Who sent them is not on record, but that some of more than he gained were the owner's own.
        """
        sender = self.owner if units > self.units else ""
        return Transfer(
            self.transaction.tx_hash, kind, self.ordinal, self.mint, sender, self.owner, units
        )

    def within_reach(self, program: str) -> int:
        """Return how much arrived where a sweep looks: in the owner's canonical account.

        That is what custody counts, so it may be more than the owner gained: what he had in
        another account was in no book, and is once it is here. The account's address commits to owner, mint and the `program` pinned for the mint, so an
        account made over by SetAuthority or one of another program is never it. 0 where any
        account names another program (blocks from before 2022 name none): the mint is then not
        the one that was listed.
        """
        account = associated_token_account(self.owner, self.mint, program)
        arrived = 0
        for sign, listed in ((-1, self.before), (1, self.after)):
            for held in listed:
                if held.owner != self.owner or held.mint != self.mint:
                    continue
                if held.programId not in {program, None, ""}:
                    return 0
                if self.transaction.key(held.accountIndex) == account:
                    arrived += sign * int(held.uiTokenAmount.amount)
        return max(0, arrived)


def gains(
    transaction: Landed,
    *,
    ownerless: Collection[str] | None = None,
    moved: Collection[str] = (),
) -> Iterator[Gain]:
    """Yield every pair that gained, in the order of their ordinals.

    Of the mints in `moved` also those pairs that did not, and of which an account has more.

    Raises `Incomplete` where a balance belongs to no account of the transaction or is no number,
    or has no owner. With `ownerless` a transaction may name no owner at all, as those in blocks
    from before 2022: its token accounts are nobody's, so none may have gained one of these mints.
    """
    before = TOKEN_BALANCES.decode(transaction.meta.preTokenBalances) or []
    after = TOKEN_BALANCES.decode(transaction.meta.postTokenBalances) or []
    totals: dict[Pair, int] = {}
    if ownerless is not None and not any(held.owner for held in (*before, *after)):
        _refuse_gained(before, after, ownerless)
        return
    _add(totals, -1, before, len(transaction.keys))
    _add(totals, 1, after, len(transaction.keys))
    risen = sorted([pair for pair, units in totals.items() if units > 0])
    for ordinal, pair in enumerate(risen):
        yield Gain(transaction, ordinal, *pair, totals[pair], before, after)
    if not moved:
        return
    had = {held.accountIndex: int(held.uiTokenAmount.amount) for held in before}
    within = {
        (held.owner, held.mint)
        for held in after
        if held.mint in moved
        and int(held.uiTokenAmount.amount) > had.get(held.accountIndex, 0)
        and totals[held.owner, held.mint] <= 0
    }
    if within:
        others = sorted([pair for pair, units in totals.items() if units <= 0])
        for ordinal, pair in enumerate(others, len(risen)):
            if pair in within:
                yield Gain(transaction, ordinal, *pair, 0, before, after)


def _refuse_gained(
    before: Sequence[TokenBalance], after: Sequence[TokenBalance], mints: Collection[str]
) -> None:
    had = {held.accountIndex: int(held.uiTokenAmount.amount) for held in before}
    for held in after:
        gained = int(held.uiTokenAmount.amount) > had.get(held.accountIndex, 0)
        if gained and held.mint in mints:
            raise Incomplete(
                f"token account {held.accountIndex} gained {held.mint}, and it has no owner"
            )


def _add(
    totals: dict[Pair, int], sign: int, listed: Sequence[TokenBalance], count: int
) -> None:
    for held in listed:
        amount, owner = held.uiTokenAmount.amount, held.owner
        if not (amount.isascii() and amount.isdigit()):
            raise Incomplete(f"token amount {amount!r} is not a number")
        if not 0 <= held.accountIndex < count:
            raise Incomplete(f"token balance of unknown account {held.accountIndex}")
        if not owner:
            raise Incomplete(f"token account {held.accountIndex} has no owner")
        pair = owner, held.mint
        totals[pair] = totals.get(pair, 0) + sign * int(amount)
