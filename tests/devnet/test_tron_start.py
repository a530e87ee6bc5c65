"""The Tron emulator is started on a port that may have been taken meanwhile."""

import socket

import pytest

from devnet.chain import HOST, ChainFault, free_port
from devnet.tron import start

pytestmark = pytest.mark.anyio


async def test_a_port_that_somebody_took_meanwhile_is_left_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that was asked for by its number is not."""
    with socket.socket() as somebody:
        somebody.bind((HOST, 0))
        somebody.listen()
        taken, free = somebody.getsockname()[1], free_port()
        ports = iter([taken, free])
        monkeypatch.setattr(start, "free_port", lambda: next(ports))
        async with start.running(0) as chain:
            assert chain.url.endswith(f":{free}")
        with pytest.raises(ChainFault, match=f"is port {taken} taken"):
            async with start.running(0, port=taken):
                pass
