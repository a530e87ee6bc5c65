"""What a Solana node may say instead of the truth before a payout is signed, and of its sending."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

from solders.pubkey import Pubkey

from tests.hostile.liar import Twist
from tests.hostile.lies import Lie, Tell, always, answering, together
from tests.hostile.machine import Machine
from tests.watchers.sweep_world import TOKEN_PROGRAM
from watchers.networks.solana.accounts import (
    NONCE_ACCOUNT_BYTES,
    SYSTEM_PROGRAM,
    associated_token_account,
)

Account = dict[str, Any]
Change = Callable[[Account, bytearray], Account | None]
"""Gets an account and its data; what it returns is told, with the data as it then is."""
Where = Callable[[Machine, str], str]
CUSTOM = {"InstructionError": [3, {"Custom": 1}]}
RENT, PRICES = "getMinimumBalanceForRentExemption", "getRecentPrioritizationFees"


def _told(account: Account | None, change: Change) -> Account | None:
    if account is None:
        return None
    data = bytearray(b64decode(account["data"][0]))
    told = change(account, data)
    return None if told is None else {**told, "data": [b64encode(data).decode(), "base64"]}


def account(where: Where, change: Change) -> Tell:
    """Change what is told of one account."""

    def tell(machine: Machine, destination: str) -> Twist:
        address = where(machine, destination)

        def twist(method: str, params: Any, result: Any) -> Any:
            if method == "getMultipleAccounts":
                for place, each in enumerate(params[0]):
                    if each == address:
                        result["value"][place] = _told(result["value"][place], change)
            return result

        return twist

    return tell


def lanes(change: Change) -> Tell:
    """Change what is told of every nonce account."""

    def of_lane(account: Account, data: bytearray) -> Account | None:
        return change(account, data) if len(data) == NONCE_ACCOUNT_BYTES else account

    def every(params: Any, result: Any) -> Any:
        del params
        return {**result, "value": [_told(each, of_lane) for each in result["value"]]}

    return answering(every, "getMultipleAccounts")


def hot(machine: Machine, _destination: str) -> str:
    """Return the hot wallet."""
    return machine.hot


def hot_tokens(machine: Machine, _destination: str) -> str:
    """Return its token account."""
    return associated_token_account(machine.hot, machine.w.chain.token, TOKEN_PROGRAM)


def mint(machine: Machine, _destination: str) -> str:
    """Return the token."""
    return machine.w.chain.token


def field(start: int, octets: bytes | Where | None = None) -> Change:
    """Write into the data."""

    def change(account: Account, data: bytearray) -> Account:
        new = octets if isinstance(octets, bytes) else b""
        data[start : start + len(new)] = new
        return account

    return change


def gone(_account: Account, _data: bytearray) -> None:
    """Say that there is no such account."""


def member(**changes: Any) -> Change:
    """Change members of the account beside its data."""
    return lambda account, _data: {**account, **changes}


def _theirs(owner: str) -> Tell:
    """Say that the destination has a token account already; it is `owner`'s, "" for its own."""

    def tell(machine: Machine, destination: str) -> Twist:
        token = machine.w.chain.token
        source = associated_token_account(machine.hot, token, TOKEN_PROGRAM)
        theirs = associated_token_account(destination, token, TOKEN_PROGRAM)

        def twist(method: str, params: Any, result: Any) -> Any:
            if method != "getMultipleAccounts" or theirs not in params[0]:
                return result
            like = result["value"][params[0].index(source)]
            named = bytes(Pubkey.from_string(owner or destination))
            made = _told(dict(like), field(32, named))
            result["value"][params[0].index(theirs)] = made
            return result

        return twist

    return tell


def _simulated(err: Any) -> Tell:
    def change(_params: Any, result: Any) -> Any:
        return {**result, "value": {**result["value"], "err": err, "logs": []}}

    return answering(change, "simulateTransaction")


STRANGER = "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk"
STRANGERS = bytes(Pubkey.from_string(STRANGER))
NOTHING = bytes(8)
LIES = (
    Lie("hot wallet is empty", "native", account(hot, member(lamports=0)), "holds 0 lamports"),
    Lie("hot wallet is gone", "native", account(hot, gone), "holds 0 lamports"),
    Lie("no tokens", "token", account(hot_tokens, field(64, NOTHING)), "holds 0 of"),
    Lie(
        "token account is a stranger's",
        "token",
        account(hot_tokens, field(32, STRANGERS)),
        "has no token account",
    ),
    Lie(
        "token account of another program",
        "token",
        account(hot_tokens, member(owner=SYSTEM_PROGRAM)),
        "has no token account",
    ),
    Lie("mint of another program", "token", account(mint, member(owner=STRANGER)), "pinned is"),
    Lie(
        "mint has other decimals", "token", account(mint, field(44, b"\x09")), "has decimals 9"
    ),
    Lie("destination's account is a stranger's", "token", _theirs(STRANGER), "made over"),
    Lie("destination's account is made", "token", _theirs(""), "simulation:"),
    Lie(
        "destination's account is made, and the simulation well",
        "token",
        together(_theirs(""), _simulated(None)),
        "failed on chain",
        "failed",
    ),
    Lie("simulation fails", "native", _simulated(CUSTOM), "simulation:"),
    Lie("blockhash not found", "native", _simulated("BlockhashNotFound"), "does not advance"),
    Lie("lanes obey a stranger", "native", lanes(field(8, STRANGERS)), "obeys"),
    Lie("lanes are gone", "native", lanes(gone), "waiting for the transaction before it"),
    Lie("rent is absurd", "native", always(10**15, RENT), "needs"),
    Lie("rent is nothing", "native", always(0, RENT), "", "paid"),
    Lie(
        "priority fees are absurd",
        "native",
        always([{"slot": 1, "prioritizationFee": 2**60}], PRICES),
        "",
        "paid",
    ),
    Lie(
        "broadcast has another signature",
        "native",
        always("5" * 88, "sendTransaction"),
        "",
        "paid",
    ),
)
