"""Keys and words from elsewhere: what is read, what is refused, and how an imported key lives on."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any, Literal

import pytest
from bip_utils import Bip39Languages, Bip39MnemonicDecoder
from eth_account import Account
from eth_keyfile.keyfile import create_keyfile_json
from tronpy.keys import PrivateKey as TronKey

from keystore import api, vault
from keystore.client import KeystoreClient
from keystore.imported import key_of
from keystore.refusal import Unfit
from keystore.words import entropy_of, words_of
from tests.keystore.house import (
    PASSPHRASE,
    ROOT,
    House,
    build,
    ethereum_intent,
    run,
    serving,
    set_passphrase,
    tron_intent,
)
from tests.keystore.terminal import at_a_terminal, read_until

PUBLISHED = json.loads((ROOT / "tests" / "vectors" / "web3_secret_storage.json").read_text())
KEY = bytes.fromhex("4b" * 32)
ADDRESS = Account.from_key(KEY).address
PASSWORD = "another password"
Kdf = Literal["pbkdf2", "scrypt"]
CHEAP = ("--kdf-memory-mib", "64")


def v3_file(kdf: Kdf = "pbkdf2", **changes: Any) -> dict[str, Any]:
    """Return a file that another library wrote, at a low cost, with `changes` of its top level."""
    cost = {"pbkdf2": 2, "scrypt": 4_096}[kdf]
    made = create_keyfile_json(KEY, PASSWORD.encode(), kdf=kdf, iterations=cost)
    return {**made, **changes}


def read(document: Any, password: str = PASSWORD) -> bytes:
    """Read a document as the importer does."""
    return bytes(key_of(json.dumps(document).encode(), password.encode(), "--v3 hot"))


@pytest.mark.parametrize("kdf", ["pbkdf2", "scrypt"])
def test_the_published_files_open(kdf: str) -> None:
    """Key and address of the definition's own test vectors."""
    found = read(PUBLISHED["files"][kdf], PUBLISHED["password"])

    assert found.hex() == PUBLISHED["secret"]
    assert Account.from_key(found).address.lower() == "0x" + PUBLISHED["address"]


@pytest.mark.parametrize("kdf", ["pbkdf2", "scrypt"])
def test_files_of_another_library_open(kdf: Kdf) -> None:
    """With and without the address, and with what wallets add of their own."""
    document = v3_file(kdf)

    assert read(document) == KEY
    assert read({**document, "address": ADDRESS, "x-wallet": {"name": "hot"}}) == KEY
    document.pop("address")
    assert read(document) == KEY


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"version": 2}, "version 3"),
        ({"version": "3"}, "version 3"),
        ({"crypto": None}, "version 3"),
        ({"address": "00" * 20}, "address: its key is that of 0x"),
        ({"cipher": "aes-128-cbc"}, "version 3"),
        ({"kdf": "argon2"}, "version 3"),
        ({"mac": "00" * 32}, "wrong password, or the file was altered"),
        ({"mac": "00"}, "mac: must have 32 bytes"),
        ({"ciphertext": "00" * 31}, "ciphertext: must have 32 bytes"),
        ({"ciphertext": "zz" * 32}, "ciphertext: not hexadecimal"),
        ({"cipherparams": {"iv": "00"}}, "iv: must have 16 bytes"),
        ({"c": 0}, "kdfparams: hmac-sha256 and c from 1"),
        ({"c": 10_000_001}, "kdfparams: hmac-sha256 and c from 1"),
        ({"prf": "hmac-sha512"}, "kdfparams: hmac-sha256"),
        ({"dklen": 31}, "kdfparams: dklen must be 32"),
        ({"salt": "x"}, "salt: not hexadecimal"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes: dict[str, Any], sentence: str) -> None:
    """Each with one sentence, and no derivation outside the bounds."""
    document = v3_file()
    for name, value in changes.items():
        crypto = document["crypto"]
        homes = (crypto["kdfparams"], crypto, document)
        next(home for home in homes if name in home)[name] = value

    with pytest.raises(Unfit, match="--v3 hot: ") as refused:
        read(document)

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    "cost",
    [
        {"n": 2**21, "r": 8, "p": 1},
        {"n": 2**18, "r": 8, "p": 16},
        {"n": 2**30, "r": 1, "p": 1},
        {"n": 3, "r": 8, "p": 1},
        {"n": 1, "r": 8, "p": 1},
        {"n": 4_096, "r": 0, "p": 1},
        {"n": 4_096, "r": 8, "p": -1},
    ],
)
def test_scrypt_costs_are_bounded(cost: dict[str, int]) -> None:
    """Neither all memory nor an hour, and no number that means nothing."""
    document = v3_file("scrypt")
    document["crypto"]["kdfparams"].update(cost)

    with pytest.raises(Unfit, match="n, r, p are outside"):
        read(document)


def test_every_bit_of_ciphertext_iv_and_mac_counts() -> None:
    """The MAC covers the ciphertext; a changed IV gives another key, which is not the address's."""
    document = {**v3_file(), "address": ADDRESS}
    crypto = document["crypto"]
    places = ((crypto, "ciphertext"), (crypto, "mac"), (crypto["cipherparams"], "iv"))
    for home, name in places:
        right = home[name]
        for bit in range(len(right) * 4):
            home[name] = f"{int(right, 16) ^ (1 << bit):0{len(right)}x}"
            with pytest.raises(Unfit):
                read(document)
        home[name] = right
    assert read(document) == KEY


def made(folder: Path, *more: str, v3: str = "hot") -> House:
    """Make a keystore that pays with the imported key."""
    house = build(folder / "k")
    file, password = folder / "v3.json", folder / "password"
    file.write_text(json.dumps(v3_file()))
    password.write_text(PASSWORD)
    password.chmod(0o600)
    done = run(
        house, "init", "--json", "--v3", f"{v3}={file}", "--v3-password-file", str(password),
        *CHEAP, *more,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["imported"] == {v3: ADDRESS.lower()}
    return house


async def wallets_and_payments(house: House) -> tuple[dict[str, str], list[api.Signed]]:
    """Return addresses by family and purpose, and one signed payment of two families."""
    async with KeystoreClient(house.socket) as client:
        found = {
            f"{network}/{wallet.purpose}": wallet.address
            for network in ("ethereum", "tron", "solana")
            for wallet in await client.wallets(network)
        }
        paid = [
            await client.sign(ethereum_intent()),
            await client.sign(tron_intent(withdrawal_id="wdr_2")),
        ]
    return found, paid


def test_an_imported_key_pays_on_ethereum_and_tron_and_survives_every_rewrite(
    tmp_path: Path,
) -> None:
    """New passphrase, new file key, backup and restore: the same wallets, Solana's from the seed."""
    house = made(tmp_path)
    with serving(house):
        before, (ether, tron) = asyncio.run(wallets_and_payments(house))
    tron_address = TronKey(KEY).public_key.to_base58check_address()
    assert (before["ethereum/hot"], before["tron/hot"]) == (ADDRESS.lower(), tron_address)
    assert Account.recover_transaction(ether.raw) == ADDRESS
    assert tron.sender == tron_address
    assert len(set(before.values())) == len(before)

    changed = house.home / "new"
    changed.write_text("a new passphrase of some length")
    changed.chmod(0o600)
    assert (
        run(house, "passphrase", "--new-passphrase-file", str(changed), *CHEAP).returncode == 0
    )
    set_passphrase(house, changed.read_text())
    assert run(house, "rekey", *CHEAP).returncode == 0
    assert run(house, "backup", str(tmp_path / "kept")).returncode == 0
    elsewhere = build(tmp_path / "elsewhere")
    set_passphrase(elsewhere, changed.read_text())
    assert run(elsewhere, "restore", str(tmp_path / "kept")).returncode == 0
    with serving(elsewhere):
        assert asyncio.run(wallets_and_payments(elsewhere)) == (before, [ether, tron])


def test_a_gas_key_leaves_the_hot_wallet_to_its_words(tmp_path: Path) -> None:
    """Each purpose has a key of its own or a seed; both may come from elsewhere at once."""
    paper = tmp_path / "paper"
    paper.write_text("abandon " * 11 + "about")

    house = made(tmp_path, "--words", f"hot={paper}", v3="gas")

    _, secrets = vault.decode(house.file.read_bytes(), PASSPHRASE.encode())
    assert (bytes(secrets.gas_key), bytes(secrets.hot_key)) == (KEY, b"")
    assert bytes(secrets.hot) == bytes(16)
    assert KEY.hex() not in house.file.read_text()
    secrets.wipe()
    assert not any(secrets.gas_key)


def test_a_pool_is_never_one_key(tmp_path: Path) -> None:
    """A wrong command line, not a keystore with one deposit address."""
    done = run(build(tmp_path / "k"), "init", "--v3", "pool=x.json")

    assert done.returncode == 2
    assert "must be hot=FILE or gas=FILE" in done.stderr


@pytest.mark.parametrize(
    ("file", "password", "sentence"),
    [
        ("{}", PASSWORD, "--v3 hot: not an Ethereum keystore of version 3"),
        (None, PASSWORD, "--v3 hot: {file} cannot be read"),
        ("", "not the password", "--v3 hot: wrong password"),
        ("", None, "--v3-password-file: is not given"),
    ],
)
def test_a_file_that_does_not_open_makes_nothing(
    file: str | None, password: str | None, sentence: str, tmp_path: Path
) -> None:
    """One line, no keystore, and neither key nor password in the line."""
    house, place = build(tmp_path / "k"), tmp_path / "v3.json"
    if file is not None:
        place.write_text(file or json.dumps(v3_file()))
    more: list[str] = []
    if password is not None:
        secret = tmp_path / "password"
        secret.write_text(password)
        secret.chmod(0o600)
        more = ["--v3-password-file", str(secret)]

    done = run(house, "init", "--v3", f"hot={place}", *more, *CHEAP)

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert sentence.format(file=place) in done.stderr
    assert not house.file.exists()
    assert PASSWORD not in done.stderr


@pytest.mark.parametrize("size", [16, 20, 24, 28, 32])
def test_words_of_every_length_come_back(size: int) -> None:
    """12, 15, 18, 21 and 24 words, on one line or one a line, as another library reads them."""
    entropy = bytes(range(size))
    words = words_of(entropy)

    assert len(words) == size * 3 // 4
    assert entropy_of("\n".join(words), "x") == entropy_of("  ".join(words).upper(), "x")
    other = Bip39MnemonicDecoder(Bip39Languages.ENGLISH).Decode(" ".join(words))
    assert bytes(other) == bytes(entropy_of(" ".join(words), "x")) == entropy


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("legal winner\nthank yeer wave", "word 4 (line 2) is not of the BIP-39 English list"),
        ("zoo " * 13, "13 words; there must be 12, 15, 18, 21 or 24"),
        ("", "0 words; there must be"),
        ("zoo " * 12, "checksum is wrong: each of the 12 is on the list"),
        ("zoo " * 11 + "wr\u00f6ng", "word 12 (line 1) is not of the"),
    ],
)
def test_wrong_words_are_named_by_their_place(text: str, sentence: str) -> None:
    """The place where one can be known; never a word, which is half of a secret."""
    with pytest.raises(Unfit, match="paper: ") as refused:
        entropy_of(text, "paper")

    assert sentence in str(refused.value)
    assert not {"legal", "yeer", "zoo"} & set(str(refused.value).split())


def test_two_words_that_changed_places_are_refused() -> None:
    """All but one in 256 such slips, for 24 words; this one is caught."""
    words = words_of(bytes(range(32)))
    words[3], words[4] = words[4], words[3]

    with pytest.raises(Unfit, match="checksum"):
        entropy_of(" ".join(words), "x")


def test_the_password_is_asked_for_at_a_terminal(tmp_path: Path) -> None:
    """Without a file for it, a person types it; it does not show."""
    house, file = build(tmp_path / "k"), tmp_path / "v3.json"
    file.write_text(json.dumps(v3_file()))
    with at_a_terminal(house, "init", "--v3", f"hot={file}", *CHEAP) as (process, terminal):
        shown = read_until(terminal, f"Password of {file}: ")
        os.write(terminal, PASSWORD.encode() + b"\n")
        shown += read_until(terminal, "no words bring it back")
        assert process.wait(60) == 0
    assert PASSWORD not in shown
    assert ADDRESS.lower() in shown
