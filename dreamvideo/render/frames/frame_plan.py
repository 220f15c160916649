"""Per-frame plan: strength map, dreamers and colour grading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.dream.octaves import Dream, StepProgress
from dreamvideo.dream.patches import Box
from dreamvideo.settings import CoherenceSettings, DreamSettings

# The largest target of a pixel, in full dreams: above this a dream is noise.
MAX_TARGET = 3.0


class ImageDreamer(Protocol):
    """Anything that can dream a picture: a ``Dreamer``, or a stand-in for one in a single frame."""

    @property
    def settings(self) -> DreamSettings:
        """The dream settings at this frame."""
        ...

    def dream(
        self,
        image: Image,
        *,
        steps: int | None = None,
        step_scale: Image | None = None,
        within: Sequence[Box] = (),
        even: bool = False,
        on_step: Callable[[StepProgress], None] | None = None,
    ) -> Dream:
        """See ``Dreamer.dream``."""
        ...


@dataclass(frozen=True)
class WeightedDream:
    """One dreamer of a frame and its share (a number, or H x W, >= 0)."""

    dreamer: ImageDreamer
    share: Image | float = 1.0


WeightedDreams = Sequence[WeightedDream]
Target = Image | float


@dataclass(frozen=True)
class FramePlan:
    """What to do with one frame of a clip.

    Attributes:
        coherence: Coherence settings at this frame.
        target: How much dream each pixel should have, a number or H x W: 1 is a full dream, 0 is
            none (the source to the byte), at most ``MAX_TARGET``.
        parts: Dreamers that run one after another; empty means the clip's own dreamer.
        finish: ``finish(dreamt, source)`` turns dreamt pixels into delivered ones (all H x W x 3 in
            [-1, 1]); it does not affect what is carried on.
        changing: Whether the dream changes with time, so that even a repeated source frame keeps
            dreaming.
        undreamt: H x W at the output's size, where nothing is to be dreamt; known only where the
            dream is made at a smaller size and enlarged.
    """

    coherence: CoherenceSettings
    target: Target = 1.0
    parts: tuple[WeightedDream, ...] = ()
    finish: Callable[[Image, Image], Image] | None = None
    changing: bool = False
    undreamt: NDArray[np.bool_] | None = None


def make_target_map(plan: FramePlan, shape: tuple[int, ...]) -> Image:
    """Return the plan's target as a map of that shape, H x W in [0, ``MAX_TARGET``]."""
    target = np.clip(np.broadcast_to(plan.target, shape[:2]), 0, MAX_TARGET)
    return np.ascontiguousarray(target, np.float32)
