"""Write EXR and DPX pictures from stored frames, in one run of ffmpeg."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.cancel import check
from dreamvideo.media import ffmpeg
from dreamvideo.media.exr import EXR, as_planes, exr_planes
from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.paths import escape_text
from dreamvideo.media.stills import flatten, load_deep, to_depth
from dreamvideo.media.stored import Kind, StoredFrame


def write_pictures(
    frames: Sequence[StoredFrame],
    pattern: Path,
    form: str,
    kind: Kind,
    options: EncodeOptions,
    size: tuple[int, int],
) -> None:
    """Write all frames as numbered pictures, counted from 1.

    Args:
        frames: The stored frames.
        pattern: The files, with a place such as %06d for the number in the name.
        form: ``exr`` (half floats of linear light, with alpha) or ``dpx`` (10 bits).
        kind: What the stored frames are.
        options: The user's options.
        size: (width, height) to write.

    Raises:
        MediaError: A frame cannot be read or written.
    """
    alpha = kind.alpha and form == "exr"
    pixels = "gbrp10le" if form == "dpx" else "gbrapf32le" if alpha else "gbrpf32le"
    # Also in the folders' names a % would be taken for a place.
    place = Path(str(pattern.parent.absolute()).replace("%", "%%")) / pattern.name

    def raw() -> Iterator[bytes]:
        for number, frame in enumerate(frames, 1):
            check()
            colors, clear = load_resized(frame.path, size)
            if form == "dpx":
                yield dpx_planes(flatten(colors, clear, options.background))
            else:
                deep = None if clear is None else to_depth(clear, 16)
                light = options.own_light
                yield exr_planes(to_depth(colors, 16), deep, light, keep_alpha=alpha)
            if options.on_frame:
                options.on_frame(number)

    ffmpeg.run(
        [
            *("-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{size[0]}x{size[1]}", "-i", "pipe:0"),
            *(EXR if form == "exr" else ["-c:v", "dpx"]),
            *("-f", "image2", "-start_number", "1", "-y", ffmpeg.local_url(place)),
        ],
        subject=f"{escape_text(Path(pattern.name))}: encoding failed",
        feed=raw(),
    )


def dpx_planes(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Return a frame, H x W x 3 integers, as planes of 10 bits."""
    deep = to_depth(pixels, 16).astype(np.float32)
    return as_planes(np.rint(deep * np.float32(1023 / 65535)).astype("<u2"))


def load_resized(
    stored: Path, size: tuple[int, int]
) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], NDArray[np.uint8] | NDArray[np.uint16] | None]:
    """Load a stored frame at (width, height). Raises MediaError."""
    pixels, alpha = load_deep(stored)
    if pixels.shape[1::-1] == size:
        return pixels, alpha
    resize: Callable[..., NDArray[np.generic]] = cv2.resize
    pixels = np.asarray(resize(pixels, size, interpolation=cv2.INTER_LANCZOS4))
    if alpha is not None:
        alpha = np.asarray(resize(alpha, size, interpolation=cv2.INTER_LINEAR))
    return pixels, alpha
