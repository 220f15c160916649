"""Read a film's time code: the clock of the recording, as editors count it."""

from __future__ import annotations

from pathlib import Path

from dreamvideo.media import demux, webp
from dreamvideo.media.paths import readable


def read_time_code(path: Path | str) -> str | None:
    """Return the time code of a film's first frame, such as 01:00:00:00. Raises MediaError."""
    path = readable(Path(path))
    if webp.is_animation(path):
        return None
    with demux.opened(path) as container:
        tags = [container.metadata, *(stream.metadata for stream in container.streams)]
    # Matroska's names of tags are in capitals.
    named = ((key.lower(), value) for each in tags for key, value in each.items())
    return next((value for key, value in named if key == "timecode" and value), None)
