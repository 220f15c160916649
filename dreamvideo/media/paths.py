"""Names on disk: checks before reading, whole-or-nothing when writing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dreamvideo.errors import MediaError


def shown(name: Path | str) -> str:
    """A name or words as they may stand in a one-line message: control characters escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(name))


def readable(path: Path) -> Path:
    """The path itself, if it is a regular, non-empty file that may be read; MediaError if not."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise MediaError(f"{shown(path)}: no such file") from None
    except (OSError, ValueError) as error:
        raise MediaError(f"{shown(path)}: cannot be opened ({os_words(error)})") from error
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise MediaError(f"{shown(path)}: is {what}")
    if status.st_size == 0:
        raise MediaError(f"{shown(path)}: the file is empty")
    if not os.access(path, os.R_OK):
        raise MediaError(f"{shown(path)}: no permission to read it")
    return path


def read_bytes(path: Path) -> bytes:
    """Content of a regular file. Raises MediaError."""
    try:
        return readable(path).read_bytes()
    except OSError as error:
        raise MediaError(f"{shown(path)}: cannot be read ({os_words(error)})") from error


def partial_path(output: Path) -> Path:
    """Where a file grows before it takes its name: ``film.mp4`` -> ``film.part.mp4``."""
    return output.with_name(f"{output.stem}.part{output.suffix}")


@contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """Yield a temporary name beside ``output``; it becomes ``output`` only if the block succeeds.

    The content is synced before the rename, so a crash leaves the old file or the new, never a
    stub. Raises MediaError on a full disk or missing permission; the temporary file is removed.
    """
    part = partial_path(output)
    try:
        # What a killed run left behind may still be written to by its last child.
        part.unlink(missing_ok=True)
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(output)
    except OSError as error:
        raise MediaError(f"{shown(output)}: cannot be written ({os_words(error)})") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def os_words(error: OSError | ValueError) -> str:
    """What the system says, ready to stand inside a sentence."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text[:1].lower() + text[1:]
