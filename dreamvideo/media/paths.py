"""File names: checks before reading, atomic writing."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dreamvideo.errors import MediaError, UsageError


def escape_text(name: Path | str) -> str:
    """Escape control characters in a name or text for a one-line message."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(name))


def readable(path: Path) -> Path:
    """Return the path if it is a regular, non-empty file that may be read; MediaError if not."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise MediaError(f"{escape_text(path)}: no such file") from None
    except (OSError, ValueError) as error:
        raise MediaError(
            f"{escape_text(path)}: cannot be opened ({describe_os_error(error)})"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise MediaError(f"{escape_text(path)}: is {what}")
    if status.st_size == 0:
        raise MediaError(f"{escape_text(path)}: the file is empty")
    if not os.access(path, os.R_OK):
        raise MediaError(f"{escape_text(path)}: no permission to read it")
    return path


def read_bytes(path: Path) -> bytes:
    """Read a regular file. Raises MediaError."""
    try:
        return readable(path).read_bytes()
    except OSError as error:
        raise MediaError(
            f"{escape_text(path)}: cannot be read ({describe_os_error(error)})"
        ) from error


def check_place(path: Path, overwrite: bool) -> None:
    """Refuse, before any work, a file that cannot or must not be written. Raises UsageError."""
    check_parent(path)
    if path.is_dir():
        raise UsageError(f"{escape_text(path)}: is a folder; choose another name")
    if path.exists() and not overwrite:
        raise UsageError(f"{escape_text(path)}: exists already; -y overwrites it")
    if path.exists() and not path.is_file():
        raise UsageError(f"{escape_text(path)}: is not a regular file; choose another name")


def check_parent(path: Path) -> None:
    """Refuse a name in a folder that does not exist or cannot be written. Raises UsageError."""
    parent = path.absolute().parent
    if not parent.is_dir():
        raise UsageError(f"{escape_text(path)}: the folder {escape_text(parent)} does not exist")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UsageError(f"{escape_text(path)}: no permission to write into {escape_text(parent)}")


def partial_path(output: Path) -> Path:
    """Return the temporary name of a file being written: ``film.mp4`` -> ``.film.part.mp4``."""
    return output.with_name(f".{output.stem}.part{output.suffix}")


@contextmanager
def replace_atomically(output: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yield a temporary name next to ``output``, to which it is renamed if the block succeeds.

    The content is synced before the rename and the folder after it, so a crash or a power cut
    leaves the old file or the new, never a partial one. Without ``sync`` that holds only for
    crashes of this process, until ``sync_files``. Raises MediaError on a full disk or missing
    permission; the temporary file is removed.
    """
    part = partial_path(output)
    try:
        # A file left by a killed run may still be written to by its last child.
        part.unlink(missing_ok=True)
        yield part
        if sync:
            _sync(part)
        part.replace(output)
        if sync:
            sync_folder(output.parent)
    except OSError as error:
        raise MediaError(
            f"{escape_text(output)}: cannot be written ({describe_os_error(error)})"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def keep_by_content(path: Path, data: bytes) -> tuple[Path, bool]:
    """Write a file once, under a name of its content: ``a.png`` -> ``a-7d865e95.png``.

    Its folder is created. Raises MediaError if it cannot be written.

    Returns:
        The file, and whether it is new.
    """
    path = path.with_name(f"{path.stem}-{hashlib.sha256(data).hexdigest()[:8]}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"{path.parent}: cannot be written ({describe_os_error(error)})") from None
    is_new = not path.exists()
    if is_new:
        with replace_atomically(path) as part:
            part.write_bytes(data)
    return path, is_new


def keep_newest(path: Path, data: bytes, most: int) -> None:
    """Write a file into a cache, its folder, which drops its oldest files of that kind.

    Args:
        path: The file.
        data: Its content.
        most: As many files with its extension stay.

    Raises:
        MediaError: It cannot be written.
        OSError: The folder cannot be created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_atomically(path, sync=False) as part:
        part.write_bytes(data)
    kept = sorted(path.parent.glob(f"*{path.suffix}"), key=lambda each: each.stat().st_mtime)
    for old in kept[:-most]:
        old.unlink(missing_ok=True)


def sync_files(paths: Iterable[Path]) -> None:
    """Sync finished files, and their names, to disk. Raises MediaError."""
    paths = list(paths)
    for path in paths:
        try:
            _sync(path)
        except OSError as error:
            raise MediaError(
                f"{escape_text(path)}: cannot be written ({describe_os_error(error)})"
            ) from error
    for folder in dict.fromkeys(path.parent for path in paths):
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Sync the names in a folder to disk, where the system supports it."""
    # Windows and some network disks do not; there the system itself takes care of it.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def describe_os_error(error: OSError | ValueError) -> str:
    """Return the system's message, for use inside a sentence."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:]
