"""Read the Dolby Vision profile that a film declares in its MP4 or Matroska header.

Neither ffmpeg nor PyAV provides this record, so it is read from the header itself.
"""

from __future__ import annotations

from pathlib import Path

from dreamvideo.media.mp4 import movie_box

# Configuration boxes: profiles up to 7, 8 to 10, and above.
_BOXES = (b"dvcC", b"dvvC", b"dvwC")
_MATROSKA = b"\x1aE\xdf\xa3"
# In Matroska a BlockAddIDType names the box; its content follows in BlockAddIDExtraData.
_TYPE, _EXTRA = b"\x41\xe7\x84", b"\x41\xed"


def dolby_vision_only(path: Path) -> int | None:
    """Return the profile, such as 5, of a film whose colours other players cannot show.

    None if none is declared, or if the picture is also HDR10, HLG or SDR (profiles 7 and 8).
    """
    with path.open("rb") as file:
        start = file.read(4)
        if start == _MATROSKA:
            return _in_matroska(start + file.read(1 << 20))
    return _in_mp4(movie_box(path))


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
    """Return the seven bits after two of version, if the fifth byte declares no compatibility."""
    if len(record) < 5 or record[0] != 1 or record[4] >> 4:
        return None
    return record[2] >> 1
