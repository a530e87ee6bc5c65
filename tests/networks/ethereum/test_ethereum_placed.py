"""Logs of a block by themselves, and the names of its transactions: what short cuts must not lose."""

import pytest

from tests.networks.ethereum.leaning import FIRST, OURS, TOKENS, answers, interest_in, leanly
from watchers.network import Incomplete
from watchers.networks.ethereum import placed
from watchers.networks.ethereum.bloom import bits_of
from watchers.networks.ethereum.outcomes import SomeOutcomes


def test_a_node_that_spells_hashes_and_places_otherwise_says_the_same() -> None:
    """Upper case and leading zeros are no contradiction."""
    block, logs, receipts = answers()
    plain = leanly(block, logs, receipts, interest_in(OURS))
    spelled = block["hash"].upper().replace("0X", "0x")
    logs = [
        log | {"blockHash": spelled, "transactionIndex": f"0x0{log['transactionIndex'][2:]}"}
        for log in logs
    ]
    block["transactions"][0]["blockHash"] = spelled
    found = leanly(block, logs, receipts, interest_in(OURS))
    assert (found.ref, found.transfers) == (plain.ref, plain.transfers)


def test_logs_are_numbered_beyond_what_is_remembered() -> None:
    """A block may have more logs than numbers are kept ready."""
    count = len(placed.NUMBERS) + 2
    assert placed.numbered(count) == [hex(number) for number in range(count)]


def test_words_are_right_however_many_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old words are forgotten, never mixed up."""
    monkeypatch.setattr(placed, "WORDS_REMEMBERED", 3)
    words = placed.Words()
    asked = [f"0x{number:040x}" for number in (1, 2, 3, 4, 1, 5, 6, 7, 2, 1)]
    assert [words[word] for word in asked] == [bits_of(word) for word in asked]
    assert len(words) <= 3


def test_every_transaction_of_a_block_has_an_outcome_and_nothing_else_has() -> None:
    """Names are kept as one text: a part of it, or two names together, are no transaction."""
    block, logs, receipts = answers()
    outcomes = leanly(block, logs, receipts, interest_in(OURS, own=[TOKENS])).outcomes
    names = [each["hash"] for each in block["transactions"]]
    assert list(outcomes) == names
    assert len(outcomes) == len(names)
    assert all(name in outcomes for name in names)
    for other in (FIRST[:-1], FIRST[2:], f"{names[0]} {names[1]}", "", " ", 5):
        assert other not in outcomes
    assert outcomes[TOKENS].success
    unread = next(name for name in names if name not in {FIRST, TOKENS, *names[3:]})
    with pytest.raises(Incomplete, match="was not read"):
        outcomes[unread]
    with pytest.raises(KeyError):
        outcomes["0x00"]
    assert list(SomeOutcomes("", {})) == []
    assert "" not in SomeOutcomes("", {})
