"""A bad key of keystore.toml stops with one line that names it."""

from pathlib import Path

import pytest

from keystore.refusal import Unfit
from keystore.settings import load, read_passphrase
from tests.keystore.house import NETWORKS, build
from tests.network_names import REFUSED, TAKEN

TOP = 'file = "f"\njournal = "j"\nsocket = "s"\n'


def refusal(tmp_path: Path, text: str) -> str:
    """Return the line that this file is refused with."""
    path = tmp_path / "keystore.toml"
    path.write_text(text)
    with pytest.raises(Unfit) as refused:
        load(path, own_uid=1000)
    line = str(refused.value)
    assert "\n" not in line
    return line


def test_paths_are_relative_to_the_file_and_own_uid_is_the_default(tmp_path: Path) -> None:
    """The working directory of the process plays no part."""
    house = build(tmp_path / "k")

    settings = load(house.config, own_uid=1000)

    assert settings.file == house.file
    assert settings.socket == house.socket
    assert settings.allowed_uids == frozenset({1000})
    assert settings.networks["ethereum"].chain_id == 31337
    assert settings.networks["ethereum"].test
    assert not settings.networks["mainnet"].test


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('journal = "j"\nsocket = "s"\n', "keystore.toml: file: "),
        (TOP + 'colour = "red"\n', "keystore.toml: colour: "),
        (TOP.replace('"s"', "7"), "keystore.toml: socket: Expected `str`, got `int`"),
        (TOP.replace('"j"', '""'), "keystore.toml: journal: must not be empty"),
        (TOP.replace('"s"', '"' + "s" * 108 + '"'), "keystore.toml: socket: path is longer"),
        (TOP + 'allowed_uids = ["root"]\n', "keystore.toml: allowed_uids"),
        (TOP + "allowed_uids = []\n", "keystore.toml: allowed_uids: must hold"),
        (TOP + "allowed_uids = [-1]\n", "keystore.toml: allowed_uids: must hold"),
        (TOP + 'passphrase_file = "gone"\n', "keystore.toml: passphrase_file: no such file: "),
        (TOP + "networks = 3\n", "keystore.toml: networks: "),
        (TOP + "[networks.x]\n", "keystore.toml: networks.x.family: "),
        (TOP + '[networks.x]\nfamily = "bitcoin"\n', "keystore.toml: networks.x.family: "),
        (
            TOP + '[networks.x]\nfamily = "tron"\ntest = "yes"\n',
            "keystore.toml: networks.x.test: ",
        ),
        (TOP + '[networks.x]\nfamily = "tron"\nrpc = "y"\n', "keystore.toml: networks.x.rpc: "),
        (TOP + '[networks.X]\nfamily = "tron"\n', "keystore.toml: networks.X: a name"),
        (TOP + '[networks.x]\nfamily = "ethereum"\n', "keystore.toml: networks.x.chain_id: "),
        (
            TOP + '[networks.x]\nfamily = "tron"\nchain_id = 1\n',
            "keystore.toml: networks.x.chain",
        ),
        (
            TOP
            + '[networks.a]\nfamily = "ethereum"\nchain_id = 1\n'
            + '[networks.b]\nfamily = "ethereum"\nchain_id = 1\n',
            "keystore.toml: networks.b.chain_id: same as networks.a",
        ),
        *(
            (
                TOP + f'[networks.a]\nfamily = "{family}"\n'
                f'[networks.b]\nfamily = "{family}"\ntest = true\n',
                f"keystore.toml: networks.b.family: networks.a is {family} too",
            )
            for family in ("tron", "solana")
        ),
        ("file = ", "keystore.toml: is not TOML"),
    ],
)
def test_the_line_names_the_key(tmp_path: Path, text: str, expected: str) -> None:
    """Unknown keys, wrong types and values that cannot work."""
    assert refusal(tmp_path, text).startswith(expected)


@pytest.mark.parametrize("name", TAKEN)
def test_a_name_that_the_gateway_takes_is_taken(tmp_path: Path, name: str) -> None:
    """The same list stands before both houses."""
    path = tmp_path / "keystore.toml"
    path.write_text(TOP + f'[networks."{name}"]\nfamily = "tron"\n')
    assert list(load(path, own_uid=1000).networks) == [name]


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_the_gateway_refuses_is_refused(tmp_path: Path, name: str) -> None:
    """Before the file is unlocked, and with the rule."""
    line = refusal(tmp_path, TOP + f'[networks."{name}"]\nfamily = "tron"\n')
    rule = "a name is up to 32 of a-z, 0-9 and _, a letter first"
    assert line == f"keystore.toml: networks.{name}: {rule}"


def test_a_missing_settings_file_is_one_line(tmp_path: Path) -> None:
    """No traceback for the commonest mistake."""
    with pytest.raises(Unfit, match=r"keystore\.toml: cannot be read: No such file"):
        load(tmp_path / "keystore.toml", own_uid=0)


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", b"x" * 5000])
def test_a_passphrase_file_holds_one_line(tmp_path: Path, content: bytes) -> None:
    """Empty, longer or more than a line: refused, and its content not quoted."""
    path = tmp_path / "p"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(Unfit, match="passphrase_file") as refused:
        read_passphrase(path)
    assert "two" not in str(refused.value)


def test_a_passphrase_open_to_every_user_is_refused(tmp_path: Path) -> None:
    """Mode 0644 is no secret; 0640 may be a group's decision."""
    path = tmp_path / "p"
    path.write_bytes(b"correct horse\r\n")
    path.chmod(0o644)
    with pytest.raises(Unfit, match="chmod 600"):
        read_passphrase(path)

    path.chmod(0o640)
    assert read_passphrase(path) == b"correct horse"


def test_the_example_of_the_tests_is_complete() -> None:
    """Every family of the contract occurs in the settings that the tests run with."""
    for family in ("ethereum", "tron", "solana"):
        assert f'family = "{family}"' in NETWORKS
