"""Named places where a campaign kills this process: `KEYSTORE_CRASH_AT=sign.appended[:n]`.

Nothing here does anything without that variable, and with it only where every network of the
settings is marked `test = true`: a keystore that holds real money refuses to start. The process
dies by SIGKILL the `n`th time it comes to the place, as in a power cut.
"""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass

from keystore.refusal import Unfit
from keystore.settings import NetworkSettings

VARIABLE = "KEYSTORE_CRASH_AT"
POINTS = frozenset({"sign.allowed", "sign.appended", "sign.remembered"})


@dataclass(slots=True)
class _Trigger:
    point: str = ""
    passes_left: int = 0


_trigger = _Trigger()


def arm(environment: Mapping[str, str], networks: Mapping[str, NetworkSettings]) -> None:
    """Read the variable once, at the start; raise `Unfit` where it must not be there."""
    text = environment.get(VARIABLE, "")
    if not text:
        return
    name, _, turn = text.partition(":")
    if name not in POINTS or not (turn or "1").isdecimal() or turn == "0":
        raise Unfit(f"{VARIABLE}: {text!r} is not a declared point, or not name[:n]")
    if not all(network.test for network in networks.values()):
        raise Unfit(f"{VARIABLE}: only where every network is marked test = true")
    _trigger.point, _trigger.passes_left = name, int(turn or "1") - 1


def reach(name: str) -> None:
    """Come to a place; die there where this is the one and the time has come."""
    if name != _trigger.point:
        return
    if _trigger.passes_left:
        _trigger.passes_left -= 1
        return
    os.write(2, f"crash: {name}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)
