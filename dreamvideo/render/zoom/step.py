"""One step of an endless zoom: (plan, frame n) -> frame n + 1.

A frame is a function of the ``ZoomPlan`` and of the frame before it as its file stores it, so a
zoom resumes exactly from any stored frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.imaging import blur, blur_in_proportion, smoothstep
from dreamvideo.motion.camera import Similarity
from dreamvideo.motion.warp import inside, warp
from dreamvideo.paint.headroom import make_headroom
from dreamvideo.render.frames.carry import round_to_stored
from dreamvideo.render.zoom.inset import (
    SMALLEST,
    Inset,
    make_emerging_inset,
    mask_inside,
)
from dreamvideo.render.zoom.plan import ZoomPlan
from dreamvideo.render.zoom.stages import StageDreamer, stage_weights
from dreamvideo.render.zoom.statistics import ImageStatistics, match_statistics, scale_to_frame
from dreamvideo.settings import ZoomSettings

# Zooming out, the picture is mirrored between its edge and this share of the way to its centre.
DEPTH = 0.6
# Old areas blend into new ones within about this many pixels.
FEATHER = 1.5


def fill_border(image: Image, flow: NDArray[np.float32], dream: Image, until: Similarity) -> Image:
    """Fill the areas of a moved picture that come into view from outside it.

    Args:
        image: H x W x 3, already moved.
        flow: H x W x 2, the flow it was moved by.
        dream: H x W x 3, the dream of the first view.
        until: The camera's transform since it showed ``dream``.
    """
    outside = ~inside(flow)
    if not outside.any():
        return image
    new = blur(outside.astype(np.float32), FEATHER)
    share = np.clip(2 * new, 0, 1)[..., None]
    filled: Image = image + share * (render_border(dream, until) - image)
    return filled


def render_border(dream: Image, until: Similarity) -> Image:
    """Render the mirrored ``dream`` as seen after the transform ``until``: H x W x 3."""
    height, width = dream.shape[:2]
    middle = complex((width - 1) / 2, (height - 1) / 2)
    points = np.arange(width) + 1j * np.arange(height)[:, None] - middle
    reach = np.maximum(np.abs(points.real) / (width / 2), np.abs(points.imag) / (height / 2))
    turned = points * abs(until.turn) / until.turn
    if until.growth < 1:
        distance = np.log(np.maximum(reach, 0.1)) - math.log(until.growth)
        turned *= (1 - _triangle_wave(distance, DEPTH)) / np.maximum(reach, 0.1)
    # Where the centre of the first view moved to, undone at the current scale: how far it panned.
    panned = middle - (until.turn * middle + until.shift)
    goals = turned + middle + panned * abs(until.turn) / until.turn
    across, down = _triangle_wave(goals.real, width - 1), _triangle_wave(goals.imag, height - 1)
    rows: NDArray[np.int64] = np.arange(height)[:, None]
    flow = np.stack([across - np.arange(width), down - rows], -1).astype(np.float32)
    return warp(dream, flow, border="mirror")


def _triangle_wave(value: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """Go from 0 to ``most`` and back, repeatedly: mirrored tiles."""
    return np.asarray(most - np.abs(np.mod(value, 2 * most) - most))


# A still camera counts as moving by this many octaves per second.
SLOWEST = 0.1
# A pan by a frame's width counts as this many octaves.
TRAVEL = 2.0
# How much more is dreamt in new areas at the edge, and how far from it (pixels at 320 wide).
FRESH = 5.0
FRESH_SIGMA = 5.0
# Where gradients are balanced, fine forms would win: they are dreamt on top of what has grown from
# finer ones, frame after frame, and large ones find no room. So coarse octaves work more
# (``OctaveSchedule.coarse_bias``), and while a picture grows e times it is blurred by this
# variance, px^2.
COARSE_BIAS = 0.65
SOFTENING = 3.0


def start_zoom(plan: ZoomPlan) -> tuple[Image, float]:
    """Return the first frame, as it is stored, and its objective: the dream of the still."""
    if plan.closed:
        return dream_next_frame(plan, len(plan.opening) - 1, plan.opening[-1])
    return dream_first_frame(plan, plan.parts[0])


def dream_first_frame(plan: ZoomPlan, part: StageDreamer) -> tuple[Image, float]:
    """Dream the still with one stage's dreamer; return it as stored, and its objective."""
    dreamer, strength = plan.dreamer_at(part, plan.moment(0))
    if strength == 0:
        return round_to_stored(plan.still), math.nan
    scale = None if strength == 1 else np.full(plan.still.shape[:2], strength, np.float32)
    still = make_headroom(plan.still, dreamer.settings.headroom * min(strength, 1))
    dreamt = dreamer.dream(still, step_scale=scale)
    return round_to_stored(dreamt.image), dreamt.losses[-1]


def iterate_frames(plan: ZoomPlan, number: int, image: Image) -> tuple[Image, float]:
    """Dream the next frame of the film.

    Args:
        plan: The zoom.
        number: Number of the frame before, in the film.
        image: H x W x 3 in [-1, 1], the frame before.

    Returns:
        Frame ``number + 1``, rounded as it is stored, and its objective.
    """
    return dream_next_frame(plan, number + len(plan.opening), image)


def dream_next_frame(plan: ZoomPlan, index: int, image: Image) -> tuple[Image, float]:
    """Dream the next frame of a zoom.

    Args:
        plan: The zoom.
        index: Number of the frame before, counted from where the camera starts.
        image: H x W x 3 in [-1, 1], the frame before.

    Returns:
        Frame ``index + 1``, as it is stored, and its objective.
    """
    height, width = image.shape[:2]
    moment = plan.moment(index + 1)
    settings = plan.settings_at(moment)
    move = plan.moves[index % plan.count]
    flow = move.flow(width, height)
    start = warp(image, flow, border=settings.border)
    if settings.border == "mirror":
        start = fill_border(start, flow, plan.dream, plan.since_start(index + 1))
    weights = stage_weights(plan.parts, moment.seconds, plan.length, plan.closed)
    balanced = sum(w for w, part in zip(weights, plan.parts, strict=True) if part.is_balanced)
    start = soften(start, balanced * SOFTENING * max(0.0, math.log(move.growth)))
    inset = make_inset(plan, index + 1)
    free = np.ones((height, width), np.float32) if inset is None else 1 - inset.mask
    work = free * _measure_freshness(flow)
    dream, loss = start if inset is None else inset.over(start), math.nan
    for part, share in zip(plan.parts, weights, strict=True):
        dreamer, strength = plan.dreamer_at(part, moment)
        if share * strength > 0:
            steps, scale = step_effort(dreamer, settings, move, image.shape[:2], plan.rate)
            scaled = scale * share * strength * work
            coarse_bias = COARSE_BIAS if part.is_balanced else 0.0
            dreamt = dreamer.dream(
                dream, steps=steps, step_scale=scaled, frame=index + 1, coarse_bias=coarse_bias
            )
            dream, loss = dreamt.image, dreamt.losses[-1]
    wanted = _choose_statistics(plan, weights, index + 1)
    pull = scale_to_frame(settings.anchor, float(1 / plan.rate))
    dream = match_statistics(dream, wanted, pull, None if inset is None else free)
    return dither(dream if inset is None else inset.over(dream), index + 1), loss


def soften(image: Image, variance: float) -> Image:
    """Blur ``image`` (H x W x 3) by a variance in px^2, at most 1/2.

    The kernel has three taps, since variances of small kernels add up where those of sampled
    Gaussians do not.
    """
    if variance <= 0:
        return image
    side = min(variance, 0.5) / 2
    taps = np.asarray([side, 1 - 2 * side, side], np.float32)
    return np.asarray(cv2.sepFilter2D(image, -1, taps, taps), np.float32)


def dither(image: Image, index: int) -> Image:
    """Round ``image`` up or down at random, as frame ``index``'s file stores it.

    A picture that is repeatedly rounded to the nearest level does not move at all where it is soft
    and the camera slow.
    """
    random = np.random.default_rng(index).random(image.shape, np.float32) - np.float32(0.5)
    return round_to_stored(image + random / np.float32(127.5))


def step_effort(
    dreamer: Dreamer,
    settings: ZoomSettings,
    move: Similarity,
    size: tuple[int, ...],
    rate: Fraction,
) -> tuple[int, float]:
    """Return the steps per octave of a frame, and the factor on their size.

    ``growth`` fresh dreams are spread over the frames in which the picture grows (or shrinks) by
    one octave, so that a film looks the same at any frame rate. Panning counts as well, and any
    camera counts as at least a slow one, so that a still picture is alive too.

    Args:
        dreamer: The dreamer.
        settings: The camera's settings.
        move: The camera's move to this frame.
        size: (height, width) in pixels.
        rate: Frames per second.
    """
    dream = dreamer.settings
    octaves = abs(math.log(move.growth)) / math.log(dream.octave_scale)
    middle = complex(size[1] - 1, size[0] - 1) / 2
    octaves += TRAVEL * abs(move.turn * middle + move.shift - middle) / size[1]
    work = settings.growth * dream.steps * max(octaves, SLOWEST / float(rate))
    steps = max(1, math.ceil(work))
    return steps, work / steps


def make_inset(plan: ZoomPlan, index: int) -> Inset | None:
    """Return what emerges in frame ``index``: the film's own beginning, or its final picture."""
    if plan.goal is not None:
        last = plan.count - 1
        smallest = max(SMALLEST, 1 / plan.transform_to(0, last).growth)
        return make_emerging_inset(
            plan.goal, plan.transform_to(index, last), smallest, spreads=True
        )
    if not plan.opening:
        return None
    count = plan.count
    if index < count:
        transform = plan.transform_to(index, count)
        smallest = max(SMALLEST, 1 / plan.transform_to(len(plan.opening), count).growth)
        return make_emerging_inset(plan.opening[0], transform, smallest, spreads=False)
    since = index - count
    height, width = plan.still.shape[:2]
    return Inset(
        plan.opening[since], mask_inside(plan.cumulative_transforms[since].inverse(), width, height)
    )


def _choose_statistics(plan: ZoomPlan, weights: Sequence[float], index: int) -> ImageStatistics:
    wanted, total = plan.statistics[0], weights[0]
    for statistics, weight in zip(plan.statistics[1:], weights[1:], strict=True):
        total += weight
        wanted = wanted.towards(statistics, weight / max(total, 1e-9))
    if plan.goal_statistics is None:
        return wanted
    size = 1 / plan.transform_to(index, plan.count - 1).growth
    return wanted.towards(plan.goal_statistics, float(smoothstep(size / 0.8)))


def _measure_freshness(flow: Image) -> Image:
    """Return 1, and more in and near areas that are new."""
    outside = ~inside(flow)
    if not outside.any():
        return np.ones(flow.shape[:2], np.float32)
    near = np.clip(2 * blur_in_proportion(outside.astype(np.float32), FRESH_SIGMA), 0, 1)
    return np.asarray(1 + (FRESH - 1) * near, np.float32)
