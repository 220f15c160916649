"""Carry the dream to the next frame: (state after frame n, frame n + 1) -> dreamt frame n + 1.

Only the *detail* that dreaming added is carried, never the picture. It is warped along the backward
flow, weighted by the confidence, topped up with a few small steps, and partly blended back. Where
the scene was uncovered the dream regrows over the next few frames: *maturity*, which travels with
the detail, is the share of a full dream that each pixel has had. How much it should have is the
frame's *target*, a map in the same units: where the target falls, the carried detail is attenuated
at once; where it rises, the rest is dreamt. A governor keeps the detail's contrast steady at each
place. Carried detail follows ``d <- gain d + added``, which fades, blurs where the motion is hard
to follow, or grows until it burns out, unless it is controlled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo import timers
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.dream.patches import Box
from dreamvideo.imaging import (
    average_channels,
    blur_in_proportion,
    blur_widely,
    spread_channels,
)
from dreamvideo.media.pixels import to_bytes, to_deep, to_float
from dreamvideo.motion.flow import Motion
from dreamvideo.motion.warp import warp
from dreamvideo.paint.headroom import make_headroom
from dreamvideo.render.frames.allocation import allocate_steps, covers_most, find_boxes, is_rising
from dreamvideo.render.frames.band_balance import (
    Pyramid,
    find_expected_share,
    find_known_share,
    measure_bands,
    raise_colour,
    renew_bands,
    restore_bands,
    scale_bands_to_full,
    sum_up_bands,
    to_cells,
)
from dreamvideo.render.frames.frame_plan import WeightedDreams
from dreamvideo.settings import CoherenceSettings

# Radii are in pixels of a frame this wide; they scale with the frame.
LEAK_SIGMA = 6.0
# Share of the low frequencies that is dropped in each frame where bands are not held.
UNHELD_LEAK = 0.1
CONTRAST_SIGMA = 2.0
NEIGHBOURHOOD_SIGMA = 8.0
# Gradient work for a carried frame as a share of a fresh dream's: the initial value, and the bounds
# within which the governor may change it.
CARRIED = 0.16
CARRIED_BOUNDS = (0.02, 0.81)
# The governor aims slightly low: it sees a loss of contrast sooner than it can undo a gain.
AIM = 0.97
GOVERNOR_BOUNDS = (0.6, 1.6)
YOUNG, AGED = 0.5, 0.8
# A dream's contrast grows with this power of the work in it (measured from 0.05 to 3).
GROWTH = 0.85
# Work done in boxes in an ordinary film, as a share of dreaming every frame whole.
IN_BOXES = 0.12
# A difference of less than this share of a dream is ignored.
NEGLIGIBLE = 1e-3


class NotFiniteError(ArithmeticError):
    """A dream contains NaN or Inf: it must be neither shown nor carried on."""


@dataclass(frozen=True)
class State:
    """Everything that frame n + 1 needs from frame n.

    Attributes:
        source: H x W x 3 in [-1, 1], the source frame.
        dream: H x W x 3 in [-1, 1], the dream before colour grading.
        maturity: H x W, travels with the detail: the dream each pixel has had, in full dreams.
        contrast: H x W, travels with the detail: contrast of the fine detail when it was new,
            scaled to a full dream.
        effort: H x W, travels with the detail: the governor's current share of a fresh dream's
            work.
        pending: H x W x 3, detail still to be mixed in before the next full refresh.
        target: H x W, the target map of this frame.
        waited: Scalar, frames since the last full refresh.
        headroom: H x W or a scalar, how far white was lowered under the dream.
        bands: The bands the detail is held to (``measure_bands``), scaled to a full dream; empty
            where bands are not held.
        usual: The bands the shot started with; empty where bands are not held.
    """

    source: Image
    dream: Image
    maturity: Image
    contrast: Image
    effort: Image
    pending: Image
    target: Image
    waited: NDArray[np.int64]
    headroom: Image
    bands: Image
    usual: Image

    @property
    def detail(self) -> Image:
        """What dreaming added, H x W x 3."""
        return self.dream - make_headroom(self.source, self.headroom)


@dataclass(frozen=True)
class CarrySettings:
    """``CoherenceSettings`` with every value resolved; ``every`` counts dreamt frames."""

    gain: float
    blend: float
    leak: float
    steps: int
    every: int
    holds_bands: bool

    @property
    def climbed_share(self) -> float:
        """Average share of a full-frame pass that the steps of one dreamt frame cover."""
        return min(1.0, 1 / self.every + IN_BOXES)


def resolve_coherence(settings: CoherenceSettings, full_steps: int) -> CarrySettings:
    """Derive the values that were not set from the one dial, ``coherence``.

    From 0 to 0.8 they move from dreaming every frame independently to the measured optimum; from
    there to 1 they move to the stillest dream that is still alive.
    """
    dial = settings.coherence

    def along(independent: float, best: float, still: float) -> float:
        return float(np.interp(dial, (0, 0.8, 1), (independent, best, still)))

    holds_bands = settings.hold == "bands"
    # Where bands are held, more steps would only be undone again: two do as well as three.
    steps = max(1, round(full_steps * along(1, 0.15 if holds_bands else 0.2, 0.15)))
    # Every third frame leaves ghosts, as every second dream of every second frame does; whoever
    # asks for fewer refreshes still gets them.
    least = 1 if settings.refresh <= 2 else 2
    gain, blend = along(0, 0.975, 0.985), along(0, 0.7, 0.8)
    return CarrySettings(
        gain=gain if settings.gain is None else settings.gain,
        blend=blend if settings.blend is None else settings.blend,
        # Drop more per frame where fewer frames are dreamt, but not in full proportion: carrying
        # loses some low frequencies too.
        leak=1 - (1 - settings.leak) ** (settings.cadence**0.5),
        steps=settings.carried_steps or steps,
        every=min(settings.refresh, max(least, round(settings.refresh / settings.cadence))),
        holds_bands=holds_bands,
    )


@timers.stage("warp and carry")
def start_shot(
    source: Image, parts: WeightedDreams, target: Image, *, holds_bands: bool = False
) -> tuple[State, float]:
    """Dream a shot's first frame in full from the source.

    Args:
        source: H x W x 3 in [-1, 1].
        parts: Dreamers and their shares.
        target: H x W, from ``make_target_map``.
        holds_bands: Whether to record the bands of the detail.

    Returns:
        The state and the objective, which is NaN where nothing is dreamt.

    Raises:
        NotFiniteError: The dream contains NaN or Inf.
    """
    headroom = make_headroom_map(parts, target)
    base = make_headroom(source, headroom)
    image, loss = base, float("nan")
    for part in parts:
        scale = np.asarray(target * part.share, np.float32)
        if scale.any():
            plain = bool((scale == 1).all())
            dreamt = part.dreamer.dream(image, step_scale=None if plain else scale)
            image, loss = dreamt.image, dreamt.losses[-1]
    image = store_pixels(image, source, target)
    maturity = np.minimum(target, target * sum(part.share for part in parts))
    found = scale_to_full(measure_contrast(image - base), target)
    effort, pending = np.full_like(target, CARRIED), np.zeros_like(source)
    bands = np.zeros((1, 0, 0), np.float32)
    usual = bands[0]
    if holds_bands:
        bands, usual = find_bands(image - base, base, target, None)
    waited = np.array(0)
    return State(
        source, image, maturity, found, effort, pending, target, waited, headroom, bands, usual
    ), loss


@timers.stage("warp and carry")
def propagate(
    state: State,
    source: Image,
    motion: Motion,
    parts: WeightedDreams,
    settings: CoherenceSettings,
    target: Image,
) -> tuple[State, float]:
    """Warp the carried detail onto the next frame of a shot and continue the dream.

    Args:
        state: State after the frame before.
        source: H x W x 3 in [-1, 1], the next source frame.
        motion: Backward flow from ``source`` to the frame before, and its confidence.
        parts: Dreamers and their shares.
        settings: Coherence settings.
        target: H x W, from ``make_target_map``.

    Returns:
        The state after this frame and the objective it reached.

    Raises:
        NotFiniteError: The dream contains NaN or Inf.
    """
    carry = resolve_coherence(settings, 1)
    headroom = make_headroom_map(parts, target)
    base = make_headroom(source, headroom)
    detail = warp(state.detail, motion.flow)
    if carry.leak:
        detail = detail - carry.leak * blur_widely(detail, LEAK_SIGMA)
    pending, maturity, effort, wanted = (
        warp(each, motion.flow, interpolation="linear")
        for each in (state.pending, state.maturity, state.effort, state.contrast)
    )
    kept = carry_weight(maturity, target)
    shrunk = spread_channels(kept**GROWTH)
    detail *= shrunk
    old = motion.confidence * (maturity * kept)
    age: Image = old / np.maximum(target, np.float32(NEGLIGIBLE))
    effort = effort * age + CARRIED * (1 - age)
    aged = np.clip((age - YOUNG) / (AGED - YOUNG), 0, 1)
    bands = state.bands
    holds, usual = carry.holds_bands and state.bands.size > 0, state.usual
    if holds:
        bands = warp(bands, scale_flow_to_cells(motion.flow, bands), interpolation="linear")
        share = np.minimum(maturity * kept, target) ** GROWTH
        expected = find_expected_share(base, share, bands)
        known = find_known_share(expected)
        detail = hold_bands(
            detail, raise_colour(bands * expected, detail.shape[1]), to_cells(aged, bands) * known
        )
        if known.min() < 1:
            # Where a dream is too weak to know its bands, keep low frequencies from accumulating.
            free = cv2.resize(1 - known, detail.shape[1::-1])[..., None]
            detail = detail - UNHELD_LEAK * free * blur_widely(detail, LEAK_SIGMA)
    missing = target - old
    places, waited = find_boxes(missing), int(state.waited) + 1
    rising = is_rising(target, state.target)
    due = waited >= carry.every or rising or covers_most(places, missing.shape)
    trust = spread_channels(motion.confidence)
    refresh = np.minimum(effort * waited, CARRIED_BOUNDS[1]) * old if due else None
    grown = _run_steps(
        base + (carry.gain**waited if due else 1) * trust * detail,
        parts,
        missing,
        places,
        refresh,
        settings,
    )
    at_once, later = _mix(base, detail, trust, grown, spread_channels(carry.blend * age))
    pending = pending * trust * shrunk + later
    left = 1 if rising else carry.every if due else carry.every - waited
    shown = np.asarray(at_once + pending / left, np.float32)
    image = store_pixels(shown, source, target)
    found = scale_to_full(measure_contrast(image - base), target)
    # Record the contrast to hold once a dream is mature; until then take it as it is.
    wanted = aged * wanted + (1 - aged) * found
    # The governor reacts equally fast in time however few frames are dreamt.
    effort = update_effort(effort, (AIM * wanted / found) ** settings.cadence)
    pending = np.asarray(pending * (1 - 1 / left), np.float32)
    since = np.array(0 if due else waited)
    if holds:
        fresh, usual = find_bands(image - base, base, target, state.usual)
        bands = renew_bands(bands, fresh, to_cells(aged, fresh), usual)
    return State(
        source,
        image,
        old + grown.new,
        wanted,
        effort,
        pending,
        target,
        since,
        headroom,
        bands,
        usual,
    ), grown.loss


@dataclass(frozen=True)
class _StepResult:
    """A frame after its gradient steps.

    Attributes:
        image: H x W x 3 in [-1, 1].
        loss: The objective; NaN if no step was taken.
        new: H x W, dream that grew where it was missing, in full dreams.
        work: H x W, all work done.
        fresh: H x W, the part of ``work`` that was done where dream was missing.
    """

    image: Image
    loss: float
    new: Image
    work: Image
    fresh: Image


def _mix(
    base: Image, detail: Image, trust: Image, grown: _StepResult, keep: Image
) -> tuple[Image, Image]:
    """Mix carried and freshly dreamt detail.

    New areas show at once; what keeps the rest alive is mixed in slowly.

    Args:
        base: H x W x 3 in [-1, 1], the picture that is dreamt on.
        detail: H x W x 3, carried.
        trust: H x W x 3 in [0, 1], confidence of the flow.
        grown: The frame after its steps.
        keep: H x W x 3 in [0, 1], the share of what is carried.

    Returns:
        What shows at once, and what is to be added to it slowly.
    """
    carried = keep * np.clip(base + detail, -1, 1)
    blended = (1 - keep) * grown.image + carried
    rest = (1 - keep) * (base + trust * detail) + carried
    later = spread_channels(1 - grown.fresh / grown.work) * (blended - rest)
    return blended - later, later


def _run_steps(
    image: Image,
    parts: WeightedDreams,
    missing: Image,
    places: Sequence[Box],
    refresh: Image | None,
    coherence: CoherenceSettings,
) -> _StepResult:
    """Dream what is missing, and refresh the rest where it is due (``allocate_steps``)."""
    loss, new, fresh = float("nan"), np.zeros_like(missing), np.zeros_like(missing)
    work = np.full_like(missing, NEGLIGIBLE)
    for part in parts:
        settings = part.dreamer.settings
        few = resolve_coherence(coherence, settings.steps).steps
        for climb in allocate_steps(missing, places, refresh, settings.steps, few):
            scale = np.asarray(climb.work * part.share * settings.steps / climb.steps, np.float32)
            if scale.any():
                climbed = part.dreamer.dream(
                    image, steps=climb.steps, step_scale=scale, within=climb.within, even=True
                )
                image, loss = climbed.image, climbed.losses[-1]
                new = np.minimum(missing, new + climb.grown * part.share)
                work = work + climb.work * part.share
                fresh = fresh + climb.grown * part.share
    return _StepResult(image, loss, new, work, fresh)


def hold_bands(detail: Image, wanted: Image, weight: Image) -> Image:
    """Move the bands of carried detail towards ``wanted``, by ``weight`` in each cell.

    Args:
        detail: H x W x 3.
        wanted: rows x columns x (2 x bands + 3), as in ``measure_bands``.
        weight: rows x columns in [0, 1].
    """
    pyramid = Pyramid.of(detail)
    return restore_bands(pyramid, measure_bands(pyramid), wanted, weight).merge()


def find_bands(
    detail: Image, base: Image, target: Image, usual: Image | None
) -> tuple[Image, Image]:
    """Measure the bands of freshly dreamt detail, scaled to a full dream.

    Args:
        detail: H x W x 3, what dreaming added.
        base: H x W x 3 in [-1, 1], the picture that was dreamt on.
        target: H x W, in full dreams.
        usual: The shot's usual bands; None or all 0 if nothing was dreamt before this frame.

    Returns:
        The bands of this frame, and the usual bands: ``usual``, or else those of this frame.
    """
    measured = measure_bands(Pyramid.of(detail))
    share = find_expected_share(base, target**GROWTH, measured)
    if usual is None or not usual.any():
        full = scale_bands_to_full(measured, share, np.zeros(measured.shape[-1], np.float32))
        usual = sum_up_bands(full, find_known_share(share))
    return scale_bands_to_full(measured, share, usual), usual


def scale_flow_to_cells(flow: Image, cells: Image) -> Image:
    """Convert a flow in pixels (H x W x 2) to a flow in cells on a grid of cells."""
    scale = np.asarray([cells.shape[1] / flow.shape[1], cells.shape[0] / flow.shape[0]])
    return np.asarray(to_cells(flow, cells) * scale, np.float32)


def make_headroom_map(parts: WeightedDreams, target: Image) -> Image:
    """Return how far white is lowered under the dreams: H x W, or a scalar 0 if nowhere."""
    total = sum(part.share * part.dreamer.settings.headroom for part in parts)
    if not np.any(total):
        return np.zeros((), np.float32)
    return np.asarray(np.minimum(target, 1) * total, np.float32)


def carry_weight(maturity: Image, target: Image) -> Image:
    """Return the share of the carried detail that may stay, H x W in [0, 1]."""
    few = maturity <= target * (1 + NEGLIGIBLE)
    share = np.where(few, target > 0, target / np.maximum(maturity, NEGLIGIBLE))
    return np.asarray(np.minimum(share, 1), np.float32)


def is_settled(state: State, source: Image, target: Image) -> bool:
    """Return whether a frame repeats the last one and already has all the dream it should have.

    Its dream is then repeated: anything else would flicker while the film itself is still.

    Args:
        state: State after the frame before.
        source: H x W x 3 in [-1, 1].
        target: H x W, in full dreams.
    """
    if not np.array_equal(source, state.source):
        return False
    return bool((target == 1).all() or np.allclose(target, state.maturity, atol=NEGLIGIBLE))


def scale_to_full(contrast: Image, target: Image) -> Image:
    """Scale a contrast measured at ``target`` (H x W, in full dreams) to that of a full dream."""
    return np.asarray(contrast / np.maximum(target, NEGLIGIBLE) ** GROWTH, np.float32)


def update_effort(effort: Image, ratio: Image) -> Image:
    """Return the governor's next effort: more where ``ratio``, wanted/found contrast, exceeds 1."""
    turned = effort * np.clip(ratio, *GOVERNOR_BOUNDS)
    return np.asarray(np.clip(turned, *CARRIED_BOUNDS), np.float32)


def measure_contrast(detail: Image) -> Image:
    """Return the local standard deviation (H x W, above 0) of the detail's high frequencies."""
    fine = detail - blur_in_proportion(detail, CONTRAST_SIGMA)
    energy = blur_widely(average_channels(fine * fine), NEIGHBOURHOOD_SIGMA)
    return np.asarray(np.sqrt(np.maximum(energy, 1e-8)), np.float32)


def store_pixels(image: Image, source: Image, target: Image) -> Image:
    """Round the picture to what is carried on: the source itself where nothing is dreamt.

    A full dream is rounded like its file. A weak one that grows slowly adds less than half a level
    per frame: rounded like that, it would never grow.

    Args:
        image: H x W x 3 in [-1, 1].
        source: H x W x 3 in [-1, 1].
        target: H x W, in full dreams.

    Raises:
        NotFiniteError: The picture contains NaN or Inf.
    """
    if not np.isfinite(image).all():
        raise NotFiniteError
    if (target == 1).all():
        return round_to_stored(image)
    return np.asarray(np.where(target[..., None] > 0, to_float(to_deep(image)), source), np.float32)


def round_to_stored(image: Image) -> Image:
    """Round the picture as its file stores it: a later run must read back what is carried on."""
    return to_float(to_bytes(image))
