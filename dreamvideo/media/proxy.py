"""Write a small film beside a large master, for editing and for showing round."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from dreamvideo.media.paths import check_place, replace_atomically
from dreamvideo.media.preview_encoder import Proxy
from dreamvideo.media.probe import MediaInfo, probe
from dreamvideo.media.read import ReadOptions, open_source
from dreamvideo.media.stills import Color

# Its quality decides about its size, not this.
_MOST_BYTES = 1 << 40


def proxy_path(output: Path) -> Path:
    """Name the proxy of an output: ``film.mov`` -> ``film.proxy.mp4``.

    That of a pattern in a folder is named after the folder.
    """
    named = output.absolute().parent if "%" in output.name else output
    return named.with_name(f"{named.stem if named.suffix else named.name}.proxy.mp4")


def check_proxy(output: Path, overwrite: bool) -> None:
    """Refuse, before any work, a proxy that must not be written. Raises UsageError."""
    check_place(proxy_path(output), overwrite)


def write_proxy(output: Path, width: int, rate: Fraction | None, background: Color) -> str:
    """Write a proxy of a finished film or folder: H.264, 8 bits, a screen's light, stereo sound.

    Args:
        output: The film or folder.
        width: Width in pixels; the proxy is never larger than the film.
        rate: Frames per second of a folder.
        background: Colour that transparent areas are composited over.

    Returns:
        A note for the user.

    Raises:
        MediaError: The film cannot be read, or the proxy cannot be written.
    """
    info = probe(output)
    size = _proxy_size(info, width)
    fps = rate if info.kind == "sequence" else None
    options = ReadOptions(size=size, fps=fps, background=background)
    path = proxy_path(output)
    sound = output if info.audio else None
    seconds = float(info.duration)
    with (
        replace_atomically(path) as part,
        Proxy(part, seconds=seconds, most_bytes=_MOST_BYTES, sound_of=sound) as proxy,
        open_source(output, options) as frames,
    ):
        for frame in frames:
            proxy.add(frame.pixels, frame.time + (info.start if sound else 0))
    return f"proxy: {path.name}, {size[0]} x {size[1]}"


def _proxy_size(info: MediaInfo, width: int) -> tuple[int, int]:
    """Return an even (width, height), with which square pixels keep the film's shape."""
    wide = min(width, round(info.width * max(info.sample_aspect, Fraction(1))))
    wide = max(2, wide // 2 * 2)
    high = wide * info.height / (info.width * info.sample_aspect)
    return wide, max(2, round(high / 2) * 2)
