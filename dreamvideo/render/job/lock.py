"""A lock for one process at a time, which the system itself releases when its holder dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from dreamvideo.cancel import check

# The byte that is locked on Windows: beyond anything that is ever read.
_FAR = 2**30


class LockedError(Exception):
    """Another process holds the lock; ``holder`` is what it wrote into the file."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


@contextmanager
def lock_job(path: Path, patience: float = 0) -> Iterator[None]:
    """Hold the lock file, with this process's id in it. Raises LockedError, OSError.

    ``patience`` is how many seconds to wait for another holder. The file's folder is created if
    needed; both stay afterwards.
    """
    until = time.monotonic() + patience
    while True:
        check()
        path.parent.mkdir(exist_ok=True)
        try:
            file = path.open("a+b")
        except FileNotFoundError:
            # The last holder has just removed the folder. If it cannot be created, mkdir raises.
            continue
        if _try_lock(file) and _is_same_file(file, path):
            break
        file.seek(0)
        holder = file.read(32).decode("ascii", "replace")
        file.close()
        if time.monotonic() >= until:
            raise LockedError(holder)
        time.sleep(0.05)
    with file:
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        yield


def _try_lock(file: IO[bytes]) -> bool:
    if sys.platform == "win32":
        import msvcrt

        file.seek(_FAR)
        with suppress(OSError):
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            return True
    else:
        import fcntl

        with suppress(OSError):
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def _is_same_file(file: IO[bytes], path: Path) -> bool:
    """Return whether the locked file is still the one at ``path``, not one just removed."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False
