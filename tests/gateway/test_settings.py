"""The configuration file: what it gives, and the one line for each way to get it wrong."""

from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.settings import NetworkSettings, Settings, SettingsError, load
from gateway.settings.networks import Family
from tests.network_names import REFUSED, TAKEN

NETWORK = """
[networks.ethereum]
family = "ethereum"
display_name = "Ethereum"
identity = "31337"
rpc_urls = ["http://127.0.0.1:1"]
test = true
assets = [{ code = "ETH", decimals = 18 }]
"""


def loaded(folder: Path, text: str) -> Settings:
    """Write the text as a configuration file and load it."""
    path = folder / "gateway.toml"
    path.write_text(text)
    return load(path)


def test_defaults_need_one_network_only(tmp_path: Path) -> None:
    """Everything else has a default that works on one machine."""
    settings = loaded(tmp_path, NETWORK)
    assert settings.database.url == "embedded"
    assert settings.networks["ethereum"].assets[0].minimum_deposit == "0"


def test_paths_are_taken_from_the_folder_of_the_file(tmp_path: Path) -> None:
    """Nested ones too; an absolute path stays as it is."""
    text = """
    data_dir = "data"
    [keystore]
    socket = "/run/keystore.sock"
    [api]
    key_pepper_file = "pepper"
    """
    settings = loaded(tmp_path, text + NETWORK)
    assert settings.data_dir == tmp_path / "data"
    assert settings.api.key_pepper_file == tmp_path / "pepper"
    assert settings.keystore.socket == Path("/run/keystore.sock")


def test_a_secret_comes_from_its_file_or_the_data_directory(tmp_path: Path) -> None:
    """The `*_file` key wins; without it `gateway init` made one. Blanks around it do not count."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key_pepper").write_text("made\n")
    (tmp_path / "mine").write_text(" chosen \n")
    text = f'data_dir = "."\n{NETWORK}'
    assert loaded(tmp_path, text).secret("api.key_pepper_file") == "made"
    text = f'data_dir = "."\napi = {{ key_pepper_file = "mine" }}\n{NETWORK}'
    assert loaded(tmp_path, text).secret("api.key_pepper_file") == "chosen"


@pytest.mark.parametrize("content", [None, "", "  \n"])
def test_a_missing_or_empty_secret_names_its_key(tmp_path: Path, content: str | None) -> None:
    """The line has the key and the path, never a content."""
    if content is not None:
        (tmp_path / "pepper").write_text(content)
    settings = loaded(tmp_path, f'api = {{ key_pepper_file = "pepper" }}\n{NETWORK}')
    with pytest.raises(SettingsError, match=r"^api\.key_pepper_file: .*pepper"):
        settings.secret("api.key_pepper_file")


FAULTS = {
    "unknown section": ("[webhoks]\n" + NETWORK, "webhoks"),
    "unknown key": ("database = { ulr = 'embedded' }\n" + NETWORK, "ulr"),
    "wrong type": ("api = { port = '8080' }\n" + NETWORK, "api.port"),
    "number for a path": ("data_dir = 7\n" + NETWORK, "data_dir"),
    "unknown family": (NETWORK.replace('"ethereum"', '"bitcoin"'), "family"),
    "missing key": (NETWORK.replace('identity = "31337"', ""), "identity"),
    "no network": ("networks = {}", "networks"),
    "no node": (NETWORK.replace('"http://127.0.0.1:1"', ""), "networks.ethereum.rpc_urls"),
    "no native asset": (NETWORK.replace("18 }", "18, contract = '0x1' }"), "assets"),
    "too many decimals": (
        NETWORK.replace("18 }", "19 }"),
        "networks.ethereum.assets.ETH.decimals",
    ),
    "amount with letters": (
        NETWORK.replace("18 }", "18, minimum_deposit = '1,5' }"),
        "networks.ethereum.assets.ETH.minimum_deposit",
    ),
    "infinite price": (NETWORK + "[prices.static]\nETH = 'Infinity'", "prices.static.ETH"),
    "name in capitals": (NETWORK.replace("networks.ethereum", "networks.Ethereum"), "Ethereum"),
    "mainnet on the embedded database": (NETWORK.replace("test = true", ""), "database.url"),
    "everybody is a proxy": (
        "api = { trusted_proxies = ['10.0.0.0/8', '0.0.0.0/0'] }\n" + NETWORK,
        "api.trusted_proxies",
    ),
    "no TOML": ("[networks", "--config"),
}


@pytest.mark.parametrize(("text", "key"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_stops_a_command_with_one_line_that_names_the_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, key: str
) -> None:
    """Exit code 1, no traceback."""
    path = tmp_path / "gateway.toml"
    path.write_text(text)
    assert main(["init", "--config", str(path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("gateway: ")
    assert key in lines[0]


@pytest.mark.parametrize("name", TAKEN)
def test_a_name_that_the_keystore_takes_is_taken(tmp_path: Path, name: str) -> None:
    """The same list stands before both houses."""
    text = NETWORK.replace("networks.ethereum", f'networks."{name}"')
    assert list(loaded(tmp_path, text).networks) == [name]


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_the_keystore_refuses_is_refused(tmp_path: Path, name: str) -> None:
    """Before anything runs, and with the rule."""
    text = NETWORK.replace("networks.ethereum", f'networks."{name}"')
    with pytest.raises(SettingsError) as refused:
        loaded(tmp_path, text)
    rule = "a name is up to 32 of a-z, 0-9 and _, a letter first"
    assert str(refused.value) == f"networks.{name}: {rule}"


@pytest.mark.parametrize(
    ("nodes", "quorum", "needed"),
    [(1, "", 1), (2, "", 2), (3, "", 2), (3, "quorum = 3", 3), (3, "quorum = 1", 1)],
)
def test_two_nodes_have_to_agree_where_there_are_two(
    tmp_path: Path, nodes: int, quorum: str, needed: int
) -> None:
    """Unless the operator asks for more or fewer."""
    urls = ", ".join(f'"http://127.0.0.1:{8000 + number}"' for number in range(nodes))
    text = NETWORK.replace('"http://127.0.0.1:1"', urls).replace(
        "test = true", f"test = true\n{quorum}"
    )
    assert loaded(tmp_path, text).networks["ethereum"].witnesses_needed == needed


@pytest.mark.parametrize(
    ("family", "identity", "depth", "confirmations"),
    [
        ("ethereum", "1", None, 64),
        ("ethereum", "11155111", None, 64),
        ("ethereum", "8453", None, None),
        ("ethereum", "8453", 20, 21),
        ("tron", "00", None, 19),
        ("solana", "5e", None, 32),
    ],
)
def test_finality_is_told_in_confirmations_where_somebody_knows(
    family: Family,
    identity: str,
    depth: int | None,
    confirmations: int | None,
) -> None:
    """A block `final_depth` behind the head has one confirmation more: its own."""
    network = NetworkSettings(
        family=family,
        display_name="x",
        identity=identity,
        rpc_urls=[],
        assets=[],
        final_depth=depth,
    )
    assert network.final_confirmations == confirmations


def test_a_missing_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The option and the path are in it."""
    assert main(["init", "--config", str(tmp_path / "none.toml")]) == 1
    assert capsys.readouterr().err == (
        f"gateway: --config {tmp_path}/none.toml: No such file or directory\n"
    )


GOOD = """
[networks.ethereum]
family = "ethereum"
display_name = "Ethereum"
identity = "1"
rpc_urls = ["http://127.0.0.1:8545"]
test = true
[[networks.ethereum.assets]]
code = "ETH"
decimals = 18
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GOOD.replace("test = true", "tset = true"), "networks.ethereum.tset: unknown key"),
        (
            GOOD.replace("decimals = 18", 'decimals = "18"'),
            "networks.ethereum.assets[0].decimals: Expected int, got str",
        ),
        (GOOD.replace('identity = "1"', ""), "networks.ethereum.identity: missing"),
        ("zork = 1" + GOOD, "zork: unknown key"),
        ('[api]\nport = "x"' + GOOD, "api.port: Expected int, got str"),
        ("[api]\nport = 99999" + GOOD, "api.port: 0 (any free one) to 65535"),
        (
            GOOD.replace("http://127", "ftp://127"),
            "networks.ethereum.rpc_urls: 'ftp://127.0.0.1:8545' is not an http or https address",
        ),
        (
            GOOD.replace("test = true", 'test = true\nfee_ceiling = "1e2"'),
            "networks.ethereum.fee_ceiling: '1e2' is not a plain decimal number such as 0.01",
        ),
        (
            GOOD.replace("test = true", "test = true\nquorum = 2"),
            "networks.ethereum.quorum: 1 to 1, one per node at most",
        ),
        (
            GOOD.replace("test = true", "test = true\nrpc_requests_per_second = -1"),
            "networks.ethereum.rpc_requests_per_second: 0 (no limit) or more",
        ),
        (
            GOOD.replace('8545"]', '8545", "http://127.0.0.1:8545"]'),
            "networks.ethereum.rpc_urls: the same node twice",
        ),
        (
            GOOD + 'quorum_above = "all"',
            "networks.ethereum.assets.ETH.quorum_above: 'all' is not a plain decimal number such as 0.01",
        ),
        (
            GOOD + 'quorum_above = "1"',
            "networks.ethereum.assets.ETH.quorum_above: a second node is needed to confirm",
        ),
        (
            GOOD.replace('family = "ethereum"', 'family = "tron"')
            + '[[networks.ethereum.assets]]\ncode = "BTT"\ndecimals = 6\ncontract = "1002000"',
            "networks.ethereum.assets.BTT.contract: TRC-10 assets are not paid out, so none is listed",
        ),
        (
            '[keystore]\npool_public_key = "zz"' + GOOD,
            "keystore.pool_public_key: it is not 64 hex digits",
        ),
    ],
)
def test_a_fault_is_one_line_that_begins_with_its_key(
    tmp_path: Path, text: str, line: str
) -> None:
    """An operator with three networks sees which one is wrong."""
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as refused:
        load(path)
    assert str(refused.value) == line
