"""Source frames -> dreamt frames, the dream carried along each shot."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.errors import DreamVideoError
from dreamvideo.media.pixels import to_bytes
from dreamvideo.media.read import Frame
from dreamvideo.media.sound import measure_sound
from dreamvideo.motion.flow import Motion
from dreamvideo.render.frames.camera import VirtualCamera
from dreamvideo.render.frames.carry import NotFiniteError, State, is_settled, propagate, start_shot
from dreamvideo.render.frames.frame_plan import (
    DreamsImages,
    FramePlan,
    WeightedDream,
    make_target_map,
)
from dreamvideo.render.frames.interpolate import (
    TimedFrame,
    chain_backward_motion,
    group_keyframes,
    interpolate,
)
from dreamvideo.render.frames.planner import (
    DEFAULT_MACHINE,
    FilmSpan,
    FramePlanner,
    dream_first_palette,
    make_planner,
)
from dreamvideo.render.frames.tracking import TrackedFrame, prefetch, track_frames, track_nothing
from dreamvideo.render.source import ClipRange
from dreamvideo.settings import CoherenceSettings, Look, MachineSettings


@dataclass(frozen=True)
class DreamedFrame:
    """One finished frame: pixels uint8 H x W x 3 RGB, its presentation time in seconds.

    ``state`` is what a later run goes on from after this frame (``dream_clip``), None where it
    cannot: it must then go on from an earlier one. ``frame`` is the source frame, ``again``
    whether a first dream of it held what is no number and it was dreamt anew from the source.
    """

    index: int
    time: Fraction
    pixels: NDArray[np.uint8]
    loss: float
    starts_shot: bool
    state: State | None = None
    frame: Frame | None = None
    again: bool = False


PlanFrame = Callable[[Frame, Image, Motion | None, State | None], FramePlan]
"""(frame, its pixels in [-1, 1], its motion since the frame before, what the last dreamt frame
left) -> what it is to become. Where a shot begins there is no motion; where nothing has been
dreamt yet, no state."""


def dream_clip(
    frames: Iterable[Frame],
    dreamer: DreamsImages,
    settings: CoherenceSettings,
    *,
    state: State | None = None,
    direct: PlanFrame | None = None,
    follow: bool = True,
    ahead: int = 0,
) -> Generator[DreamedFrame, None, None]:
    """Dream a stream of frames, in constant memory.

    Each shot starts a fresh dream; with ``coherence`` 0 each frame does. ``state`` is that of the
    frame before the first one: the frames are then those of a film that was not interrupted.
    ``direct`` tells what each frame is to become, a pure function; without it each is a full dream
    of ``dreamer`` with ``settings``, whose ``cadence`` and ``cut_threshold`` hold throughout.
    Where neither carries a dream nor asks for motion, ``follow`` need not be.
    Up to ``ahead`` source frames are decoded, and their motion is estimated, in a thread of their
    own while another is dreamt: the film is the same, but if it is not used up, the generator must
    be closed (``contextlib.closing``) before the source is.
    """
    always = FramePlan(settings)
    if settings.coherence == 0 and (direct is None or not follow):
        observations = track_nothing(frames)
    else:
        before = None if state is None else state.source
        observations = track_frames(frames, before, settings)

    def told(seen: TrackedFrame) -> tuple[TrackedFrame, FramePlan]:
        if direct is None:
            return seen, always
        return seen, direct(seen.frame, seen.source, seen.onto, state)

    with closing(prefetch(observations, ahead)) as stream:
        for group in group_keyframes(map(told, stream), settings.cadence):
            last = state
            *others, key = group
            state, loss, again = _dream_frame(key, state, dreamer)
            if others and last is not None:
                yield from _interpolate_group(last, state, group)
            seen, pixels = key.seen.frame, _finish_frame(state.dream, key)
            yield DreamedFrame(
                seen.index, seen.time, pixels, loss, key.starts_shot, state, seen, again
            )


def _dream_frame(
    cue: TimedFrame, state: State | None, dreamer: DreamsImages
) -> tuple[State, float, bool]:
    """What a frame leaves, its objective, and whether it had to be dreamt a second time."""
    source, plan = cue.seen.source, cue.plan
    parts = plan.parts or (WeightedDream(dreamer),)
    target = make_target_map(plan, source.shape)
    carried = state is not None and cue.since is not None
    holds_bands = plan.coherence.hold == "bands"
    try:
        if state is None or cue.since is None:
            return *start_shot(source, parts, target, holds_bands=holds_bands), False
        if is_settled(state, source, target) and not plan.changing:
            return state, math.nan, False
        made = propagate(state, source, cue.since, parts, plan.coherence, target)
        return *made, False
    except NotFiniteError:
        if not carried:
            raise _not_finite_error(cue) from None
    try:
        return *start_shot(source, parts, target, holds_bands=holds_bands), True
    except NotFiniteError:
        raise _not_finite_error(cue) from None


def _not_finite_error(cue: TimedFrame) -> DreamVideoError:
    return DreamVideoError(
        f"frame {cue.seen.frame.index}: its dream holds what is no number, from the source too: "
        "choose a smaller --step-size, or --precision float32"
    )


def _interpolate_group(
    before: State, after: State, group: list[TimedFrame]
) -> Iterator[DreamedFrame]:
    whole = max(1, group[-1].at)
    for cue, back in zip(group[:-1], chain_backward_motion(group), strict=False):
        target = make_target_map(cue.plan, cue.seen.source.shape)
        dream = interpolate(before, after, cue, back, cue.at / whole, target)
        frame = cue.seen.frame
        yield DreamedFrame(
            frame.index, frame.time, _finish_frame(dream, cue), math.nan, False, None, frame
        )


def _finish_frame(dream: Image, cue: TimedFrame) -> NDArray[np.uint8]:
    finish = cue.plan.finish
    return to_bytes(dream if finish is None else finish(dream, cue.seen.source))


class Scene:
    """Camera, sound, masks, palette and networks of one clip's render."""

    def __init__(
        self,
        look: Look,
        footage: ClipRange,
        machine: MachineSettings = DEFAULT_MACHINE,
        on_tile: Callable[[int, int], None] | None = None,
    ) -> None:
        """``on_tile`` is told of the tiles of large frames: (done, total).

        Raises UsageError, MediaError for what cannot be read or heard, WeightsError.
        """
        self._footage = footage
        frames = footage.expected
        span = FilmSpan(footage.size, footage.rate, footage.begin, _find_length(footage))
        self._viewpoint = make_virtual_camera(look, footage)
        sound = measure_sound(footage.info, footage.begin, footage.end) if look.sounds else None
        planner = make_planner(look, span, sound=sound, machine=machine)
        times = (footage.begin + n / footage.rate for n in range(frames or 0))
        look.check(planner.moment(time) for time in times)
        self.planner = self._matching_first(planner)
        if on_tile is not None:
            self.planner = self.planner.with_progress(on_tile)

    def dream(
        self, frames: Iterator[Frame], state: State | None, ahead: int = 0
    ) -> Generator[DreamedFrame, None, None]:
        """The dreams of source frames, gone on with from ``state``.

        ``ahead`` of them are decoded and followed while another is dreamt (``dream_clip``).
        """
        planner = self.planner
        return dream_clip(
            map(self._viewpoint.apply, frames),
            planner.dreamers[0],
            planner.look.coherence,
            state=state,
            direct=planner,
            follow=planner.needs_motion,
            ahead=ahead,
        )

    def _matching_first(self, planner: FramePlanner) -> FramePlanner:
        """The director, who knows the first frame's palette if colours are to match it."""
        if not planner.needs_first:
            return planner
        with self._footage.open() as source:
            for frame in source:
                palette = dream_first_palette(planner, self._viewpoint.apply(frame))
                return replace(planner, palette=palette)
        return planner


def make_virtual_camera(look: Look, footage: ClipRange) -> VirtualCamera:
    """The camera over a clip. Raises UsageError for a formula that has no value."""
    rate = float(footage.rate)
    return VirtualCamera(look.camera, *footage.size, footage.begin, _find_length(footage), rate)


def _find_length(footage: ClipRange) -> float:
    frames = footage.expected
    return float(frames / footage.rate) if frames else float("inf")
