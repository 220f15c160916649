"""The Dolby Vision profile that a film declares in its MP4 or Matroska header.

Neither ffmpeg nor PyAV hands this record on, so it is read from the header itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

# Configuration boxes: profiles up to 7, 8 to 10, and above.
_BOXES = (b"dvcC", b"dvvC", b"dvwC")
_MATROSKA = b"\x1aE\xdf\xa3"
# In Matroska a BlockAddIDType names the box; its content follows in BlockAddIDExtraData.
_TYPE, _EXTRA = b"\x41\xe7\x84", b"\x41\xed"
_MOST = 1 << 25


def dolby_vision_only(path: Path) -> int | None:
    """The profile, such as 5, of a film whose colours mean nothing to other players.

    None where none is declared, or where the picture is also HDR10, HLG or SDR (profiles 7 and 8).
    """
    with path.open("rb") as file:
        start = file.read(12)
        if start[:4] == _MATROSKA:
            return _in_matroska(start + file.read(1 << 20))
        if start[4:8] in (b"ftyp", b"moov", b"wide", b"mdat", b"free", b"skip"):
            return _in_mp4(_movie_box(file))
    return None


def _movie_box(file: BinaryIO) -> bytes:
    """The content of the top-level ``moov`` box, which may be the last one of a large file."""
    end = file.seek(0, 2)
    at = 0
    while at + 8 <= end:
        file.seek(at)
        header = file.read(16)
        size = int.from_bytes(header[:4], "big")
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if header[4:8] == b"moov":
            file.seek(at)
            return file.read(min(size or end, _MOST))
        if size < 8:
            break
        at += size
    return b""


def _in_mp4(movie: bytes) -> int | None:
    for box in _BOXES:
        at = movie.find(box)
        if at >= 4 and 24 <= int.from_bytes(movie[at - 4 : at], "big") <= 64:
            return _profile(movie[at + 4 :])
    return None


def _in_matroska(head: bytes) -> int | None:
    for box in _BOXES:
        at = head.find(_TYPE + box)
        extra = head.find(_EXTRA, at, at + 64) if at >= 0 else -1
        if extra >= 0:
            return _profile(head[extra + 3 :])
    return None


def _profile(record: bytes) -> int | None:
    """The seven bits after two of version, if the compatibility in the fifth byte is none."""
    if len(record) < 5 or record[0] != 1 or record[4] >> 4:
        return None
    return record[2] >> 1
