"""What a frame of a clip is to become: how much of a dream where, dreamt by whom, finished how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.dream.octaves import Dream, StepProgress
from dreamvideo.dream.patches import Box
from dreamvideo.settings import CoherenceSettings, DreamSettings

# The most that a pixel may be asked to dream, in full dreams: further up it is noise.
MAX_TARGET = 3.0


class DreamsImages(Protocol):
    """What can dream a picture: a ``Dreamer``, or whatever stands for one in a frame."""

    @property
    def settings(self) -> DreamSettings:
        """How hard it dreams at this frame."""
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
    """Some of a frame's dream: who dreams it, and its share (a number, or H x W, >= 0)."""

    dreamer: DreamsImages
    share: Image | float = 1.0


WeightedDreams = Sequence[WeightedDream]
Target = Image | float


@dataclass(frozen=True)
class FramePlan:
    """What one frame of a clip is to become.

    ``target`` is how much dream each pixel should have: a number or H x W, 1 = a full dream,
    0 = none (the source to the byte), at most ``MAX_TARGET``. ``parts`` are dreamt one after
    another; none: the clip's own dreamer. ``finish(dreamt, source)`` makes the
    delivered pixels (all H x W x 3 in [-1, 1]) of the dreamt ones: it has no part in what is
    carried on. ``changing`` says that what is dreamt changes with time, so that even a repeated
    source frame dreams on.
    """

    coherence: CoherenceSettings
    target: Target = 1.0
    parts: tuple[WeightedDream, ...] = ()
    finish: Callable[[Image, Image], Image] | None = None
    changing: bool = False


def make_target_map(plan: FramePlan, shape: tuple[int, ...]) -> Image:
    """The direction's target as a map of a picture of that shape, H x W in [0, ``MAX_TARGET``]."""
    target = np.clip(np.broadcast_to(plan.target, shape[:2]), 0, MAX_TARGET)
    return np.ascontiguousarray(target, np.float32)
