"""Octaves: dream an image from coarse to fine, keeping its detail between octaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dreamvideo import timers
from dreamvideo.dream.gradient_ascent import ClosingAscent, GradientAscent, Image, OnTile
from dreamvideo.dream.patches import Box, find_windows
from dreamvideo.imaging import resize

OnStep = Callable[["StepProgress"], None]
ExtrasAt = Callable[[tuple[int, int]], Mapping[str, NDArray[np.float32]]]

# Short side in pixels of the coarsest octave, if no creature size is given.
COARSEST = 130
MOST_OCTAVES = 8
# Height in pixels of the forms that networks trained on ImageNet dream.
CREATURE_SIDE = 63
MOST_SIZED_OCTAVES = 16
# The first octaves, from the coarsest, take all steps; each finer one takes ``detail`` times the
# steps of the one before, but not fewer than this: a single long step leaves grain.
FULL_OCTAVES = 4
FEWEST_STEPS = 2


@dataclass(frozen=True)
class StepProgress:
    """One step of a dream, for progress displays and for pictures of the dream growing.

    ``done`` counts the steps taken so far, over all octaves.
    """

    done: int
    loss: float
    image: Callable[[], Image]


@dataclass(frozen=True)
class Dream:
    """A dreamt image (H x W x 3 in [-1, 1]) and the objective before each step, in order.

    For steps within boxes it is the objective there.
    """

    image: Image
    losses: tuple[float, ...]


def count_octaves(height: int, width: int, scale: float) -> int:
    """Return the number of octaves whose coarsest has a short side of about ``COARSEST`` px.

    Args:
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
        scale: Ratio of neighbouring octaves.
    """
    steps = np.log(min(height, width) / COARSEST) / np.log(scale)
    return int(np.clip(np.floor(steps + 0.5) + 1, 1, MOST_OCTAVES))


def count_octaves_for_size(
    height: int, width: int, scale: float, creature_size: float
) -> tuple[int, float]:
    """Return octaves whose largest forms are a given share of the picture at any resolution.

    Args:
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
        scale: The wanted ratio of neighbouring octaves, above 1.
        creature_size: Height of the largest forms as a share of the shorter side, above 0.

    Returns:
        The number of octaves, and the ratio near ``scale`` at which the coarsest has exactly that
        size.
    """
    growth = min(height, width) * creature_size / CREATURE_SIDE
    if growth <= 1:
        return 1, scale
    ratios = int(np.clip(round(np.log(growth) / np.log(scale)), 1, MOST_SIZED_OCTAVES - 1))
    return ratios + 1, float(growth ** (1 / ratios))


def list_octave_sizes(
    height: int, width: int, octaves: int, scale: float, smallest: int = 1
) -> tuple[tuple[int, int], ...]:
    """Return (height, width) of the octaves, from coarsest to full size.

    Args:
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
        octaves: Number of octaves; those that are too small are left out.
        scale: Ratio of neighbouring octaves.
        smallest: Smallest side in pixels.
    """
    sizes = [
        (round(height / scale**level), round(width / scale**level)) for level in range(octaves)
    ]
    kept = [size for size in sizes if min(size) >= smallest] or sizes[:1]
    return tuple(kept[::-1])


def draw_jitter(seed: int, frame: int, octave: int, steps: int, jitter: int) -> NDArray[np.int32]:
    """Return (dy, dx) of every step, each in [-jitter, jitter].

    The result depends only on the arguments.

    Args:
        seed: Seed of the dream.
        frame: Number of the frame.
        octave: Number of the octave.
        steps: Number of steps.
        jitter: Largest roll in pixels.
    """
    words = np.random.SeedSequence((seed, frame, octave))
    shifts = np.random.default_rng(words).integers(-jitter, jitter + 1, (steps, 2))
    return shifts.astype(np.int32)


@dataclass(frozen=True)
class OctaveSchedule:
    """Octave sizes (height, width) from coarse to fine, and the steps in each.

    Attributes:
        sizes: (height, width) of each octave.
        steps: Steps per coarse octave; fine ones take fewer if ``detail`` is below 1.
        step_size: In units of [-1, 1] per standard deviation of the gradient.
        jitter: Largest roll in pixels.
        seed: Seed of the random numbers.
        detail: Share of the steps that each fine octave takes of those of the one before.
        full: Steps of a full dream; a schedule with fewer divides its work among the octaves in the
            same proportions.
        coarse_bias: 0 to 1: the coarsest octave takes longer steps and the finest shorter ones,
            those in between in proportion.
    """

    sizes: tuple[tuple[int, int], ...]
    steps: int
    step_size: float
    jitter: int
    seed: int
    detail: float = 1.0
    full: int | None = None
    coarse_bias: float = 0.0

    @property
    def is_full(self) -> bool:
        """Whether this is a whole dream, rather than a few steps on top of one."""
        return self.full is None or self.steps >= self.full

    @property
    def total(self) -> int:
        """Number of steps over all octaves."""
        return sum(steps for steps, _ in self.octave_steps)

    @property
    def pixel_steps(self) -> int:
        """Pixels over all octaves and steps: the time of a dream is proportional to it."""
        pairs = zip(self.sizes, self.octave_steps, strict=True)
        return sum(height * width * steps for (height, width), (steps, _) in pairs)

    @property
    def octave_steps(self) -> tuple[tuple[int, float], ...]:
        """(steps, step size) of each octave, coarse to fine."""
        return tuple(map(self._find_steps, range(len(self.sizes))))

    def _find_steps(self, octave: int) -> tuple[int, float]:
        full = self.full or max(1, self.steps)
        share = self.detail ** max(0, octave + 1 - FULL_OCTAVES)
        wanted = max(min(full, FEWEST_STEPS), round(full * share))
        # Lengthen or shorten each step so that the octaves' shares of the work stay the same.
        work = self.steps * wanted / full
        taken = max(min(self.steps, 1), round(work))
        finest = len(self.sizes) - 1
        longer = 1 + self.coarse_bias * (1 - 2 * octave / finest) if finest else 1.0
        return taken, longer * self.step_size * (work / max(taken, 1))


@dataclass(frozen=True)
class StepMap:
    """Where steps are taken, and how long they are there.

    Attributes:
        scale: H x W, multiplies the step at each place.
        within: Boxes outside of which ``scale`` must be 0; only they, and the context they need,
            are computed.
        even: Whether to avoid overshooting in areas that are new (``Step.update``).
    """

    scale: Image | None = None
    within: Sequence[Box] = ()
    even: bool = False


EVERYWHERE = StepMap()


@timers.stage("dream")
def dream(
    ascent: GradientAscent | ClosingAscent,
    base: Image,
    schedule: OctaveSchedule,
    *,
    where: StepMap = EVERYWHERE,
    frame: int = 0,
    extras: ExtrasAt | None = None,
    on_step: OnStep | None = None,
    on_tile: OnTile | None = None,
) -> Dream:
    """Dream a picture through all octaves.

    What an octave adds is scaled up and added to the base at the next one, so that the base keeps
    its full sharpness (google/deepdream).

    Args:
        ascent: The compiled step.
        base: H x W x 3 in [-1, 1].
        schedule: The octaves.
        where: Where steps are taken.
        frame: Selects the random numbers of the jitter.
        extras: (height, width) -> what the step needs besides the image.
        on_step: Called after each step.
        on_tile: Called for each tile of a large picture (``GradientAscent.climb``).
    """
    added: Image | None = None
    losses: list[float] = []
    current, before = base, 0
    for octave, (size, (steps, step_size)) in enumerate(
        zip(schedule.sizes, schedule.octave_steps, strict=True)
    ):
        start = resize(base, size)
        if added is not None:
            start = start + resize(added, size)
        step: float | Image = step_size
        if where.scale is not None:
            step = step_size * resize(where.scale, size)
        shifts = draw_jitter(schedule.seed, frame, octave, steps, schedule.jitter)
        report = on_step and _make_reporter(on_step, before, size, base)
        given = extras(size) if extras else None
        boxes: Sequence[Box] = (Box(0, 0, *size),)
        if where.within and ascent.takes_any_size:
            boxes = find_windows(where.within, base.shape[:2], size)
        current = start
        for box in boxes:
            current, seen = ascent.climb(
                current,
                step,
                shifts,
                report,
                even=where.even,
                within=box,
                extras=given,
                on_tile=on_tile,
            )
            losses += seen
        before += steps
        added = current - resize(base, size)
    return Dream(current, tuple(losses))


def _make_reporter(
    on_step: OnStep, before: int, size: tuple[int, int], base: Image
) -> Callable[[int, float, Image], None]:
    def report(step: int, loss: float, image: Image) -> None:
        def whole() -> Image:
            if image.shape == base.shape:
                return image
            grown = base + resize(image - resize(base, size), base.shape[:2])
            return np.asarray(np.clip(grown, -1, 1), np.float32)

        on_step(StepProgress(before + step + 1, loss, whole))

    return report
