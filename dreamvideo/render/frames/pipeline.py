"""Dream a stream of source frames, carrying the dream along each shot."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dreamvideo.cancel import check
from dreamvideo.dream.gradient_ascent import Image
from dreamvideo.errors import DreamVideoError
from dreamvideo.media.pixels import to_bytes, to_float
from dreamvideo.media.read import Frame
from dreamvideo.motion.flow import Motion
from dreamvideo.render.dream_size import (
    choose_dream_size,
    enlarge_dream,
    enlarge_to_bytes,
    get_full_frame,
    shrink_frame,
)
from dreamvideo.render.frames.camera import VirtualCamera
from dreamvideo.render.frames.carry import NotFiniteError, State, is_settled, propagate, start_shot
from dreamvideo.render.frames.frame_plan import (
    FramePlan,
    ImageDreamer,
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
from dreamvideo.render.music import listen
from dreamvideo.render.source import ClipRange
from dreamvideo.settings import CoherenceSettings, Look, MachineSettings

# Frames that a render reads and tracks while another is dreamt.
AHEAD = 1


@dataclass(frozen=True)
class DreamedFrame:
    """One finished frame.

    Attributes:
        index: Number of the source frame.
        time: Presentation time in seconds.
        pixels: uint8 H x W x 3 RGB.
        loss: The objective; NaN where nothing was dreamt.
        starts_shot: Whether nothing was carried to this frame.
        state: What a later run resumes from after this frame (``dream_clip``); None where it must
            resume from an earlier one.
        frame: The source frame, at the output's size.
        again: Whether the first dream contained NaN or Inf and was retried from the source frame.
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
"""(frame, its pixels in [-1, 1], its motion since the frame before, state after the last dreamt
frame) -> its plan. There is no motion where a shot starts, and no state before the first dream."""


def dream_clip(
    frames: Iterable[Frame],
    dreamer: ImageDreamer,
    settings: CoherenceSettings,
    *,
    state: State | None = None,
    direct: PlanFrame | None = None,
    follow: bool = True,
    ahead: int = 0,
) -> Generator[DreamedFrame, None, None]:
    """Dream a stream of frames, in constant memory.

    Each shot starts a fresh dream; with ``coherence`` 0 each frame does.

    Args:
        frames: Source frames; of those that ``shrink_frame`` made the dream is enlarged again.
        dreamer: Dreams each frame for which ``direct`` names no dreamer.
        settings: Coherence; ``cadence`` and ``cut_threshold`` apply throughout, the rest only
            without ``direct``.
        state: State of the frame before the first one; the result is then that of an uninterrupted
            film.
        direct: Plans each frame, as a pure function; without it each frame is a full dream.
        follow: Can be False where ``direct`` neither carries a dream nor needs motion.
        ahead: Source frames to decode and track in a thread of their own while another is dreamt.
            The result is the same, but if the generator is not exhausted it must be closed
            (``contextlib.closing``) before the source is.

    Yields:
        Every frame, dreamt.

    Raises:
        DreamVideoError: A dream contains NaN or Inf even when retried from the source frame.
        Interrupted: This process was asked to stop.
    """
    always = FramePlan(settings)
    if settings.coherence == 0 and (direct is None or not follow):
        observations = track_nothing(frames)
    else:
        before = None if state is None else state.source
        observations = track_frames(frames, before, settings)

    def plan_frame(seen: TrackedFrame) -> tuple[TrackedFrame, FramePlan]:
        if direct is None:
            return seen, always
        return seen, direct(seen.frame, seen.source, seen.onto, state)

    with closing(prefetch(observations, ahead)) as stream:
        for group in group_keyframes(map(plan_frame, stream), settings.cadence):
            check()
            last = state
            *others, key = group
            state, loss, again = _dream_frame(key, state, dreamer)
            if others and last is not None:
                yield from _interpolate_group(last, state, group)
            seen, pixels = get_full_frame(key.seen.frame), _finish_frame(state.dream, key)
            yield DreamedFrame(
                seen.index, seen.time, pixels, loss, key.starts_shot, state, seen, again
            )


def _dream_frame(
    cue: TimedFrame, state: State | None, dreamer: ImageDreamer
) -> tuple[State, float, bool]:
    """Return the state after a frame, its objective, and whether the dream had to be retried."""
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
        f"frame {cue.seen.frame.index}: its dream contains NaN or Inf even when "
        "started from the source frame: choose a smaller --step-size, or --precision float32"
    )


def _interpolate_group(
    before: State, after: State, group: list[TimedFrame]
) -> Iterator[DreamedFrame]:
    whole = max(1, group[-1].at)
    for cue, back in zip(group[:-1], chain_backward_motion(group), strict=False):
        target = make_target_map(cue.plan, cue.seen.source.shape)
        dream = interpolate(before, after, cue, back, cue.at / whole, target)
        frame = get_full_frame(cue.seen.frame)
        yield DreamedFrame(
            frame.index, frame.time, _finish_frame(dream, cue), math.nan, False, None, frame
        )


def _finish_frame(dream: Image, cue: TimedFrame) -> NDArray[np.uint8]:
    """Return a dream as it is delivered: at the output's size, with its colours graded."""
    source, plan = cue.seen.source, cue.plan
    full = get_full_frame(cue.seen.frame)
    if full is not cue.seen.frame and plan.finish is None:
        return enlarge_to_bytes(dream, source, full.pixels, plan.undreamt)
    if full is not cue.seen.frame:
        small, source = source, to_float(full.pixels)
        dream = enlarge_dream(dream, small, source, plan.undreamt)
    return to_bytes(dream if plan.finish is None else plan.finish(dream, source))


def dream_film(
    frames: Iterable[Frame],
    planner: FramePlanner,
    camera: VirtualCamera,
    *,
    state: State | None = None,
    ahead: int = 0,
) -> Generator[DreamedFrame, None, None]:
    """Dream the frames of a film: seen by its camera, at the dream's size, as its planner says.

    Args:
        frames: Source frames, at the output's size.
        planner: Plans each frame.
        camera: The camera over the film.
        state: State of the frame before the first one, as in ``dream_clip``.
        ahead: Source frames to prefetch, as in ``dream_clip``; this too must then be closed.

    Yields:
        Every frame, dreamt.

    Raises:
        DreamVideoError: A dream contains NaN or Inf even when retried from the source frame.
        Interrupted: This process was asked to stop.
    """
    return dream_clip(
        (shrink_frame(camera.apply(frame), planner.span.size) for frame in frames),
        planner.dreamers[0],
        planner.look.coherence,
        state=state,
        direct=planner,
        follow=planner.needs_motion,
        ahead=ahead,
    )


def open_planner(
    look: Look,
    footage: ClipRange,
    camera: VirtualCamera,
    machine: MachineSettings = DEFAULT_MACHINE,
    on_tile: Callable[[int, int], None] | None = None,
) -> FramePlanner:
    """Open everything that a look needs for a clip: its sound, masks, palette and networks.

    Args:
        look: The look.
        footage: The clip and the range of it to dream.
        camera: The camera over the clip.
        machine: Device, threads and limits.
        on_tile: Called with (done, total) for the tiles of large frames.

    Raises:
        UsageError: The look makes no sense for this clip.
        MediaError: A file, or the clip's sound, cannot be read.
        WeightsError: The weights cannot be loaded.
    """
    sound = listen(look, footage.wanted, footage.info, footage.begin, footage.end)
    planner = make_planner(look, make_span(look, footage), sound=sound, machine=machine)
    check_schedules(planner)
    if planner.needs_first:
        # Its colours are matched to those of the first frame.
        planner = match_first(planner, footage.read_first(), camera)
    return planner if on_tile is None else planner.with_progress(on_tile)


def check_schedules(planner: FramePlanner) -> None:
    """Raise ScheduleError, before any work, if a formula has no value at one of the frames."""
    span = planner.span
    times = (span.begin + n / span.rate for n in range(span.count or 0))
    planner.look.check(planner.moment(time) for time in times)


def match_first(planner: FramePlanner, frame: Frame, camera: VirtualCamera) -> FramePlanner:
    """Return the planner with the palette of the first dreamt frame, which all are to match.

    Args:
        planner: The planner.
        frame: The first source frame.
        camera: The camera over the film.
    """
    first = shrink_frame(camera.apply(frame), planner.span.size)
    return replace(planner, palette=dream_first_palette(planner, first))


def make_span(look: Look, footage: ClipRange) -> FilmSpan:
    """Return the part of a clip that a film shows. Raises UsageError for a wrong dream size."""
    size = choose_dream_size(look.dream.dream_size, footage.size)
    frames = footage.expected
    length = float(frames / footage.rate) if frames else float("inf")
    return FilmSpan(size, footage.rate, footage.begin, length, footage.size)


def make_virtual_camera(look: Look, footage: ClipRange) -> VirtualCamera:
    """Return the camera over a clip. Raises UsageError for a formula that has no value."""
    return make_span_camera(look, make_span(look, footage))


def make_span_camera(look: Look, span: FilmSpan) -> VirtualCamera:
    """Return the camera over a film. Raises UsageError for a formula that has no value."""
    width, height = span.output_size
    return VirtualCamera(look.camera, width, height, span.begin, span.length, float(span.rate))
