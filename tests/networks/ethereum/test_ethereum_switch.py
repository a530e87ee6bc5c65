"""`watchers decode ethereum --logged-from`: value that receipts show once the chain logs it."""

import json
from pathlib import Path

import pytest

from tests.networks.ethereum.blocks import (
    CONTRACT,
    PAYEE,
    SENDER,
    TIME,
    assembled,
    payment,
    transfer_log,
    word,
)
from watchers.__main__ import main
from watchers.networks.ethereum.address import SYSTEM
from watchers.networks.ethereum.erc20 import TRANSFER_TOPIC

LOGS = [
    transfer_log(units, address=SYSTEM, topics=[TRANSFER_TOPIC, word(sender), word(recipient)])
    for units, sender, recipient in ((5, SENDER, CONTRACT), (3, CONTRACT, PAYEE))
]
BLOCK, RECEIPTS = assembled(payment(1, value=5, to=CONTRACT, logs=LOGS))


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Return the command's words for a block whose receipts show value moved inside."""
    found = ["decode", "ethereum"]
    for name, document in (("block", BLOCK), ("receipts", RECEIPTS)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(document))
        found += [f"--{name}", str(path)]
    return found


@pytest.mark.parametrize(
    ("switch", "kinds"),
    [
        ([], ["native"]),
        (["--logged-from", str(TIME + 1)], ["native"]),
        (["--logged-from", str(TIME)], ["native", "internal"]),
    ],
)
def test_case_23_a_recorded_block_after_the_switch_shows_inner_value_without_traces(
    words: list[str], switch: list[str], kinds: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The switch is that of a network's configuration, in unix seconds."""
    assert main([*words, *switch]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["kind"] for each in lines] == kinds
    assert [(each["to"], each["units"]) for each in lines[1:]] == [(PAYEE, "3")] * (
        len(kinds) - 1
    )


def test_a_switch_that_the_receipts_contradict_ends_with_three(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A receipt that does not log the value of its own transaction is from before it."""
    silent = assembled(payment(1, value=5, to=CONTRACT))
    for path, document in zip((words[3], words[5]), silent, strict=True):
        Path(path).write_text(json.dumps(document))
    assert main([*words, "--logged-from", str(TIME)]) == 3
    assert "does not log its value" in capsys.readouterr().err


@pytest.mark.parametrize("family", ["tron", "solana"])
def test_other_chains_have_no_such_switch(
    words: list[str], family: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Left unread it would look as if it had been understood."""
    block = words[2:4]
    assert main(["decode", family, *block, "--logged-from", "0"]) == 2
    assert "logged-from" in capsys.readouterr().err
