"""What a notebook shows of a result: a picture as PNG, a film that plays as HTML."""

from __future__ import annotations

import base64
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from dreamvideo.errors import MediaError
from dreamvideo.imaging import shrink_to_width
from dreamvideo.media.preview_encoder import Proxy, plays_everywhere
from dreamvideo.media.probe import probe
from dreamvideo.media.read import open_source
from dreamvideo.media.stills import is_still, png_bytes, read_still
from dreamvideo.settings.embed import Embed

# Pixels that a notebook's column is wide, at most.
WIDEST = 1200
EMBED = Embed()
# Animations that every browser shows as pictures.
_ANIMATIONS = {".gif": "image/gif", ".webp": "image/webp", ".png": "image/png"}


def make_png(output: Path) -> bytes | None:
    """Return a picture as PNG, as wide as a notebook shows it; None if there is none any more."""
    with suppress(MediaError):
        if is_still(output):
            return png_bytes(shrink_to_width(read_still(output), WIDEST), None)
    return None


def make_film_tag(output: Path) -> str | None:
    """Return a film, an animation or a folder of frames as an HTML element that plays it.

    What browsers do not play, or what is large, is encoded again as a small film.

    Returns:
        The element; None if the output is a picture, or no longer there.
    """
    if not output.exists() or is_still(output):
        return None
    with suppress(MediaError):
        kind = _ANIMATIONS.get(output.suffix.lower())
        small = output.is_file() and output.stat().st_size <= EMBED.most_bytes
        if kind is not None and small:
            return f'<img src="{_make_address(output, kind)}">'
        if small and plays_everywhere(probe(output)):
            return _make_video(output)
        with TemporaryDirectory() as folder:
            preview = Path(folder) / "preview.mp4"
            _encode_preview(output, preview)
            return _make_video(preview)
    return None


def _encode_preview(output: Path, preview: Path) -> None:
    info = probe(output)
    seconds = float(info.duration or 10)
    heard = output if info.audio else None
    with (
        open_source(output) as source,
        Proxy(preview, seconds=seconds, most_bytes=EMBED.most_bytes, sound_of=heard) as film,
    ):
        for frame in source:
            height, width = frame.pixels.shape[:2]
            wide = round(width * min(1, EMBED.height / height))
            film.add(shrink_to_width(frame.pixels, max(16, wide)), frame.time)


def _make_video(path: Path) -> str:
    return (
        f'<video controls loop muted playsinline src="{_make_address(path, "video/mp4")}"></video>'
    )


def _make_address(path: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
