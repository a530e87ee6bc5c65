"""The keystore's files on disk: whole or not at all, and never over another by mistake."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keystore.refusal import Unfit
from keystore.vault_file import FILE_BYTES_MAX


def read(path: Path) -> bytes:
    """Return the file's bytes, at most one more than a keystore file may have."""
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except OSError as trouble:
        raise Unfit(f"{path}: {trouble.strerror}") from trouble


def require_absent(path: Path) -> None:
    """Refuse to touch what is already there."""
    if path.exists() or path.is_symlink():
        raise Unfit(f"{path} exists already; it will not be overwritten")


def require_folder(path: Path) -> None:
    """Refuse a folder that is not there, or that is not ours to write into."""
    if not path.is_dir():
        raise Unfit(f"{path}: no such folder; nothing was written")
    if not os.access(path, os.W_OK | os.X_OK):
        raise Unfit(f"{path}: cannot be written into; nothing was written")


def create(path: Path, content: bytes) -> None:
    """Write `content` to a new file of mode 0600 that appears under its name only when whole.

    The name is given by a hard link, which fails where a rename would replace.
    """
    with _draft(path, content) as draft:
        try:
            path.hardlink_to(draft)
        except FileExistsError as fault:
            raise Unfit(f"{path} exists already; it will not be overwritten") from fault


def replace(path: Path, content: bytes) -> None:
    """Put `content` in the place of a file in one step: a power cut leaves the old or the new."""
    with _draft(path, content) as draft:
        draft.replace(path)


@contextmanager
def _draft(path: Path, content: bytes) -> Iterator[Path]:
    """Yield a synced file beside `path`; what is left of it afterwards is removed."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
