"""Read a picture file to render, and write its dream with the same depth and alpha."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Exif

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.errors import MediaError, UsageError
from dreamvideo.imaging import resize
from dreamvideo.media.own_light import LINEAR_LIGHT, add_detail, screen_codes
from dreamvideo.media.paths import escape_text
from dreamvideo.media.pixels import from_share, to_bytes, to_deep, to_float, to_share
from dreamvideo.media.still_encode import (
    LIGHT_ENDINGS,
    LOSSY_ENDINGS,
    holds_alpha,
    holds_depth,
)
from dreamvideo.media.stills import (
    Still,
    cover_hidden,
    flatten,
    is_still,
    open_still,
    still_size,
    write_still,
)
from dreamvideo.parsing import parse_size
from dreamvideo.settings import OutputSettings

_FOR_STILLS = frozenset({"quality", "background", "depth", "strip_metadata", "tone_map"})
_QUALITY = 95


@dataclass(frozen=True)
class Photo:
    """A picture to dream, and what else its file contains.

    Attributes:
        image: H x W x 3 in [-1, 1].
        alpha: H x W in [0, 1]; None if all is opaque or it was composited over a colour.
        depth: Bits per channel to write the dream with.
        exif: Metadata of the camera.
        notes: Notes for the user.
        own: H x W x 3, the picture in its own linear light, to be written in that; else None.
    """

    image: Image
    alpha: NDArray[np.float32] | None
    depth: int
    exif: Exif | None
    notes: tuple[str, ...]
    own: NDArray[np.uint16] | None = None

    def save(self, path: Path, image: Image, tags: Mapping[str, str], quality: int | None) -> None:
        """Write a dream of the picture.

        Args:
            path: The file.
            image: H x W x 3 in [-1, 1].
            tags: Texts by name.
            quality: Of JPEG, WebP and AVIF, 0 to 100; None: the default.

        Raises:
            MediaError: It cannot be written.
        """
        pixels: NDArray[Any] = to_deep(image) if self.depth == 16 else to_bytes(image)
        alpha = None if self.alpha is None else from_share(self.alpha, pixels.dtype)
        quality = _QUALITY if quality is None else quality
        light = None
        if self.own is not None:
            pixels = add_detail(pixels, to_deep(self.image), self.own, LINEAR_LIGHT)
            light = LINEAR_LIGHT
        write_still(path, pixels, tags, quality, alpha=alpha, exif=self.exif, light=light)

    @property
    def alpha_bytes(self) -> NDArray[np.uint8] | None:
        """Its alpha channel in 8 bits."""
        if self.alpha is None:
            return None
        return from_share(self.alpha, np.uint8)


def check_still(output: Path, wanted: OutputSettings) -> None:
    """Refuse settings that only films have, or that the format lacks. Raises UsageError."""
    ending, given = output.suffix.lower(), wanted.model_fields_set
    if wrong := given - _FOR_STILLS:
        listed = join_options(given - {"quality", "background"})
        meant = "" if listed == join_options(wrong) else f"{listed}: "
        raise UsageError(
            f"{output}: {meant}{join_options(wrong)} is for films; a picture has --quality and "
            "--depth"
        )
    if wanted.quality is not None and ending not in LOSSY_ENDINGS:
        raise UsageError(f"{output}: {output.suffix} is lossless here and has no quality")
    if ending in LIGHT_ENDINGS:
        most: tuple[int, ...] = (16,)
    else:
        most = (8, 16) if holds_depth(output) else (8,)
    if wanted.depth is not None and wanted.depth not in most:
        have = " or ".join(map(str, most))
        hint = "" if 16 in most else "; .png and .tif have 16 too"
        raise UsageError(
            f"{output}: {ending[1:]} pictures have {have} bits, not {wanted.bits}{hint}"
        )


def read_photo(
    photo: Path, output: Path, wanted: OutputSettings, size: str | None, most_bytes: int | None
) -> Photo:
    """Read a picture at the requested size, with whatever its dream's file can hold.

    Args:
        photo: The picture.
        output: What it will be written to: a picture, or a film of the dream growing.
        wanted: Depth and background.
        size: As in ``parse_size``; None: its own.
        most_bytes: Memory that it may take.

    Raises:
        UsageError: The size makes no sense.
        MediaError: The picture cannot be read.
    """
    least = None if size is None else parse_size(size, *still_size(photo))
    own_light = output.suffix.lower() in LIGHT_ENDINGS and not wanted.tone_map
    still = open_still(photo, least=least, most_bytes=most_bytes, own_light=own_light)
    if size is not None:
        # A damaged header may have promised a different size.
        least = parse_size(size, *still.size)
    notes = list(still.notes)
    pixels, alpha = still.pixels, _is_clear(still)
    own = still.own
    if alpha is not None and ("background" in wanted.model_fields_set or not holds_alpha(output)):
        if own is not None:
            red, green, blue = screen_codes(wanted.background_color, LINEAR_LIGHT) / 257
            own = flatten(own, still.alpha, (float(red), float(green), float(blue)))
        pixels, alpha = flatten(pixels, still.alpha, wanted.background_color), None
        if not holds_alpha(output):
            notes.append("transparency composited over one colour: JPEG cannot store it")
    elif alpha is not None:
        pixels = cover_hidden(pixels, still.alpha, wanted.background_color)
    depth = _choose_depth(still, output, wanted)
    if still.pixels.dtype == np.uint16 and depth == 8 and wanted.depth is None:
        notes.append("written with 8 bits a channel; .png and .tif keep the source's 16")
    image = to_float(pixels)
    if least is not None:
        if own is not None:
            own = to_deep(resize_both(to_float(own), alpha, least)[0])
        image, alpha = resize_both(image, alpha, least)
    exif = None if wanted.strip_metadata else still.exif
    return Photo(image, alpha, depth, exif, tuple(notes), own)


def collect_picture_notes(*paths: Path | None) -> list[str]:
    """Collect notes on further pictures that a render has read (guide, mask, palette), by name.

    Films and files that no longer exist are skipped.
    """
    notes: list[str] = []
    for path in paths:
        if path is not None and is_still(path):
            with suppress(MediaError):
                named = (
                    line if escape_text(path) in line else f"{escape_text(path.name)}: {line}"
                    for line in open_still(path).notes
                )
                notes += [line for line in named if line not in notes]
    return notes


def join_options(names: frozenset[str] | set[str]) -> str:
    """Return the options of settings as a list for a message."""
    return ", ".join(f"--{name.replace('_', '-')}" for name in sorted(names))


def _choose_depth(still: Still, output: Path, wanted: OutputSettings) -> int:
    if wanted.depth is not None:
        return wanted.depth
    if output.suffix.lower() in LIGHT_ENDINGS:
        return 16
    return 16 if still.pixels.dtype == np.uint16 and holds_depth(output) else 8


def _is_clear(still: Still) -> NDArray[np.float32] | None:
    """Return its alpha channel in [0, 1]; None if all is opaque."""
    if still.alpha is None or bool((still.alpha == np.iinfo(still.alpha.dtype).max).all()):
        return None
    return to_share(still.alpha)


def resize_both(
    image: Image, alpha: NDArray[np.float32] | None, size: tuple[int, int]
) -> tuple[Image, NDArray[np.float32] | None]:
    """Resize a picture and its alpha; hidden colours do not bleed into visible ones.

    Args:
        image: H x W x 3 in [-1, 1].
        alpha: H x W in [0, 1]; None: all is opaque.
        size: (width, height).
    """
    width, height = size
    if alpha is None or (height, width) == alpha.shape:
        return resize(image, (height, width)), alpha
    small = np.clip(resize(alpha, (height, width)), 0, 1)
    weighed = resize(np.asarray(image * alpha[..., None], np.float32), (height, width))
    plain = resize(image, (height, width))
    divided = weighed / np.maximum(small, 1e-3)[..., None]
    seen = np.where(small[..., None] > 0.01, np.clip(divided, -1, 1), plain)
    return np.asarray(seen, np.float32), np.asarray(small, np.float32)
