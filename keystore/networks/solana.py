"""Solana: SOL and SPL payments on a durable nonce, and the account that holds the nonce.

The first instruction advances the nonce, and the nonce value stands where a recent blockhash
would: at most one transaction per value can land, however long it takes.
"""

from dataclasses import dataclass
from functools import cache

from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash, ParseHashError
from solders.instruction import AccountMeta, Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.system_program import (
    AdvanceNonceAccountParams,
    CreateAccountWithSeedParams,
    InitializeNonceAccountParams,
    TransferParams,
    advance_nonce_account,
    create_account_with_seed,
    initialize_nonce_account,
    transfer,
)
from solders.token.associated import get_associated_token_address
from solders.transaction import Transaction

from keystore.api import SignNonceSetupRequest
from keystore.intents import OnNonce, SolanaIntent, SolanaSweepIntent
from keystore.networks.ed25519 import signed
from keystore.networks.scheme import Key, SignedBytes, whole, within
from keystore.refusal import Refused

TOKEN_PROGRAMS = (
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
)
"""SPL Token and Token-2022."""
ASSOCIATED_TOKEN_PROGRAM = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
CREATE_IDEMPOTENT = bytes([1])
TRANSFER_CHECKED = bytes([12])
NONCE_ACCOUNT_BYTES = 80
NONCE_LAMPORTS_MAX = 10_000_000
"""Several times the rent-exempt minimum (1 447 680); more would be locked up for nothing."""
LANES = 16
COMPUTE_UNITS_MAX = 1_400_000
"""The runtime's own maximum for one transaction."""
LAMPORTS_PER_SIGNATURE = 5_000
TOKEN_ACCOUNT_LAMPORTS_MAX = 5_000_000
"""Rent of a token account: 2 039 280, more where Token-2022 extensions lengthen it."""
MICRO = 10**6


@dataclass(frozen=True, slots=True)
class SolanaDraft:
    """A legacy message without its signatures."""

    slot: str
    message: Message

    def sign(self, *keys: Key) -> SignedBytes:
        """Sign with the Ed25519 keys of all signers, the fee payer's first."""
        signatures = signed(self.message, keys)
        raw = bytes(Transaction.populate(self.message, signatures))
        return SignedBytes(raw, str(signatures[0]))


def draft(intent: SolanaIntent, sender: str) -> SolanaDraft:
    """Build the payment; refuse what the runtime would refuse or misread."""
    payer = Pubkey.from_string(sender)
    pay = _native(intent, payer) if intent.asset == "native" else _token(intent, payer)
    return on_nonce(intent, payer, pay)


def on_nonce(intent: OnNonce, payer: Pubkey, work: list[Instruction]) -> SolanaDraft:
    """Put AdvanceNonce and the compute budget before the work, on a lane of the payer's."""
    nonce_account = pubkey(intent.nonce_account, "nonce_account")
    if intent.nonce_account not in _lanes(str(payer)):
        raise Refused("bad_field", "nonce_account: not a lane of the hot wallet")
    value = blockhash(intent.nonce_value, "nonce_value")
    instructions = [
        advance_nonce_account(
            AdvanceNonceAccountParams(nonce_pubkey=nonce_account, authorized_pubkey=payer)
        ),
        *_budget(intent),
        *work,
    ]
    return SolanaDraft(
        slot=f"solana:{intent.nonce_account}:{intent.nonce_value}",
        message=Message.new_with_blockhash(instructions, payer, value),
    )


def nonce_setup(request: SignNonceSetupRequest, sender: str) -> SolanaDraft:
    """Build the creation of a lane's nonce account, owned and paid by the hot wallet."""
    lamports = within(request.lamports, "lamports", least=1, most=NONCE_LAMPORTS_MAX)
    payer = Pubkey.from_string(sender)
    account = Pubkey.from_string(lane_account(sender, request.lane))
    create = create_account_with_seed(
        CreateAccountWithSeedParams(
            from_pubkey=payer,
            to_pubkey=account,
            base=payer,
            seed=_lane_seed(request.lane),
            lamports=lamports,
            space=NONCE_ACCOUNT_BYTES,
            owner=SYSTEM_PROGRAM,
        )
    )
    initialize = initialize_nonce_account(
        InitializeNonceAccountParams(nonce_pubkey=account, authority=payer)
    )
    recent = blockhash(request.blockhash, "blockhash")
    return SolanaDraft(
        slot=f"solana:{account}:setup",
        message=Message.new_with_blockhash([create, initialize], payer, recent),
    )


def lane_account(hot: str, lane: int) -> str:
    """Return the address of a nonce lane: derived from the hot wallet, no key of its own."""
    seed = _lane_seed(within(lane, "lane", most=LANES - 1))
    return str(Pubkey.create_with_seed(Pubkey.from_string(hot), seed, SYSTEM_PROGRAM))


@cache
def _lanes(hot: str) -> frozenset[str]:
    """Return the addresses of all lanes of the house's one hot wallet."""
    return frozenset(lane_account(hot, lane) for lane in range(LANES))


def pubkey(text: str, field: str) -> Pubkey:
    """Return 32 bytes from base58; raise `Refused` with the code that fits the field."""
    try:
        return Pubkey.from_string(text)
    except ValueError as fault:
        codes = {"to": "bad_destination", "asset": "bad_asset"}
        code = codes.get(field, "bad_field")
        raise Refused(code, f"{field}: not a Solana address") from fault


def blockhash(text: str, field: str) -> Hash:
    """Return the 32 bytes that stand where a recent blockhash stands."""
    try:
        return Hash.from_string(text)
    except (ValueError, ParseHashError) as fault:
        raise Refused("bad_field", f"{field}: not 32 bytes in base58") from fault


def fee_most(intent: SolanaIntent) -> int:
    """Return signature and priority fee, and the rent of a new token account, in lamports."""
    rent = TOKEN_ACCOUNT_LAMPORTS_MAX if intent.create_ata else 0
    return LAMPORTS_PER_SIGNATURE + priority_fee(intent) + rent


def setup_most(request: SignNonceSetupRequest) -> int:
    """Return what a lane takes from the hot wallet: a signature and the rent, in lamports."""
    return LAMPORTS_PER_SIGNATURE + request.lamports


def priority_fee(intent: OnNonce) -> int:
    """Return what the compute budget may cost, in lamports."""
    price = intent.compute_unit_limit * intent.compute_unit_price_micro_lamports
    return -(-price // MICRO)


def _lane_seed(lane: int) -> str:
    return f"gw-nonce-{lane}"


def _budget(intent: OnNonce) -> list[Instruction]:
    units = within(intent.compute_unit_limit, "compute_unit_limit", most=COMPUTE_UNITS_MAX)
    price = within(
        intent.compute_unit_price_micro_lamports,
        "compute_unit_price_micro_lamports",
        most=2**64 - 1,
    )
    return [set_compute_unit_limit(units), set_compute_unit_price(price)]


def _native(intent: SolanaIntent, payer: Pubkey) -> list[Instruction]:
    if intent.decimals or intent.token_program or intent.create_ata:
        raise Refused(
            "bad_field", "decimals, token_program, create_ata: empty for a native payment"
        )
    units = whole(intent.units, "units", bits=64)
    payee = pubkey(intent.to, "to")
    return [transfer(TransferParams(from_pubkey=payer, to_pubkey=payee, lamports=units))]


def _token(intent: SolanaIntent, payer: Pubkey) -> list[Instruction]:
    token, owner = token_of(intent), pubkey(intent.to, "to")
    units = whole(intent.units, "units", bits=64)
    pay = token.transfer(payer, owner, units)
    if not intent.create_ata:
        return [pay]
    return [token.open_account(payer, owner), pay]


@dataclass(frozen=True, slots=True)
class Token:
    """A mint, its program and its decimals."""

    mint: Pubkey
    program: Pubkey
    decimals: int

    def account(self, owner: Pubkey) -> Pubkey:
        """Return the owner's canonical account of this mint."""
        return get_associated_token_address(owner, self.mint, self.program)

    def open_account(self, payer: Pubkey, owner: Pubkey) -> Instruction:
        """CreateIdempotent of the owner's canonical account: does nothing where it exists."""
        readers = (owner, self.mint, SYSTEM_PROGRAM, self.program)
        return Instruction(
            ASSOCIATED_TOKEN_PROGRAM,
            CREATE_IDEMPOTENT,
            [
                AccountMeta(payer, is_signer=True, is_writable=True),
                AccountMeta(self.account(owner), is_signer=False, is_writable=True),
                *(AccountMeta(each, is_signer=False, is_writable=False) for each in readers),
            ],
        )

    def transfer(
        self, owner: Pubkey, payee: Pubkey, units: int, source: Pubkey | None = None
    ) -> Instruction:
        """TransferChecked between canonical accounts; `source` is another one of the owner's."""
        return Instruction(
            self.program,
            TRANSFER_CHECKED + units.to_bytes(8, "little") + bytes([self.decimals]),
            [
                AccountMeta(source or self.account(owner), is_signer=False, is_writable=True),
                AccountMeta(self.mint, is_signer=False, is_writable=False),
                AccountMeta(self.account(payee), is_signer=False, is_writable=True),
                AccountMeta(owner, is_signer=True, is_writable=False),
            ],
        )


def token_of(intent: SolanaIntent | SolanaSweepIntent) -> Token:
    """Read the token of an intent; refuse another program than the two that are known."""
    if intent.token_program not in TOKEN_PROGRAMS:
        raise Refused("bad_field", "token_program: neither SPL Token nor Token-2022")
    return Token(
        mint=pubkey(intent.asset, "asset"),
        program=Pubkey.from_string(intent.token_program),
        decimals=within(intent.decimals, "decimals", most=255),
    )
