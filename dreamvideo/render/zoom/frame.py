"""(everything that is settled, frame n) -> frame n + 1 of an endless zoom.

A frame is a function of the ``Voyage`` and of the frame before it as its file holds it, so a zoom
goes on exactly from any stored frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np

from dreamvideo.dream.ascent import Image
from dreamvideo.dream.dreamer import Dreamer
from dreamvideo.motion.camera import Move
from dreamvideo.motion.warp import inside, warp
from dreamvideo.paint.headroom import make_headroom
from dreamvideo.render.carry import as_stored, blurred
from dreamvideo.render.zoom.beyond import extended
from dreamvideo.render.zoom.hold import Character, held, per_frame
from dreamvideo.render.zoom.inset import SMALLEST, Inset, emerging, smoothstep, within
from dreamvideo.render.zoom.stages import Part, shares
from dreamvideo.render.zoom.voyage import Voyage
from dreamvideo.settings import ZoomSettings

# Octaves a second that a still camera is taken to move.
SLOWEST = 0.1
# Octaves that travel by a frame's width counts as.
TRAVEL = 2.0
# How much more is dreamt in ground that is new at the edge, and how far from it (px at 320 wide).
FRESH = 5.0
FRESH_SIGMA = 5.0
# Where gradients are balanced, fine forms would win: they are dreamt on top of what has grown from
# finer ones, frame after frame, and large ones find no place left. So coarse octaves work more
# (``Ladder.coarse_bias``), and while a picture grows e times it is blurred by this variance, px^2.
COARSE_BIAS = 0.65
SOFTENING = 3.0


def begin(voyage: Voyage) -> tuple[Image, float]:
    """The first frame, as it is stored, and its objective: the still's dream."""
    if voyage.closed:
        return frame_after(voyage, len(voyage.opening) - 1, voyage.opening[-1])
    return first_dream(voyage, voyage.parts[0])


def first_dream(voyage: Voyage, part: Part) -> tuple[Image, float]:
    """The still as a part dreams it, as it is stored, and its objective."""
    dreamer, strength = voyage.dreamer_at(part, voyage.moment(0))
    if strength == 0:
        return as_stored(voyage.still), math.nan
    scale = None if strength == 1 else np.full(voyage.still.shape[:2], strength, np.float32)
    still = make_headroom(voyage.still, dreamer.settings.headroom * min(strength, 1))
    dreamt = dreamer.dream(still, step_scale=scale)
    return as_stored(dreamt.image), dreamt.losses[-1]


def following(voyage: Voyage, number: int, image: Image) -> tuple[Image, float]:
    """Frame ``number + 1`` of the film, as it is stored, from ``number``, and its objective."""
    return frame_after(voyage, number + len(voyage.opening), image)


def frame_after(voyage: Voyage, index: int, image: Image) -> tuple[Image, float]:
    """Frame ``index + 1``, counted from where the camera starts, from frame ``index``."""
    height, width = image.shape[:2]
    moment = voyage.moment(index + 1)
    settings = voyage.settings_at(moment)
    move = voyage.moves[index % voyage.count]
    flow = move.flow(width, height)
    start = warp(image, flow, border=settings.border)
    if settings.border == "mirror":
        start = extended(start, flow, voyage.dream, voyage.since_start(index + 1))
    weights = shares(voyage.parts, moment.seconds, voyage.length, voyage.closed)
    balanced = sum(w for w, part in zip(weights, voyage.parts, strict=True) if part.is_balanced)
    start = softened(start, balanced * SOFTENING * max(0.0, math.log(move.growth)))
    inset = inset_of(voyage, index + 1)
    free = np.ones((height, width), np.float32) if inset is None else 1 - inset.mask
    work = free * _freshness(flow)
    dream, loss = start if inset is None else inset.over(start), math.nan
    for part, share in zip(voyage.parts, weights, strict=True):
        dreamer, strength = voyage.dreamer_at(part, moment)
        if share * strength > 0:
            steps, scale = effort(dreamer, settings, move, image.shape[:2], voyage.rate)
            scaled = scale * share * strength * work
            coarse_bias = COARSE_BIAS if part.is_balanced else 0.0
            dreamt = dreamer.dream(
                dream, steps=steps, step_scale=scaled, frame=index + 1, coarse_bias=coarse_bias
            )
            dream, loss = dreamt.image, dreamt.losses[-1]
    wanted = _wanted(voyage, weights, index + 1)
    pull = per_frame(settings.anchor, float(1 / voyage.rate))
    dream = held(dream, wanted, pull, None if inset is None else free)
    return dithered(dream if inset is None else inset.over(dream), index + 1), loss


def softened(image: Image, variance: float) -> Image:
    """``image`` (H x W x 3) after a blur of that variance (px^2), 1/2 at most.

    Of three taps, since variances of small kernels add up where those of sampled Gaussians do not.
    """
    if variance <= 0:
        return image
    side = min(variance, 0.5) / 2
    taps = np.asarray([side, 1 - 2 * side, side], np.float32)
    return np.asarray(cv2.sepFilter2D(image, -1, taps, taps), np.float32)


def dithered(image: Image, index: int) -> Image:
    """``image`` as frame ``index``'s file holds it, rounded up or down at random.

    What is rounded to the nearest level again and again does not move at all where it is soft and
    the camera slow.
    """
    random = np.random.default_rng(index).random(image.shape, np.float32) - np.float32(0.5)
    return as_stored(image + random / np.float32(127.5))


def effort(
    dreamer: Dreamer, settings: ZoomSettings, move: Move, size: tuple[int, ...], rate: Fraction
) -> tuple[int, float]:
    """Steps an octave in a frame, and the factor on their size.

    ``growth`` fresh dreams are spread over the frames in which the picture grows (or shrinks) by
    one octave, so that a film looks the same at any frame rate. Travel over a picture of ``size``
    (height, width) counts as well, and any camera as a slow one: what stands still lives too.
    """
    dream = dreamer.settings
    octaves = abs(math.log(move.growth)) / math.log(dream.octave_scale)
    middle = complex(size[1] - 1, size[0] - 1) / 2
    octaves += TRAVEL * abs(move.turn * middle + move.shift - middle) / size[1]
    work = settings.growth * dream.steps * max(octaves, SLOWEST / float(rate))
    steps = max(1, math.ceil(work))
    return steps, work / steps


def inset_of(voyage: Voyage, index: int) -> Inset | None:
    """What emerges in frame ``index``: the film's own beginning, or the picture it ends on."""
    if voyage.goal is not None:
        last = voyage.count - 1
        smallest = max(SMALLEST, 1 / voyage.onward(0, last).growth)
        return emerging(voyage.goal, voyage.onward(index, last), smallest, spreads=True)
    if not voyage.opening:
        return None
    count = voyage.count
    if index < count:
        onward = voyage.onward(index, count)
        smallest = max(SMALLEST, 1 / voyage.onward(len(voyage.opening), count).growth)
        return emerging(voyage.opening[0], onward, smallest, spreads=False)
    since = index - count
    height, width = voyage.still.shape[:2]
    return Inset(voyage.opening[since], within(voyage.travelled[since].inverse(), width, height))


def _wanted(voyage: Voyage, weights: Sequence[float], index: int) -> Character:
    wanted, total = voyage.characters[0], weights[0]
    for character, weight in zip(voyage.characters[1:], weights[1:], strict=True):
        total += weight
        wanted = wanted.towards(character, weight / max(total, 1e-9))
    if voyage.goal_character is None:
        return wanted
    size = 1 / voyage.onward(index, voyage.count - 1).growth
    return wanted.towards(voyage.goal_character, float(smoothstep(size / 0.8)))


def _freshness(flow: Image) -> Image:
    """1, and more where the ground is new."""
    outside = ~inside(flow)
    if not outside.any():
        return np.ones(flow.shape[:2], np.float32)
    near = np.clip(2 * blurred(outside.astype(np.float32), FRESH_SIGMA), 0, 1)
    return np.asarray(1 + (FRESH - 1) * near, np.float32)
