"""How long a clip will take, from a few steps measured on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.media.probe import MediaInfo
from dreamvideo.motion.flow import motion_between
from dreamvideo.render.carry import settle
from dreamvideo.render.zoom.ground import noise
from dreamvideo.settings import Look

# Steps are timed on a picture no larger than this: their cost grows with the pixels.
PROBE_PIXELS = 360 * 640
# Warps, blurs, storing and encoding, as a share of dreaming and flow.
OTHER_WORK = 0.15


@dataclass(frozen=True)
class Estimate:
    """What a render of a clip needs: seconds a frame and in all, and disk for its frames."""

    frames: int
    seconds_per_frame: float
    seconds: float
    disk_bytes: int


def estimate_clip(
    info: MediaInfo, size: tuple[int, int], look: Look, rate: Fraction | None = None
) -> Estimate:
    """Time some steps and one flow, and scale them to the clip; takes a few seconds.

    ``size`` is (width, height) of the render, ``rate`` its frames a second (the clip's own).
    """
    width, height = size
    shrink = max(1.0, (width * height / PROBE_PIXELS) ** 0.5)
    small = (max(32, round(height / shrink)), max(32, round(width / shrink)))
    picture = noise(*small, seed=0)
    dreamer = Dreamer(look.dream)
    dreamer.dream(picture, steps=1)
    probe_pixels = sum(h * w for h, w in dreamer.ladder(*small).sizes)
    step = _seconds(lambda: dreamer.dream(picture, steps=1)) / probe_pixels
    # Flow is estimated on frames of this size at most, whatever the clip's.
    flow = _seconds(lambda: motion_between(picture, picture[::-1].copy()))
    pixels = sum(h * w for h, w in dreamer.ladder(height, width).sizes)
    steps = settle(look.coherence, look.dream.steps).steps
    passes = look.coherence.passes
    frame = (steps * pixels * step + passes * flow) * (1 + OTHER_WORK)
    frames = max(1, round(info.duration * (rate or info.rate)))
    first = look.dream.steps * pixels * step
    # Dreamt detail is nearly incompressible: about two bytes a pixel as PNG.
    return Estimate(frames, frame, first + frames * frame, frames * width * height * 2 * passes)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
