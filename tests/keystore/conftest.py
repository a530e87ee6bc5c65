"""One initialised keystore and one running one for the tests that leave it as it was."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.keystore.house import House, Running, build, init, serving


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Return a keystore that `keystore init` made; never served, never changed."""
    house = build(tmp_path_factory.mktemp("made"))
    init(house)
    return house


@pytest.fixture
def house(made: House, tmp_path: Path) -> House:
    """Return a copy of it that the test may serve and damage."""
    copy = build(tmp_path / "k")
    shutil.copytree(made.home / "data", copy.home / "data")
    return copy


@pytest.fixture(scope="session")
def shared(made: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Yield a keystore that is being served to several tests."""
    copy = build(tmp_path_factory.mktemp("shared"))
    shutil.copytree(made.home / "data", copy.home / "data")
    with serving(copy):
        yield copy


@pytest.fixture
def running(house: House) -> Iterator[Running]:
    """Yield a served keystore of the test's own."""
    with serving(house) as process:
        yield process
