"""Read the tags of a film or picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from PIL.Image import Exif

from dreamvideo.errors import MediaError
from dreamvideo.media.endings import STILL_ENDINGS
from dreamvideo.media.exif import DESCRIPTION, HISTORY, read_exif
from dreamvideo.media.heif import boxes, exif_of
from dreamvideo.media.paths import escape_text, readable
from dreamvideo.media.pillow import opened, pillow
from dreamvideo.media.probe import read_tags
from dreamvideo.media.still_encode import LIGHT_ENDINGS


def read_all_tags(path: Path | str) -> dict[str, str]:
    """Read the tags of a film, or of a picture written by ``write_still``. Raises MediaError."""
    path = readable(Path(path))
    return _still_tags(path) if path.suffix.lower() in STILL_ENDINGS else read_tags(path)


def _still_tags(path: Path) -> dict[str, str]:
    if path.suffix.lower() in LIGHT_ENDINGS:
        return {}
    try:
        if path.suffix.lower() == ".jxl":
            exif = _jpeg_xl_exif(path)
            texts = [exif.get(tag) for tag in (DESCRIPTION, HISTORY)] if exif else []
            return _merge({}, texts)
        with pillow(), opened(path) as image:
            words = {str(key): text for key, text in image.info.items() if _is_text(text)}
            exif = image.getexif()
            described = [exif.get(tag) for tag in (DESCRIPTION, HISTORY)]
    except Exception:  # Pillow's parsers raise anything on damaged headers
        raise MediaError(f"{escape_text(path)}: not an image that can be read") from None
    return _merge(words, described)


def _merge(words: dict[str, str], described: Sequence[object]) -> dict[str, str]:
    for text in described:
        words = {**words, **_read_own_tags(text)}
    return words


def _jpeg_xl_exif(path: Path) -> Exif | None:
    blocks = (content for kind, content in boxes(path.read_bytes()) if kind == b"Exif")
    found = exif_of(next(blocks, b""))
    return None if found is None else read_exif(found)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _read_own_tags(described: object) -> dict[str, str]:
    """Parse tags that were written as JSON because the format has only one text."""
    try:
        found = json.loads(described) if isinstance(described, str) else {}
    except ValueError:
        return {}
    return {k: v for k, v in found.items() if _is_text(v)} if isinstance(found, dict) else {}
