"""The carried dream: (what frame n left, frame n + 1) -> dreamt frame n + 1.

Only the *detail* that dreaming added is carried, never the picture: it is warped along the
backward flow, trusted by the confidence, topped up with a few small steps where it arrived and
many large ones where the scene was uncovered, and partly blended back. A governor holds its
contrast steady: carried detail follows ``d <- gain d + what is added``, which fades, or grows
until it burns, unless something watches it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.ascent import Image
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.motion.flow import Motion
from dreamvideo.motion.warp import warp
from dreamvideo.settings import CoherenceSettings

# Radii are in pixels of a frame this wide, and scale with the frame.
REFERENCE_WIDTH = 320
LEAK_SIGMA = 6.0
CONTRAST_SIGMA = 4.0
# Gradient work in a frame as a share of a fresh dream's: where the scene was uncovered, where a
# dream was carried at first, and how far the governor may turn the latter.
UNCOVERED = 0.55
CARRIED = 0.16
CARRIED_BOUNDS = (0.02, 0.81)
GOVERNOR_BOUNDS = (0.6, 1.6)
TRUSTED = 0.5


@dataclass(frozen=True)
class State:
    """All that frame n + 1 needs of frame n: pixels in [-1, 1], as they were stored.

    ``contrast`` is the detail's at the start of the shot, ``effort`` the governor's present
    share of a fresh dream's work.
    """

    source: Image
    dream: Image
    contrast: float
    effort: float = CARRIED


@dataclass(frozen=True)
class Carry:
    """``CoherenceSettings`` with every part settled."""

    gain: float
    blend: float
    leak: float
    steps: int


def settle(settings: CoherenceSettings, full_steps: int) -> Carry:
    """Parts that were not set follow the one dial.

    From 0 to 0.8 they go from dreaming every frame anew to the measured optimum, from there to 1
    to what is as still as a dream can be and live.
    """
    dial = settings.coherence

    def along(independent: float, best: float, still: float) -> float:
        return float(np.interp(dial, (0, 0.8, 1), (independent, best, still)))

    steps = max(1, round(full_steps * along(1, 0.2, 0.15)))
    gain, blend = along(0, 0.97, 0.985), along(0, 0.6, 0.75)
    return Carry(
        gain=gain if settings.gain is None else settings.gain,
        blend=blend if settings.blend is None else settings.blend,
        leak=settings.leak,
        steps=settings.carried_steps or steps,
    )


def begin(source: Image, dreamer: Dreamer) -> tuple[State, float]:
    """A shot's first frame: dreamt in full from the source. Returns it and the objective."""
    dreamt = dreamer.dream(source)
    image = as_stored(dreamt.image)
    everywhere = np.ones(source.shape[:2], bool)
    return State(source, image, contrast(image - source, everywhere)), dreamt.losses[-1]


def proceed(
    state: State, source: Image, motion: Motion, dreamer: Dreamer, carry: Carry
) -> tuple[State, float]:
    """The next frame of a shot. Returns it and the objective it reached."""
    if np.array_equal(source, state.source):
        # A repeated frame repeats its dream: anything else would boil in the film's own pauses.
        return state, float("nan")
    trust = motion.confidence[..., None]
    detail = warp(state.dream - state.source, motion.flow)
    detail = detail - carry.leak * blurred(detail, LEAK_SIGMA)
    start = source + carry.gain * trust * detail
    per_step = dreamer.settings.steps / carry.steps
    work = state.effort * motion.confidence + UNCOVERED * (1 - motion.confidence)
    step_scale = np.asarray(per_step * work, np.float32)
    dreamt = dreamer.dream(start, steps=carry.steps, step_scale=step_scale)
    keep = carry.blend * trust
    blended = (1 - keep) * dreamt.image + keep * np.clip(source + detail, -1, 1)
    image = as_stored(blended)
    effort = governed(state, image - source, motion.confidence > TRUSTED)
    return State(source, image, state.contrast, effort), dreamt.losses[-1]


def governed(state: State, detail: Image, trusted: NDArray[np.bool_]) -> float:
    """The governor's next effort: more where contrast fell below the shot's first frame's."""
    if trusted.mean() < 0.01:
        return state.effort
    ratio = state.contrast / max(contrast(detail, trusted), 1e-6)
    return float(np.clip(state.effort * np.clip(ratio, *GOVERNOR_BOUNDS), *CARRIED_BOUNDS))


def contrast(detail: Image, where: NDArray[np.bool_]) -> float:
    """Standard deviation of the detail's high frequencies over the pixels ``where`` (H x W)."""
    return float((detail - blurred(detail, CONTRAST_SIGMA))[where].std())


def blurred(image: Image, sigma: float) -> Image:
    """Gaussian blur of ``sigma`` pixels of a frame ``REFERENCE_WIDTH`` wide."""
    scaled = sigma * image.shape[1] / REFERENCE_WIDTH
    return np.asarray(cv2.GaussianBlur(image, (0, 0), scaled), np.float32)


def as_stored(image: Image) -> Image:
    """The picture as its file holds it: what is carried on is what a later run can read back."""
    return to_float(to_bytes(image))
