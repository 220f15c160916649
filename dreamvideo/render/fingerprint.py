"""Is a file still the one that a render was begun with? Any path -> a short text that tells."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from dreamvideo.errors import MediaError
from dreamvideo.media.paths import os_words, shown
from dreamvideo.media.sequence import is_sequence, sequence_files

# Files up to this size are read whole; of larger ones so many blocks, evenly spread.
WHOLE = 64 * 2**20
BLOCK = 2**20
BLOCKS = 32
# Of each picture of a sequence three blocks of this size.
PICTURE_BLOCK = 2**12


def fingerprint(path: Path) -> str:
    """A digest of a file's content, or of the names and contents of a folder's pictures.

    Names of single files and times of change do not enter: a copy is as good. Of large files
    a sample is read. Raises MediaError for what cannot be read.
    """
    digest = hashlib.sha256()
    try:
        if is_sequence(path):
            for file in sequence_files(path):
                digest.update(file.name.encode("utf-8", "surrogateescape") + b"\0")
                _take(digest, file, 3 * PICTURE_BLOCK, PICTURE_BLOCK, 3)
        else:
            _take(digest, path, WHOLE, BLOCK, BLOCKS)
    except OSError as error:
        raise MediaError(f"{shown(path)}: cannot be read ({os_words(error)})") from error
    return digest.hexdigest()


def _take(digest: hashlib._Hash, path: Path, whole: int, block: int, blocks: int) -> None:
    size = path.stat().st_size
    digest.update(f"{size}\n".encode())
    with path.open("rb") as file:
        for start in _starts(size, whole, block, blocks):
            file.seek(start)
            digest.update(file.read(block))


def _starts(size: int, whole: int, block: int, blocks: int) -> Iterator[int]:
    """Where the blocks to read begin: all of a small file, else from its first to its last."""
    if size <= whole:
        yield from range(0, size, block)
    else:
        yield from ((size - block) * n // (blocks - 1) for n in range(blocks))
