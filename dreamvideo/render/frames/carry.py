"""The carried dream: (what frame n left, frame n + 1) -> dreamt frame n + 1.

Only the *detail* that dreaming added is carried, never the picture: it is warped along the
backward flow, trusted by the confidence, topped up with a few small steps, and partly blended
back. Where the scene was uncovered the dream grows anew over the next few frames: *maturity*,
which travels with the detail, tells how much of a full dream each pixel has had. How much it is
to have is the frame's *target*, a map in the same units: where it falls, what was carried is
thinned at once; where it rises, the rest is dreamt. A governor holds the detail's contrast
steady, place by place: what is carried follows ``d <- gain d + what is added``, which fades,
blurs where the motion is hard to follow, or grows until it burns, unless something watches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.dream.patches import Box
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
    renew_bands,
    restore_bands,
    scale_bands_to_full,
    sum_up_bands,
    to_cells,
)
from dreamvideo.render.frames.frame_plan import WeightedDreams
from dreamvideo.settings import CoherenceSettings

# Radii are in pixels of a frame this wide, and scale with the frame.
REFERENCE_WIDTH = 320
LEAK_SIGMA = 6.0
# Share of the low frequencies that is dropped each frame where bands are not held.
UNHELD_LEAK = 0.1
CONTRAST_SIGMA = 2.0
NEIGHBOURHOOD_SIGMA = 8.0
# Gradient work for a frame as a share of a fresh dream's where a dream was carried, at first and
# as far as the governor may turn it.
CARRIED = 0.16
CARRIED_BOUNDS = (0.02, 0.81)
# The governor aims a little low: it sees a loss of contrast sooner than it can undo a gain.
AIM = 0.97
GOVERNOR_BOUNDS = (0.6, 1.6)
YOUNG, AGED = 0.5, 0.8
# The contrast of a dream goes with this power of the work in it (measured from 0.05 to 3).
GROWTH = 0.85
# What is climbed in boxes in an ordinary film, as a share of climbing every frame whole.
IN_BOXES = 0.12
# Less than this share more or less of a dream is none.
NEGLIGIBLE = 1e-3


class NotFiniteError(ArithmeticError):
    """A dream holds what is no number: it must be neither shown nor carried on."""


@dataclass(frozen=True)
class State:
    """All that frame n + 1 needs of frame n: pixels in [-1, 1], the dream before it is finished.

    Three maps (H x W) travel with the detail: ``maturity``, the dream that each pixel has had, in
    full dreams; ``contrast``, the fine detail's when it was new, as a full dream's; ``effort``,
    the governor's present share of a fresh dream's work. ``pending`` (H x W x 3) is detail that
    is still to come in until the whole is refreshed again, ``waited`` (a scalar) how many frames
    ago that was, ``target`` what it was to become. ``headroom`` (H x W, or a scalar) is how far
    white gave way under it; ``bands`` is what its detail is held to (``measure_bands``), as a full
    dream's, and ``usual`` what the shot began with; of no size where it is not held.
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
    """``CoherenceSettings`` with every part settled; ``every`` counts dreamt frames."""

    gain: float
    blend: float
    leak: float
    steps: int
    every: int
    holds_bands: bool

    @property
    def climbed_share(self) -> float:
        """Share of the pixels of its steps that a dreamt frame climbs on average."""
        return min(1.0, 1 / self.every + IN_BOXES)


def resolve_coherence(settings: CoherenceSettings, full_steps: int) -> CarrySettings:
    """Parts that were not set follow the one dial.

    From 0 to 0.8 they go from dreaming every frame anew to the measured optimum, from there to 1
    to what is as still as a dream can be and live.
    """
    dial = settings.coherence

    def along(independent: float, best: float, still: float) -> float:
        return float(np.interp(dial, (0, 0.8, 1), (independent, best, still)))

    steps = max(1, round(full_steps * along(1, 0.2, 0.15)))
    gain, blend = along(0, 0.975, 0.985), along(0, 0.7, 0.8)
    return CarrySettings(
        gain=gain if settings.gain is None else settings.gain,
        blend=blend if settings.blend is None else settings.blend,
        # More where fewer frames drop it, though not for each frame: carrying it loses some too.
        leak=1 - (1 - settings.leak) ** (settings.cadence**0.5),
        steps=settings.carried_steps or steps,
        every=min(settings.refresh, max(2, round(settings.refresh / settings.cadence))),
        holds_bands=settings.hold == "bands",
    )


def start_shot(
    source: Image, parts: WeightedDreams, target: Image, *, holds_bands: bool = False
) -> tuple[State, float]:
    """A shot's first frame: dreamt in full from the source. Returns it and the objective.

    ``target`` is the map of ``target_map``; ``holds_bands`` remembers what the detail's bands are.
    The objective is not a number where nothing is dreamt.
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


def propagate(
    state: State,
    source: Image,
    motion: Motion,
    parts: WeightedDreams,
    settings: CoherenceSettings,
    target: Image,
) -> tuple[State, float]:
    """The next frame of a shot. Returns it and the objective it reached."""
    carry = resolve_coherence(settings, 1)
    headroom = make_headroom_map(parts, target)
    base = make_headroom(source, headroom)
    detail = warp(state.detail, motion.flow)
    if carry.leak:
        detail = detail - carry.leak * blur(detail, LEAK_SIGMA)
    pending, maturity, effort, wanted = (
        warp(each, motion.flow, interpolation="linear")
        for each in (state.pending, state.maturity, state.effort, state.contrast)
    )
    kept = carry_weight(maturity, target)
    shrunk = kept[..., None] ** GROWTH
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
        detail = hold_bands(detail, bands * expected, to_cells(aged, bands) * known)
        if known.min() < 1:
            # A dream too weak to tell what it should be is kept from piling up as ever.
            free = cv2.resize(1 - known, detail.shape[1::-1])[..., None]
            detail = detail - UNHELD_LEAK * free * blur(detail, LEAK_SIGMA)
    missing = target - old
    places, waited = find_boxes(missing), int(state.waited) + 1
    rising = is_rising(target, state.target)
    due = waited >= carry.every or rising or covers_most(places, missing.shape)
    trust = motion.confidence[..., None]
    start = base + (carry.gain**waited if due else 1) * trust * detail
    refresh = np.minimum(effort * waited, CARRIED_BOUNDS[1]) * old if due else None
    grown = _run_steps(start, parts, missing, places, refresh, settings)
    keep = (carry.blend * age)[..., None]
    carried = keep * np.clip(base + detail, -1, 1)
    blended = (1 - keep) * grown.image + carried
    # What is new is seen at once; what keeps the rest alive comes in slowly.
    rest = (1 - keep) * (base + trust * detail) + carried
    later = (1 - grown.fresh / grown.work)[..., None] * (blended - rest)
    pending = pending * trust * shrunk + later
    left = 1 if rising else carry.every if due else carry.every - waited
    image = store_pixels(blended - later + pending / left, source, target)
    found = scale_to_full(measure_contrast(image - base), target)
    # A dream's contrast is wanted back once it has come of age; until then it is what it is.
    wanted = aged * wanted + (1 - aged) * found
    # As quick in time however few of the frames are dreamt.
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
    """A frame after its steps, and how much (H x W) of them was ``work``, and on ``fresh`` ground.

    ``new`` is the dream that came of the latter, in full dreams.
    """

    image: Image
    loss: float
    new: Image
    work: Image
    fresh: Image


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
    """Carried detail with its bands nearer to those wanted, cell by cell as ``weight`` says."""
    pyramid = Pyramid.of(detail)
    return restore_bands(pyramid, measure_bands(pyramid), wanted, weight).merge()


def find_bands(
    detail: Image, base: Image, target: Image, usual: Image | None
) -> tuple[Image, Image]:
    """The bands of detail dreamt on a base, as a full dream's, and what is usual of them.

    The latter is ``usual``, or what this frame tells where nothing was dreamt before it.
    """
    measured = measure_bands(Pyramid.of(detail))
    share = find_expected_share(base, target**GROWTH, measured)
    if usual is None or not usual.any():
        full = scale_bands_to_full(measured, share, np.zeros(measured.shape[-1], np.float32))
        usual = sum_up_bands(full, find_known_share(share))
    return scale_bands_to_full(measured, share, usual), usual


def scale_flow_to_cells(flow: Image, cells: Image) -> Image:
    """A flow in pixels (H x W x 2) on a grid of cells, in cells."""
    scale = np.asarray([cells.shape[1] / flow.shape[1], cells.shape[0] / flow.shape[0]])
    return np.asarray(to_cells(flow, cells) * scale, np.float32)


def make_headroom_map(parts: WeightedDreams, target: Image) -> Image:
    """How far white gives way under the parts' dreams: H x W; a scalar 0 where it never does."""
    total = sum(part.share * part.dreamer.settings.headroom for part in parts)
    if not np.any(total):
        return np.zeros((), np.float32)
    return np.asarray(np.minimum(target, 1) * total, np.float32)


def carry_weight(maturity: Image, target: Image) -> Image:
    """The share of what was carried that may stay, H x W in [0, 1]."""
    few = maturity <= target * (1 + NEGLIGIBLE)
    share = np.where(few, target > 0, target / np.maximum(maturity, NEGLIGIBLE))
    return np.asarray(np.minimum(share, 1), np.float32)


def is_settled(state: State, source: Image, target: Image) -> bool:
    """Whether a frame is the last one again, and has all the dream that it is to have.

    Its dream is then repeated: anything else would boil in the film's own pauses.
    """
    if not np.array_equal(source, state.source):
        return False
    return bool((target == 1).all() or np.allclose(target, state.maturity, atol=NEGLIGIBLE))


def scale_to_full(measure_contrast: Image, target: Image) -> Image:
    """The contrast that a full dream would have where one of ``target`` has this."""
    return np.asarray(measure_contrast / np.maximum(target, NEGLIGIBLE) ** GROWTH, np.float32)


def update_effort(effort: Image, ratio: Image) -> Image:
    """The governor's next effort: more where ``ratio``, wanted to found contrast, is above 1."""
    turned = effort * np.clip(ratio, *GOVERNOR_BOUNDS)
    return np.asarray(np.clip(turned, *CARRIED_BOUNDS), np.float32)


def measure_contrast(detail: Image) -> Image:
    """Local deviation (H x W, above 0) of the detail's high frequencies."""
    fine = detail - blur(detail, CONTRAST_SIGMA)
    energy = blur((fine**2).mean(-1), NEIGHBOURHOOD_SIGMA)
    return np.asarray(np.sqrt(np.maximum(energy, 1e-8)), np.float32)


def blur(image: Image, sigma: float) -> Image:
    """Gaussian blur of ``sigma`` pixels of a frame ``REFERENCE_WIDTH`` wide."""
    scaled = sigma * image.shape[1] / REFERENCE_WIDTH
    return np.asarray(cv2.GaussianBlur(image, (0, 0), scaled), np.float32)


def store_pixels(image: Image, source: Image, target: Image) -> Image:
    """The picture as it is carried on: the source itself where nothing is to be dreamt.

    Raises NotFiniteError.

    A full dream is rounded as its file is. A weak one that grows slowly adds less than half a
    level a frame: rounded so, it would never grow.
    """
    if not np.isfinite(image).all():
        raise NotFiniteError
    if (target == 1).all():
        return round_to_stored(image)
    return np.asarray(np.where(target[..., None] > 0, to_float(to_deep(image)), source), np.float32)


def round_to_stored(image: Image) -> Image:
    """The picture as its file holds it: what is carried on is what a later run can read back."""
    return to_float(to_bytes(image))
