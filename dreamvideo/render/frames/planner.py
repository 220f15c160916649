"""Plan each frame of one film from a look: (frame, motion) -> ``FramePlan``.

Everything is a function of the look, the frame and the state before it, so any frame can be
rendered again, alone or on another machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.dream_objective import DreamObjective
from dreamvideo.dream.dreamer import Dreamer, make_octave_schedule
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.dream.runtime import settle_threads
from dreamvideo.errors import UsageError
from dreamvideo.imaging import resize
from dreamvideo.media.pixels import to_float
from dreamvideo.media.read import Frame
from dreamvideo.media.stills import read_still
from dreamvideo.motion.flow import Motion
from dreamvideo.paint.colour import extract_palette, finish, is_identity, needs_first, read_palette
from dreamvideo.paint.masks import MaskPictures
from dreamvideo.paint.palette import Palette
from dreamvideo.paint.regions import RegionMasks
from dreamvideo.render.dream_size import get_full_frame
from dreamvideo.render.frames.carry import State, start_shot
from dreamvideo.render.frames.frame_plan import FramePlan, WeightedDream, make_target_map
from dreamvideo.schedules import TimePoint
from dreamvideo.settings import DreamSettings, Look, MachineSettings
from dreamvideo.settings.derive import derive_dream

DEFAULT_MACHINE = MachineSettings()


class DreamerFactory(Protocol):
    """Makes a dreamer, as the class ``Dreamer`` does."""

    def __call__(
        self,
        settings: DreamSettings,
        *,
        guide: Image | None,
        varying: Collection[str],
        machine: MachineSettings,
    ) -> Any:
        """Return a ``Dreamer`` with these settings, or an object that can be used as one."""
        ...


_factory: DreamerFactory = Dreamer


def dreamer_factory() -> DreamerFactory:
    """Return what makes the dreamers of this process."""
    return _factory


def set_dreamer_factory(factory: DreamerFactory) -> DreamerFactory:
    """Replace what makes the dreamers of this process and of the workers that it starts from now.

    Args:
        factory: A class or function of a module, so that workers can import it.

    Returns:
        The one before.
    """
    global _factory
    before, _factory = _factory, factory
    return before


def list_varying(look: Look) -> frozenset[str]:
    """Return the names of the dream's settings that change over time."""
    return frozenset(name.partition(".")[2] for name in look.over_time if name.startswith("dream."))


# Those of the innermost ``keep_dreamers`` come last.
_kept: list[dict[tuple[object, ...], Dreamer]] = []


@contextmanager
def keep_dreamers() -> Iterator[None]:
    """Load and compile the network of equal dreams once for all renders in the block."""
    _kept.append({})
    try:
        yield
    finally:
        _kept.pop()


def make_dreamer(
    dream: DreamSettings,
    look: Look,
    machine: MachineSettings = DEFAULT_MACHINE,
    objective: DreamObjective | None = None,
) -> Dreamer:
    """Create a dreamer.

    Args:
        dream: The look's own dream settings, or those of one of its regions.
        look: Its schedules decide which parameters are compiled as variable.
        machine: Device, threads and limits.
        objective: Replaces the layers, classes and guide of the settings.

    Raises:
        UsageError: The settings make no sense.
        WeightsError: The weights cannot be loaded.
        MediaError: The guide image cannot be read.
    """
    if machine.threads is not None:
        settle_threads(machine.threads)
    varying = list_varying(look)
    if objective is not None:
        return Dreamer(dream, varying=varying, machine=machine, objective=objective)
    key = (dream, varying, machine)
    kept = _kept[-1] if _kept else {}
    if key in kept:
        return kept[key]
    guide = None if dream.guide is None else to_float(read_still(dream.guide))
    made: Dreamer = _factory(dream, guide=guide, varying=varying, machine=machine)
    kept[key] = made
    return made


class MakeDreamer(Protocol):
    """Makes or finds a dreamer, as ``make_dreamer`` does."""

    def __call__(self, dream: DreamSettings, look: Look, machine: MachineSettings) -> Dreamer:
        """See ``make_dreamer``."""
        ...


CHANGING = ("dream.", "mask.", "regions.")


class SoundSource(Protocol):
    """Sound levels over time, each in 0 .. 1."""

    def at(self, seconds: float) -> Mapping[str, float]:
        """Return the levels by name at a time of the source, in seconds."""
        ...


@dataclass(frozen=True)
class FilmSpan:
    """The part of a source that a film shows.

    Attributes:
        size: (width, height) in pixels.
        rate: Frames per second.
        begin: Time of the first frame on the source's clock, in seconds.
        length: Length of the film, in seconds.
        full_size: (width, height) of the output, if the dream is made at a smaller ``size``.
    """

    size: tuple[int, int]
    rate: Fraction = Fraction(25)
    begin: Fraction = Fraction(0)
    length: float = float("inf")
    full_size: tuple[int, int] | None = None

    @property
    def output_size(self) -> tuple[int, int]:
        """(width, height) of the output in pixels."""
        return self.full_size or self.size

    @property
    def count(self) -> int | None:
        """Number of frames; None if the length is unknown."""
        return None if math.isinf(self.length) else round(self.length * self.rate)


class OpenMask(Protocol):
    """Gives the pictures of a mask, for each size that they are needed at."""

    def __call__(self, size: tuple[int, int]) -> MaskPictures:
        """Return the pictures at a (width, height) in pixels."""
        ...


@dataclass
class FramePlanner:
    """Plans each frame of a film; callable as ``PlanFrame``.

    ``palette`` is that of the first dreamt frame, where colours are matched to it.
    """

    look: Look
    span: FilmSpan
    dreamers: tuple[Dreamer, ...]
    areas: RegionMasks
    sound: SoundSource | None = None
    palette: Palette | None = None
    full_areas: RegionMasks | None = None
    _changes: bool = field(init=False)

    def __post_init__(self) -> None:
        dream = self.look.dream
        timelines = (dream.layers or "") + (dream.classes or "") + dream.model
        scheduled = any(name.startswith(CHANGING) for name in self.look.over_time)
        self._changes = scheduled or "->" in timelines

    def __call__(
        self, frame: Frame, source: Image, motion: Motion | None = None, state: State | None = None
    ) -> FramePlan:
        """Plan a frame.

        Args:
            frame: The source frame.
            source: Its pixels, H x W x 3 in [-1, 1].
            motion: Its motion since the frame before; None where a shot starts.
            state: State after the frame before.
        """
        moment = self.moment(frame.time)
        look = self.look.at(moment)
        before = None
        if state is not None and motion is not None and self.areas.needs_motion:
            before = np.minimum(state.maturity / max(look.dream.strength, 1e-3), 1)
        target: Image | float = look.dream.strength
        whole: Image | None = None
        share_of: tuple[Image | float, ...] = (1.0,)
        if not self.areas.covers_all:
            shares = self.areas.shares(frame.time, source, motion, now=look, before=before)
            whole = np.asarray(sum(shares), np.float32)
            target = whole * np.float32(look.dream.strength)
            held = np.maximum(whole, np.float32(1e-6))
            share_of = tuple(share / held for share in shares) if len(shares) > 1 else (1.0,)
        parts = tuple(
            WeightedDream(dreamer.at(settings, moment, source=source), share)
            for dreamer, settings, share in zip(
                self.dreamers, self._dreams(look), share_of, strict=True
            )
            if not isinstance(share, np.ndarray) or share.any()
        )
        undreamt = self._find_undreamt(frame, look)
        finishing = self._finish(look, whole, undreamt)
        return FramePlan(look.coherence, target, parts, finishing, self._changes, undreamt)

    def moment(self, time: Fraction) -> TimePoint:
        """Convert a time of the source to a time point of the film."""
        heard = self.sound.at(float(time)) if self.sound is not None else {}
        seconds = float(time - self.span.begin)
        return TimePoint(seconds, self.span.length, float(self.span.rate), heard)

    def with_progress(self, on_tile: Callable[[int, int], None]) -> FramePlanner:
        """Return this planner with dreamers that report the tiles of large pictures."""
        return replace(self, dreamers=tuple(each.with_progress(on_tile) for each in self.dreamers))

    @property
    def needs_motion(self) -> bool:
        """Whether a frame depends on how the source moves."""
        varies = "coherence.coherence" in self.look.over_time
        return varies or self.look.coherence.coherence > 0 or self.areas.needs_motion

    @property
    def needs_first(self) -> bool:
        """Whether the ``palette`` of the first dreamt frame is still needed."""
        return self.palette is None and needs_first(self.look.colour)

    def close(self) -> None:
        """Close mask films."""
        self.areas.close()
        if self.full_areas is not None:
            self.full_areas.close()

    def _find_undreamt(self, frame: Frame, look: Look) -> NDArray[np.bool_] | None:
        full = get_full_frame(frame)
        if self.full_areas is None or full is frame:
            return None
        shares = self.full_areas.shares(frame.time, to_float(full.pixels), now=look)
        nothing: NDArray[np.bool_] = np.add.reduce(shares) <= 0
        return nothing

    def _dreams(self, look: Look) -> list[DreamSettings]:
        return [look.dream, *(derive_dream(region, look.dream) for region in look.regions)]

    def _finish(
        self, look: Look, share: Image | None, undreamt: NDArray[np.bool_] | None
    ) -> Callable[[Image, Image], Image] | None:
        if is_identity(look.colour):
            return None
        palette = self.palette

        def grade(dreamt: Image, source: Image) -> Image:
            height, width = dreamt.shape[:2]
            part = None if share is None else resize(share, (height, width), "linear")
            if part is not None and undreamt is not None:
                part = np.where(undreamt, np.float32(0), part)
            return finish(dreamt, source, look.colour, palette, part)

        return grade


def make_planner(
    look: Look,
    span: FilmSpan,
    *,
    sound: SoundSource | None = None,
    machine: MachineSettings = DEFAULT_MACHINE,
    mask: OpenMask | None = None,
    make: MakeDreamer = make_dreamer,
) -> FramePlanner:
    """Create a planner: read all files that the look names and compile its dreamers.

    Args:
        look: The look.
        span: The part of the source to plan for.
        sound: Sound levels, if settings follow them.
        machine: Device, threads and limits.
        mask: Opens pictures that take the place of the look's own mask.
        make: Makes the dreamers of the look and of its regions.

    Raises:
        UsageError: The settings make no sense.
        MediaError: A mask, guide or palette cannot be read.
        WeightsError: The weights cannot be loaded.
    """
    width, height = span.size
    dreams = [look.dream, *(derive_dream(region, look.dream) for region in look.regions)]
    for dream in dreams:
        make_octave_schedule(dream, height, width)
    if look.sounds and sound is None:
        raise UsageError("the settings follow a sound, but there is none")

    def open_areas(size: tuple[int, int]) -> RegionMasks:
        return RegionMasks.of(look, size, span.rate, None if mask is None else mask(size))

    areas = open_areas(span.size)
    full_areas = None
    # A mask that follows motion is known at the dream's size alone.
    if span.output_size != span.size and not (areas.covers_all or areas.needs_motion):
        full_areas = open_areas(span.output_size)
    palette = read_palette(look.colour)
    made: dict[DreamSettings, Dreamer] = {}
    for dream in dreams:
        if dream not in made:
            made[dream] = make(dream, look, machine)
    dreamers = tuple(made[dream] for dream in dreams)
    return FramePlanner(look, span, dreamers, areas, sound, palette, full_areas)


def dream_first_palette(planner: FramePlanner, frame: Frame) -> Palette:
    """Dream a film's first frame and return its palette, which every frame is to match."""
    source = to_float(frame.pixels)
    plan = planner(frame, source)
    state, _ = start_shot(source, plan.parts, make_target_map(plan, source.shape))
    return extract_palette(state.dream)


def freeze_look(look: Look) -> Look:
    """Return the look of a still picture: its values at the beginning.

    Raises UsageError for settings that need a film.
    """
    if any(mask.motion != "any" for mask in (look.mask, *look.regions)):
        raise UsageError("--motion needs a film: nothing moves in a picture")
    return look.at(TimePoint(0.0, 1.0))
