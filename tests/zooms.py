"""What the zoom's tests share: dreamers that do little, a soft picture, a film of it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from synthetic import texture
from tiny import quick_dream

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.octaves import Dream
from dreamvideo.render.zoom.plan import ZoomPlan
from dreamvideo.render.zoom.prepare import prepare_zoom
from dreamvideo.render.zoom.stages import StageDreamer
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import DreamSettings, ZoomSettings

HEIGHT, WIDTH = 96, 128
Picture = NDArray[np.float32]


class Sleeper:
    """A dreamer that sees pictures, leaves them as they are, and remembers its efforts."""

    def __init__(self) -> None:
        # Headroom would change what is to be left as it is.
        self.settings = quick_dream().model_copy(update={"headroom": 0.0})
        self.work: list[Picture] = []
        self.sizes: list[float] = []

    def at(self, settings: DreamSettings | None = None, moment: TimePoint | None = None) -> Sleeper:
        self.settings = settings or self.settings
        return self

    def dream(self, image: Picture, *, steps: int = 1, step_scale: Any = 1.0, **_: Any) -> Dream:
        scale = 1.0 if step_scale is None else step_scale
        self.work.append(np.asarray(steps * scale, np.float32))
        self.sizes.append(self.settings.step_size)
        return Dream(image, (0.0,))


class Restless(Sleeper):
    """Adds a little random texture, different in every frame, where it is told to work."""

    def dream(self, image: Picture, *, frame: int = 0, **how: Any) -> Dream:
        super().dream(image, **how)
        random = np.random.default_rng(frame)
        grain = random.normal(0, 1, image.shape).astype(np.float32)
        added = cv2.GaussianBlur(grain, (0, 0), 1.5) * 0.1 * np.atleast_2d(self.work[-1])[..., None]
        return Dream(np.clip(image + added, -1, 1), (0.0,))


def soft(seed: int = 3) -> Picture:
    """A picture that survives many resamplings."""
    return np.asarray(cv2.GaussianBlur(texture(HEIGHT, WIDTH, seed), (0, 0), 4), np.float32)


def part(dreamer: Sleeper, begins: float = 0.0, fade: float = 0.0) -> StageDreamer:
    return StageDreamer(cast(Dreamer, dreamer), begins, fade)


def plan(
    picture: Picture,
    dreamer: Sleeper | Dreamer,
    settings: ZoomSettings,
    rate: Fraction = Fraction(25),
    **how: Any,
) -> ZoomPlan:
    return prepare_zoom(picture, [StageDreamer(cast(Dreamer, dreamer))], settings, rate, **how)
