"""Write EXR and DPX pictures from stored frames, in one run of ffmpeg."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.cancel import check
from dreamvideo.media import ffmpeg
from dreamvideo.media.film_encode import EncodeOptions
from dreamvideo.media.own_light import to_scene_light
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pixel_formats import Color
from dreamvideo.media.stills import flatten, load_deep, to_depth
from dreamvideo.media.stored import Kind, StoredFrame

# ffmpeg keeps the planes of RGB in this order, and alpha after them.
_PLANES = [1, 2, 0, 3]
_EXR = ["-c:v", "exr", "-format", "half", "-compression", "zip16"]


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
                yield exr_planes(colors, clear, options.own_light, keep_alpha=alpha)
            if options.on_frame:
                options.on_frame(number)

    ffmpeg.run(
        [
            *("-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{size[0]}x{size[1]}", "-i", "pipe:0"),
            *(_EXR if form == "exr" else ["-c:v", "dpx"]),
            *("-f", "image2", "-start_number", "1", "-y", ffmpeg.local_url(place)),
        ],
        subject=f"{escape_text(pattern)}: encoding failed",
        feed=raw(),
    )


def encode_exr(
    path: Path, codes: NDArray[np.uint16], alpha: NDArray[np.uint16] | None, light: Color | None
) -> bytes:
    """Encode one picture as EXR: half floats of linear light.

    Args:
        path: The file, for the error.
        codes: H x W x 3.
        alpha: H x W, straight, or None.
        light: Colour tags of the codes; None: a screen's.

    Raises:
        MediaError: It cannot be encoded.
    """
    pixels = "gbrpf32le" if alpha is None else "gbrapf32le"
    size = f"{codes.shape[1]}x{codes.shape[0]}"
    _, data = ffmpeg.run(
        [
            *("-f", "rawvideo", "-pix_fmt", pixels, "-s", size, "-i", "pipe:0"),
            *(*_EXR, "-f", "image2pipe", "pipe:1"),
        ],
        subject=f"{escape_text(path)}: encoding failed",
        feed=[exr_planes(codes, alpha, light, keep_alpha=alpha is not None)],
    )
    return data


def exr_planes(
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    alpha: NDArray[np.uint8] | NDArray[np.uint16] | None,
    light: Color | None,
    *,
    keep_alpha: bool,
) -> bytes:
    """Return a frame as planes of floats that are exact in half precision.

    Args:
        pixels: H x W x 3 integers.
        alpha: H x W of the same type, straight; None: opaque.
        light: Colour tags of the pixels; None: a screen's.
        keep_alpha: Whether there is a plane of alpha, with which colours are premultiplied.
    """
    linear = to_scene_light(to_depth(pixels, 16), light or Color())
    if keep_alpha:
        share = np.ones(pixels.shape[:2], np.float32)
        if alpha is not None:
            share = alpha / np.float32(np.iinfo(alpha.dtype).max)
        linear = np.dstack([linear * share[..., None], share])
    # ffmpeg would cut the last bits off, instead of rounding.
    half = np.clip(linear, -65504, 65504).astype(np.float16).astype("<f4")
    return _as_planes(half)


def dpx_planes(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Return a frame, H x W x 3 integers, as planes of 10 bits."""
    deep = to_depth(pixels, 16).astype(np.float32)
    return _as_planes(np.rint(deep * np.float32(1023 / 65535)).astype("<u2"))


def _as_planes(layers: NDArray[np.generic]) -> bytes:
    order = _PLANES[: layers.shape[2]]
    return np.ascontiguousarray(layers[..., order].transpose(2, 0, 1)).tobytes()


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
