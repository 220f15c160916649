"""Decide how many gradient steps a carried frame gets, and in which boxes.

(map of the missing dream) -> step counts and the boxes in which they run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.dream.patches import Box, find_windows, merge_overlapping
from dreamvideo.imaging import REFERENCE_WIDTH, smoothstep

# Lengths are in pixels of a frame this wide; they scale with the frame.
CELL = 8
# How far the steps fade out around a box.
FADE = 8
# A cell that is missing more than this share of a dream is dreamt at once; anything less can wait
# for the next full frame.
NOTABLE = 0.5
# If everything notable adds up to less than this share of a frame's dream, it can wait.
SLIGHT = 0.005
# A target that rises by this much on average must be followed in every frame.
RISING = 0.005
# The most work one step does where a dream is missing, as a share of a fresh dream's. A dream
# forced into one frame by a few long steps is noise, and that noise would be carried along.
WORK_PER_STEP = 0.16


@dataclass(frozen=True)
class StepAllocation:
    """Gradient steps for one pass over a frame.

    Attributes:
        steps: Steps per octave.
        work: H x W, the work these steps do, in units of a fresh dream.
        grown: H x W, the part of ``work`` that replaces missing dream.
        within: Boxes outside of which there is no work; empty means the whole frame.
    """

    steps: int
    work: Image
    grown: Image
    within: tuple[Box, ...] = ()


def allocate_steps(
    missing: Image, places: Sequence[Box], refresh: Image | None, full: int, few: int
) -> Iterator[StepAllocation]:
    """Yield the passes of gradient steps that a carried frame needs.

    Args:
        missing: H x W, how much of a dream could not be carried.
        places: Boxes around what is missing.
        refresh: H x W, work on what was carried; None if this frame is not due for a refresh.
        full: Steps per octave of a fresh dream.
        few: Steps per octave of a carried dream.

    Yields:
        At most two passes: the refresh of the whole frame, then the boxes.
    """
    steps, grown = 0, np.zeros_like(missing)
    if refresh is not None:
        steps = count_steps(float(missing.mean()), full, few)
        if not covers_most(places, missing.shape):
            steps = few
        grown = np.minimum(missing, WORK_PER_STEP * steps)
        yield StepAllocation(steps, refresh + grown, grown)
    if not places or covers_most(places, missing.shape):
        return
    lacking = sum(float(missing[box.place].sum()) for box in places)
    more = count_steps(lacking / sum(box.area for box in places), full, few) - steps
    if more > 0:
        grown = np.minimum(missing - grown, WORK_PER_STEP * more) * make_mask(places, missing.shape)
        yield StepAllocation(more, grown, grown, tuple(places))


def count_steps(missing: float, full: int, few: int) -> int:
    """Return the steps per octave for a frame that lacks part of its dream.

    Args:
        missing: Share of the dream that is missing.
        full: Steps of a fresh dream, used when nothing was carried.
        few: Steps of a carried dream, used while nearly everything was.
    """
    return max(few, min(full, round(missing * full)))


def is_rising(target: Image, before: Image) -> bool:
    """Return whether a target map grows by itself rather than by moving with the picture."""
    return float(np.maximum(target - before, 0).mean()) > RISING


def covers_most(places: Sequence[Box], shape: tuple[int, ...]) -> bool:
    """Return whether dreaming the boxes alone saves nothing, with the context they need."""
    size = shape[0], shape[1]
    return find_windows(places, size, size) == (Box(0, 0, *size),)


def find_boxes(missing: Image) -> tuple[Box, ...]:
    """Find boxes around everything that is notably ``missing`` (H x W, in full dreams).

    The boxes do not overlap. There are none if next to nothing is missing.
    """
    height, width = missing.shape
    scale = width / REFERENCE_WIDTH
    rows, columns = (max(1, round(side / (CELL * scale))) for side in (height, width))
    cells = cv2.resize(missing, (columns, rows), interpolation=cv2.INTER_AREA) > NOTABLE
    _, _, found, _ = cv2.connectedComponentsWithStats(cells.astype(np.uint8), connectivity=8)
    fade = round(FADE * scale)
    places = merge_overlapping(
        [_make_box(each, (rows, columns), missing.shape, fade) for each in found[1:]]
    )
    slight = sum(float(missing[box.place].sum()) for box in places) < SLIGHT * missing.size
    return () if slight else places


def _make_box(found: Image, cells: tuple[int, int], shape: tuple[int, ...], fade: int) -> Box:
    left, top, wide, high = (int(value) for value in found[:4])
    down, across = shape[0] / cells[0], shape[1] / cells[1]
    return Box(
        max(0, round(top * down) - fade),
        max(0, round(left * across) - fade),
        min(shape[0], round((top + high) * down) + fade),
        min(shape[1], round((left + wide) * across) + fade),
    )


def make_mask(found: Sequence[Box], shape: tuple[int, ...]) -> Image:
    """Return an H x W mask: 1 inside the boxes, fading to 0 towards their sides, 0 outside.

    A side that lies on the edge of the frame does not fade.
    """
    fade = FADE * shape[1] / REFERENCE_WIDTH
    total = np.zeros(shape[:2], np.float32)
    for box in found:
        down = _make_ramp(box.top, box.bottom, shape[0], fade)
        across = _make_ramp(box.left, box.right, shape[1], fade)
        total[box.place] = down[:, None] * across
    return total


def _make_ramp(begin: int, end: int, length: int, fade: float) -> Image:
    places = np.arange(begin, end, dtype=np.float32) + np.float32(0.5)
    ones = np.full_like(places, np.inf)
    up = ones if begin == 0 else places - begin
    down = ones if end == length else end - places
    return smoothstep(np.minimum(up, down) / fade)
