"""Encode EXR pictures: half floats of linear light, compressed without loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamvideo.media import ffmpeg
from dreamvideo.media.own_light import to_scene_light
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pixel_formats import Color

# ffmpeg keeps the planes of RGB in this order, and alpha after them.
_PLANES = [1, 2, 0, 3]
EXR = [
    # Colours are multiplied by alpha here, exactly; ffmpeg would do it again.
    *("-vf", "setparams=alpha_mode=premultiplied"),
    *("-c:v", "exr", "-format", "half", "-compression", "zip16"),
]


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
            *(*EXR, "-f", "image2pipe", "pipe:1"),
        ],
        subject=f"{escape_text(path)}: encoding failed",
        feed=[exr_planes(codes, alpha, light, keep_alpha=alpha is not None)],
    )
    return data


def exr_planes(
    pixels: NDArray[np.uint16],
    alpha: NDArray[np.uint16] | None,
    light: Color | None,
    *,
    keep_alpha: bool,
) -> bytes:
    """Return a frame as planes of floats that are exact in half precision.

    Args:
        pixels: H x W x 3.
        alpha: H x W, straight; None: opaque.
        light: Colour tags of the pixels; None: a screen's.
        keep_alpha: Whether there is a plane of alpha, with which colours are premultiplied.
    """
    linear = to_scene_light(pixels, light or Color())
    if keep_alpha:
        share = np.ones(pixels.shape[:2], np.float32)
        if alpha is not None:
            share = alpha / np.float32(65535)
        linear = np.dstack([linear * share[..., None], share])
    # ffmpeg would cut the last bits off, instead of rounding.
    half = np.clip(linear, -65504, 65504).astype(np.float16).astype("<f4")
    return as_planes(half)


def as_planes(layers: NDArray[Any]) -> bytes:
    """Return the layers of a frame, H x W x 3 or 4, as ffmpeg keeps the planes of RGB."""
    order = _PLANES[: layers.shape[2]]
    return np.ascontiguousarray(layers[..., order].transpose(2, 0, 1)).tobytes()
