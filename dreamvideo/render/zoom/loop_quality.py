"""Measure how well the end of a loop leads into its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.imaging import measure_sharpness
from dreamvideo.media.pixels import to_float
from dreamvideo.motion.camera import Similarity
from dreamvideo.motion.warp import inside, warp

# The limits for a loop to count as seamless.
MOST_WRAP, MOST_STEP, LEAST_SHARP = 1.2, 2.0, 0.85


@dataclass(frozen=True)
class LoopQuality:
    """How a loop's frames follow one another, the first one after the last.

    The error of a step is the mean squared difference between a frame and the one before it, moved
    by the camera.

    Attributes:
        wrap: Error of the step from the last frame to the first, as a multiple of the median step.
        worst: Largest error of the other steps, as a multiple of the median step.
        sharpness: Least variance of a frame's grey Laplacian, as a share of the frames' median.
    """

    wrap: float
    worst: float
    sharpness: float

    @property
    def is_seamless(self) -> bool:
        """Whether the start of the loop should be impossible to spot."""
        return self.wrap <= MOST_WRAP and self.worst <= MOST_STEP and self.sharpness >= LEAST_SHARP

    def __str__(self) -> str:
        return (
            f"loop: error across the wrap {self.wrap:.2f} of the median step, largest step "
            f"{self.worst:.2f}, sharpness never below {self.sharpness:.2f} of the median"
            f"{self._fault}"
        )

    @property
    def _fault(self) -> str:
        if self.wrap > MOST_WRAP:
            return f": a visible seam at the wrap (above {MOST_WRAP}); more --seconds close it"
        if self.worst > MOST_STEP:
            return f": a visible jump inside (above {MOST_STEP:g}); a higher --fps smooths it"
        if self.sharpness < LEAST_SHARP:
            return f": softer for a moment (below {LEAST_SHARP}); a lower --rate keeps it sharp"
        return ""


@dataclass
class LoopMeter:
    """Measures a loop's frames in order; ``moves[n]`` leads from frame n to the next."""

    moves: Sequence[Similarity]
    _first: Image | None = None
    _last: Image | None = None
    _errors: list[float] = field(default_factory=list)
    _sharpness: list[float] = field(default_factory=list)

    def watch(self, pixels: NDArray[np.uint8]) -> None:
        """Add the next frame: uint8, H x W x 3."""
        image = to_float(pixels)
        self._sharpness.append(measure_sharpness(image.mean(2)))
        if self._last is None:
            self._first = image
        else:
            self._errors.append(
                measure_step_error(self._last, image, self.moves[len(self._errors)])
            )
        self._last = image

    def seam(self) -> LoopQuality:
        """Return the result after the last frame. Raises ValueError if there were too few."""
        if self._first is None or self._last is None or len(self._errors) < 2:
            raise ValueError("a loop has three frames or more")
        wrap = measure_step_error(self._last, self._first, self.moves[len(self._errors)])
        median = float(np.median([*self._errors, wrap]))
        sharp = np.array(self._sharpness)
        return LoopQuality(
            wrap / median, max(self._errors) / median, float(sharp.min() / np.median(sharp))
        )


def measure_step_error(before: Image, after: Image, move: Similarity) -> float:
    """Return the mean squared difference of a frame to the one before, moved by the camera.

    Only pixels that were in the frame before count.

    Args:
        before: H x W x 3 in [-1, 1].
        after: H x W x 3 in [-1, 1].
        move: The camera's move between them.
    """
    height, width = after.shape[:2]
    flow = move.flow(width, height)
    difference = (after - warp(before, flow, border="mirror"))[inside(flow)]
    return float((difference**2).mean())
