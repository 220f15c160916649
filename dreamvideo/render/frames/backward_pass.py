"""Run a second temporal pass over dreamt frames, from the last to the first.

The first pass knows only the past: an uncovered area is dreamt before it is known what will be seen
of it, and small changes run forwards. On the way back each frame's detail is mixed with the next
frame's, warped onto it. No gradient steps are taken: as measured, even one step per octave brings
back more flicker than the pass removes. Multi-pass stylisation in both directions follows Ruder,
Dosovitskiy and Brox, "Artistic Style Transfer for Videos", GCPR 2016.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.cancel import check
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.media.pixels import to_bytes, to_deep, to_float
from dreamvideo.media.stills import load_deep
from dreamvideo.media.write import StoredFrame
from dreamvideo.motion.flow import motion_between
from dreamvideo.motion.warp import warp
from dreamvideo.settings import CoherenceSettings

# Share of the next frame's detail where its motion is trusted.
BACK_BLEND = 0.5


def run_backward_pass(
    films: Sequence[StoredFrame],
    sources: Sequence[StoredFrame],
    starts: Sequence[bool],
    settings: CoherenceSettings,
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield every frame after the backward pass, last to first.

    Args:
        films: The dreamt frames.
        sources: The source frames they were dreamt from.
        starts: Which frames start a shot; nothing crosses a cut.
        settings: How the flow is estimated.

    Yields:
        (index, pixels H x W x 3), at the bit depth at which the frame was stored.
    """
    later: tuple[Image, Image] | None = None
    for index in reversed(range(len(films))):
        check()
        source = to_float(load_deep(sources[index].path)[0])
        stored, _ = load_deep(films[index].path)
        dreamt = to_float(stored)
        held = to_deep if stored.dtype == np.uint16 else to_bytes
        pixels = held(dreamt if later is None else _blend(dreamt, source, *later, settings))
        yield index, pixels
        later = None if starts[index] else (to_float(pixels), source)


def _blend(
    dreamt: Image,
    source: Image,
    later_dreamt: Image,
    later_source: Image,
    settings: CoherenceSettings,
) -> Image:
    if np.array_equal(source, later_source) and not _find_undreamt(dreamt, source).any():
        return later_dreamt
    motion = motion_between(
        source, later_source, max_width=settings.flow_width, fill=settings.flow == "filled"
    )
    share = np.where(_find_undreamt(dreamt, source), 0, BACK_BLEND * motion.confidence)[..., None]
    detail = warp(later_dreamt - later_source, motion.flow)
    mixed = source + (1 - share) * (dreamt - source) + share * detail
    return np.asarray(mixed, np.float32)


def _find_undreamt(dreamt: Image, source: Image) -> NDArray[np.bool_]:
    """Find where nothing was dreamt: whole patches, not chance pixels, that equal the source."""
    same = (dreamt == source).all(-1).astype(np.uint8)
    patch = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.morphologyEx(same, cv2.MORPH_OPEN, patch) > 0, np.bool_)
