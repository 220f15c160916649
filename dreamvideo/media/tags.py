"""Read the tags of a film or picture."""

from __future__ import annotations

import json
from pathlib import Path

from dreamvideo.errors import MediaError
from dreamvideo.media.endings import STILL_ENDINGS
from dreamvideo.media.exif import DESCRIPTION, HISTORY
from dreamvideo.media.paths import escape_text, readable
from dreamvideo.media.pillow import opened, pillow
from dreamvideo.media.probe import read_tags


def read_all_tags(path: Path | str) -> dict[str, str]:
    """Read the tags of a film, or of a picture written by ``write_still``. Raises MediaError."""
    path = readable(Path(path))
    return _still_tags(path) if path.suffix.lower() in STILL_ENDINGS else read_tags(path)


def _still_tags(path: Path) -> dict[str, str]:
    try:
        with pillow(), opened(path) as image:
            words = {str(key): text for key, text in image.info.items() if _is_text(text)}
            exif = image.getexif()
            described = [exif.get(tag) for tag in (DESCRIPTION, HISTORY)]
    except Exception:  # Pillow's parsers raise anything on damaged headers
        raise MediaError(f"{escape_text(path)}: not an image that can be read") from None
    return {**words, **_read_own_tags(described[0]), **_read_own_tags(described[1])}


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _read_own_tags(described: object) -> dict[str, str]:
    """Parse tags that were written as JSON because the format has only one text."""
    try:
        found = json.loads(described) if isinstance(described, str) else {}
    except ValueError:
        return {}
    return {k: v for k, v in found.items() if _is_text(v)} if isinstance(found, dict) else {}
